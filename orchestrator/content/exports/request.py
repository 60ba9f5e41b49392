# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody asks to be exported, as a value; and how sizes of media and moments are written."""

import math
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

from orchestrator.content.exports.manifest import ExportFormat, SubjectKind
from orchestrator.errors import Invalid

ExportKind = Literal["complete", "increment"]

# Bytes that fit onto every medium of the kind: of recordable ones in two standards the smaller (DVD+R, DVD-R DL).
MEDIA = {"cd": 737_280_000, "dvd": 4_700_372_992, "dvd-dl": 8_543_666_176, "bd": 25_025_314_816}
# The manifest and the other small files of a medium would hardly find room on less.
SMALLEST_CHUNK = 65_536
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:([KMGTP]?)(i?)B?)", re.IGNORECASE)
_FORMATS = ("dir", "tgz", "tar", "iso")


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """`names` of the subject (none for the library and with a `request_file`); `organization` "" is the server's
    first. `version` of a view, or the one that `environment` shows; neither is the newest. `chunk_size` in bytes, 0
    for one medium of any size.

    `since` and `until` are moments (`parse_moment`): snapshots are those made at or before `until`, an increment is
    built on those made at or before `since`. `base` is what else it is built on: the path of a receipt or of an
    export, the digest of a receipt as it is typed, the id or number of an export; without any of it, what the
    destination confirmed or was sent last. `sign_with` is a private key instead of the server's. `request_file` is a
    receiver's list of missing objects: then the export it names is what these are taken from, and of the rest only
    the format, the sizes and `sign_with` count.
    """

    kind: ExportKind = "complete"
    subject_kind: SubjectKind = "library"
    names: tuple[str, ...] = ()
    organization: str = ""
    version: int | None = None
    environment: str = ""
    format: ExportFormat = "tar"
    chunk_size: int = 0
    strict_chunks: bool = False
    destination: str = ""
    since: str = ""
    until: str = ""
    base: str = ""
    sign_with: Path | None = None
    request_file: Path | None = None

    def checked(self, now: datetime, organization: str) -> Self:
        """With the moments in their normal form and `organization` for none. Raises Invalid for what contradicts
        itself; `now` decides what is in the future."""
        since, until = (_past(text, now) if text else "" for text in (self.since, self.until))
        if since and until and since > until:
            raise Invalid(
                f"the window begins ({since}) after it ends ({until})", hint="swap --since and --until"
            )
        self._check_medium()
        if self.request_file is None:
            self._check_names()
            self._check_base()
        return replace(self, since=since, until=until, organization=self.organization or organization)

    def _check_medium(self) -> None:
        if self.format not in _FORMATS:
            raise Invalid(f"there is no format {self.format!r}", hint=f"take one of {', '.join(_FORMATS)}")
        if self.chunk_size and self.format == "dir":
            raise Invalid("a directory is not divided into chunks", hint="take --format tar, tgz or iso")
        if self.chunk_size < 0 or 0 < self.chunk_size < SMALLEST_CHUNK:
            raise _too_small(str(self.chunk_size))

    def _check_names(self) -> None:
        if self.subject_kind == "library" and self.names:
            raise Invalid("the library has no names", hint="name repositories, products or views")
        if self.subject_kind != "library" and not self.names:
            raise Invalid(f"which {self.subject_kind} is to be exported?", hint="give its name")
        if self.subject_kind != "view" and (self.version is not None or self.environment):
            raise Invalid(f"a {self.subject_kind} has no versions", hint="only views have")
        if self.version is not None and (self.environment or len(self.names) != 1):
            raise Invalid(
                "a version is of one view, and not what an environment shows", hint="leave one away"
            )

    def _check_base(self) -> None:
        if self.kind == "complete" and (self.since or self.base):
            raise Invalid(
                "a complete export is built on nothing", hint="export an increment, or leave it away"
            )
        if self.base and self.since:
            raise Invalid(
                "an increment has one base: an export or a receipt, or a moment", hint="leave one away"
            )
        if self.until and self.subject_kind in ("view", "environment"):
            raise Invalid(
                f"a {self.subject_kind} is exported as it is: its versions say which snapshots",
                hint="name a version, or leave the end of the window away",
            )


def parse_chunk_size(text: str) -> int:
    """Bytes of a medium: `dvd`, `700M` (powers of 1000, as media are sold), `4.3GiB` (of 1024), or a bare number
    of them; "" and "0" are no limit. Raises Invalid."""
    text = text.strip()
    if text in ("", "0"):
        return 0
    if text.lower() in MEDIA:
        return MEDIA[text.lower()]
    found = _SIZE.fullmatch(text)
    if not found or (found[3] and not found[2]):
        raise Invalid(f"{text!r} is not the size of a medium", hint=f"write 4.7G, 4.3GiB, {', '.join(MEDIA)}")
    base = 1024 if found[3] else 1000
    power = " KMGTP".index(found[2].upper() or " ")
    whole, _, fraction = found[1].partition(".")
    size: int = int(whole + fraction) * base**power // 10 ** len(fraction)
    if size < SMALLEST_CHUNK:
        raise _too_small(text)
    return size


def _too_small(text: str) -> Invalid:
    return Invalid(
        f"media of {text} are too small for any export", hint=f"take {SMALLEST_CHUNK} bytes or more"
    )


def parse_moment(text: str) -> str:
    """An ISO 8601 date or time in the form that snapshots have; UTC when it says nothing else. Raises Invalid."""
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(f"{text!r} is no moment", hint="write 2026-01-31 or 2026-01-31T12:00:00Z") from None
    return _text(moment)


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _past(text: str, now: datetime) -> str:
    moment = parse_moment(text)
    if moment > _text(now.astimezone(UTC)):
        raise Invalid(f"{text} is in the future", hint="what will be there then is not known yet")
    return moment


def seconds_of(moment: str) -> int:
    """A moment as snapshots write it, in whole seconds since the epoch. Raises Invalid."""
    return math.floor(datetime.fromisoformat(parse_moment(moment)).timestamp())
