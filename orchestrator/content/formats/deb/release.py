# SPDX-License-Identifier: GPL-3.0-or-later
"""Release files: what a suite says of itself, and size and digests of its indexes.

Format: https://wiki.debian.org/DebianRepository/Format. Nothing here verifies a signature; `clear_text`
takes the text out of an InRelease file that was verified, or that need not be.
"""

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.content.formats.deb.control import fields as read_fields
from orchestrator.content.formats.deb.layout import SPELLINGS
from orchestrator.content.model import DIGEST_ALGORITHMS, Digest
from orchestrator.errors import BadContent

_SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(
    r"(?:[A-Za-z]{3},?\s+)?(\d{1,2})\s+([A-Za-z]{3})\w*\s+(\d{4})\s+(\d{1,2}):(\d{2}):(\d{2})"
    r"\s*(?:UTC|GMT|Z|([+-])(\d{2})(\d{2}))?",
    re.ASCII,
)
_LINE = re.compile(r"^[ \t]+([0-9A-Fa-f]+)[ \t]+(\d{1,18})[ \t]+(\S[^\n]*?)[ \t]*$", re.MULTILINE | re.ASCII)
_LENGTHS = {"sha256": 64, "sha512": 128, "sha1": 40, "md5": 32}
STRONG = ("sha256", "sha512")


@dataclass(frozen=True, slots=True)
class Listed:
    """What Release says of one index: its size in bytes, and its digests by algorithm."""

    size: int
    digests: Mapping[str, str]

    def digest(self, *, weak: bool = False) -> Digest | None:
        """The digest that decides; None when there is only what nobody should rely on (MD5, SHA-1)."""
        for algorithm in DIGEST_ALGORITHMS if weak else STRONG:
            if algorithm in self.digests:
                return Digest(algorithm, self.digests[algorithm])
        return None


@dataclass(frozen=True, slots=True)
class Release:
    """`fields` without the lists of digests; `files` by path relative to the Release file; times in seconds
    since the epoch."""

    fields: Mapping[str, str]
    files: Mapping[str, Listed]
    date: float | None
    valid_until: float | None

    @property
    def by_hash(self) -> bool:
        return self.fields.get("Acquire-By-Hash", "").lower() == "yes"

    @property
    def serves_all(self) -> bool:
        """Whether clients read the indexes of the architecture `all` beside those of their own: by apt's rules,
        which do not ask whether they are listed."""
        if "Packages" in self.fields.get("No-Support-for-Architecture-all", "").split():
            return False
        return "all" in self.fields.get("Architectures", "all").split()


def parse_release(text: bytes, name: str) -> Release:
    """Raises BadContent, naming `name`: no Release file, a date or a digest that cannot be read."""
    found = read_fields(text.replace(b"\r\n", b"\n"))
    spelled = {spelling.lower(): algorithm for algorithm, spelling in SPELLINGS.items()}
    digests: dict[str, dict[str, str]] = {}
    sizes: dict[str, int] = {}
    for field in [field for field in found if field.lower() in spelled]:
        algorithm = spelled[field.lower()]
        for value, size, path in _LINE.findall("\n" + found.pop(field)):
            _note(path, int(size), Digest(algorithm, value.lower()), (sizes, digests), name)
    if not sizes and not {"Date", "Suite", "Codename", "Components", "Architectures"} & found.keys():
        raise BadContent(f"{name} is not a Release file")
    return Release(
        fields=found,
        files={path: Listed(sizes[path], digests[path]) for path in sizes},
        date=_time(found, "Date", name),
        valid_until=_time(found, "Valid-Until", name),
    )


def _note(
    path: str,
    size: int,
    digest: Digest,
    into: tuple[dict[str, int], dict[str, dict[str, str]]],
    name: str,
) -> None:
    sizes, digests = into
    if len(digest.value) != _LENGTHS[digest.algorithm]:
        raise BadContent(f"{name}: the {digest.algorithm} of {path!r} is not one")
    known = digests.setdefault(path, {})
    if (
        sizes.setdefault(path, size) != size
        or known.setdefault(digest.algorithm, digest.value) != digest.value
    ):
        raise BadContent(f"{name} lists {path!r} twice, and not the same")


def _time(found: Mapping[str, str], field: str, name: str) -> float | None:
    text = found.get(field)
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError:
        raise BadContent(f"{name}: {field} {text!r} is not a date") from None


def parse_time(text: str) -> float:
    """Seconds since the epoch of an RFC 1123 date, in whatever locale. Raises ValueError."""
    match = _DATE.fullmatch(text.strip())
    if not match or match[2].lower() not in _MONTHS:
        raise ValueError(f"{text!r} is not a date")
    day, year, hour, minute, second = (int(match[part]) for part in (1, 3, 4, 5, 6))
    seconds = calendar.timegm((year, _MONTHS.index(match[2].lower()) + 1, day, hour, minute, second, 0, 0, 0))
    offset = (int(match[8]) * 60 + int(match[9])) * 60 if match[7] else 0
    return float(seconds + offset if match[7] == "-" else seconds - offset)


def show_time(seconds: float) -> str:
    """As Release files have it: RFC 1123, UTC."""
    import time

    at = time.gmtime(seconds)
    month, day = _MONTHS[at.tm_mon - 1].title(), ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[at.tm_wday]
    return f"{day}, {at.tm_mday:02} {month} {at.tm_year} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} UTC"


def clear_text(data: bytes) -> bytes:
    """The text of an InRelease file without looking at its signature; `data` itself when it has none."""
    if not data.startswith(_SIGNED):
        return data
    _, _, rest = data.replace(b"\r\n", b"\n").partition(b"\n\n")
    text, _, _ = rest.partition(b"\n" + _SIGNATURE)
    return b"\n".join(line.removeprefix(b"- ") for line in text.split(b"\n")) + b"\n"


def differences(one: Release, other: Release) -> str:
    """What two Release files that should say the same disagree about; empty when they agree."""
    if one.date != other.date:
        return f"Date: {one.fields.get('Date', 'none')} and {other.fields.get('Date', 'none')}"
    for path in one.files.keys() | other.files.keys():
        here, there = one.files.get(path), other.files.get(path)
        if not here or not there:
            return f"only one of them lists {path}"
        if here.size != there.size or any(
            there.digests.get(algorithm, value) != value for algorithm, value in here.digests.items()
        ):
            return f"the digests of {path}"
    return ""
