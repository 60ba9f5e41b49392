# SPDX-License-Identifier: GPL-3.0-or-later
"""`upgrade-history`: which one-shot steps are done. One a line, editable by hand, never a watermark.

    NAME <tab> time <tab> sha256 <tab> key=value...

A line that holds only a name is valid (the file of katello-upgrade was a list of names), deleting a line
makes the step due again, the order of lines means nothing. `#` begins a comment. Values of keys are
percent-encoded, so a reason may hold anything.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote, unquote

from orchestrator.errors import Invalid, NotPermitted, StateUnwritable
from orchestrator.host import files

FILE_NAME = "upgrade-history"
# Room for this many bytes is taken at the start of a run, lest a full disk costs the record of a step.
RESERVE = 64 * 1024


class Mark(StrEnum):
    """Why a step is not due: it ran, or somebody said so."""

    DONE = "done"
    MARKED = "marked"
    SKIPPED = "skipped"
    BASELINE = "baseline"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `details`: run, version, seconds, reason, by, inputs ... as they were written."""

    name: str
    time: str = ""
    sha256: str = ""
    mark: Mark = Mark.DONE
    details: Mapping[str, str] = field(default_factory=dict)

    def to_line(self) -> str:
        pairs = {"status": self.mark.value, **self.details}
        return "\t".join(
            [self.name, self.time, self.sha256, *(f"{k}={quote(v, safe=_PLAIN)}" for k, v in pairs.items())]
        )


_PLAIN = " !\"#$&'()*+,/:;<=>?@[]^_`{|}~"


def parse_line(line: str) -> Entry | None:
    """The entry in a line; None for an empty one or a comment."""
    if not line.strip() or line.lstrip().startswith("#"):
        return None
    name, *rest = line.lstrip().rstrip("\r\n").split("\t")
    words = [*rest, "", ""]
    details = {key: unquote(value) for key, equals, value in (w.partition("=") for w in rest[2:]) if equals}
    status = details.pop("status", Mark.DONE.value)
    mark = Mark(status) if status in set(Mark) else Mark.DONE
    return Entry(name.strip(), words[0], words[1], mark, details)


@dataclass(frozen=True, slots=True)
class History:
    """The entries by step name; for a name that stands twice the last line counts."""

    entries: Mapping[str, Entry] = field(default_factory=dict)

    def get(self, name: str) -> Entry | None:
        return self.entries.get(name)

    def versions(self) -> list[str]:
        """The product versions that steps of this data were run for."""
        return [entry.details["version"] for entry in self.entries.values() if entry.details.get("version")]


def parse_history(text: str) -> History:
    found = (parse_line(line) for line in text.split("\n"))
    return History({entry.name: entry for entry in found if entry is not None})


def read_history(state_dir: Path) -> History:
    """The history in `state_dir`; empty when there is none yet. Raises Invalid when it cannot be read."""
    path = state_dir / FILE_NAME
    try:
        return parse_history(path.read_bytes().decode())
    except FileNotFoundError:
        return History()
    except PermissionError:
        raise NotPermitted(f"{path} may not be read by this user", hint="run it as root") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"the history {path} cannot be read: {error}") from None


class HistoryFile:
    """The history on disk, for the holder of the run lock. Every change is durable when a method returns.

    Raises StateUnwritable when the disk refuses; the file is then what it was.
    """

    def __init__(self, state_dir: Path, *, reserve: int = 0) -> None:
        self._path = state_dir / FILE_NAME
        self._reserve = reserve
        self._entries = dict(read_history(state_dir).entries)
        try:
            self._log = files.DurableLog(self._path, reserve=reserve)
        except OSError as error:
            raise StateUnwritable(
                f"the history {self._path} cannot be written: {error.strerror}",
                hint="make it writable, then run the same command again; nothing was started",
            ) from None

    @property
    def history(self) -> History:
        """What it holds now."""
        return History(self._entries)

    def record(self, entry: Entry) -> None:
        """Add `entry`, or put it in the place of the line with its name."""
        try:
            if entry.name in self._entries:
                self._rewrite({entry.name: entry.to_line()})
            else:
                if not self._log.in_place:
                    self._reopen()
                self._log.append(entry.to_line())
        except OSError as error:
            raise StateUnwritable(
                f"{entry.name} is done but cannot be recorded in {self._path}: {error.strerror}",
                hint="it stays on record in the journal; make room or the file writable, then run: orchestrator upgrade",
            ) from None
        self._entries[entry.name] = entry

    def remove(self, names: Iterable[str]) -> None:
        """Take the lines of `names` out: the steps are due again."""
        gone = set(names)
        try:
            self._rewrite(dict.fromkeys(gone))
        except OSError as error:
            raise StateUnwritable(f"{self._path} cannot be rewritten: {error.strerror}") from None
        self._entries = {name: entry for name, entry in self._entries.items() if name not in gone}

    def _rewrite(self, changes: Mapping[str, str | None]) -> None:
        """Replace the lines of the named steps (None: drop them); comments and order stay."""
        lines: list[str] = []
        pending = dict(changes)
        # What somebody has written there stays as it is, whatever it is.
        text = self._path.read_bytes().decode(errors="surrogateescape")
        for line in text.removesuffix("\n").split("\n") if text else ():
            entry = parse_line(line)
            if entry is None or entry.name not in changes:
                lines.append(line)
            elif (new := pending.pop(entry.name, None)) is not None:
                lines.append(new)
        lines += [line for line in pending.values() if line is not None]
        mode = self._path.stat().st_mode & 0o777
        files.replace_file(
            self._path, "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"), mode=mode
        )
        self._reopen()

    def _reopen(self) -> None:
        """What our name leads to is another file now."""
        log = files.DurableLog(self._path, reserve=self._reserve)
        self._log.close()
        self._log = log

    def close(self) -> None:
        self._log.close()
