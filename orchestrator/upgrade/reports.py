# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step tells of itself while it runs, beside its output: events for the journal, and how far it is.

    steps/<kind>/<step>.attempt-<n>.events     appended by the step: JSON objects, one a line
    steps/<kind>/<step>.attempt-<n>.progress   replaced by the step as often as it likes: one line of text

Both are files, as the log is: the runner may die, the step goes on, and whoever adopts it reads what it has
missed. An event is known by the number of its line, so none stands in the journal twice.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from orchestrator.errors import StateUnwritable
from orchestrator.host import files

# The environment variables that name the two files to the step.
EVENTS, PROGRESS = "ORCHESTRATOR_EVENTS", "ORCHESTRATOR_PROGRESS"
# A longer line is no event; that many lines of one attempt are read into the journal.
LONGEST_LINE = 64 * 1024
MOST_JOURNALED = 1000
_PIECE = 256 * 1024
# Nobody reads more of how far it is.
_LONGEST_PROGRESS = 512


@dataclass(frozen=True, slots=True)
class Report:
    """One event of a step: the `number` of its line (from 1) and what it says, at least a `name`."""

    number: int
    content: dict[str, Any]

    @property
    def lost(self) -> bool:
        """Whether it tells of something that the step had to do without."""
        return self.content.get("lost") is True


def parse_report(line: bytes) -> dict[str, Any] | None:
    """None for what is no event."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    name = content.get("name") if isinstance(content, dict) else None
    return content if isinstance(name, str) and name else None


class ReportTail:
    """The events of one attempt as they are appended, each once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""
        self._cut = False  # what is in front of the next line end is too long to be an event
        self.lines = 0
        self.lost = 0

    def pump(self, *, to_end: bool = False) -> Iterator[Report]:
        """The events added since; `to_end`: the step has ended, nothing more will come."""
        while data := files.read_new_bytes(self._path, self._offset, _PIECE):
            self._offset += len(data)
            yield from self._take(data)
            if not to_end:
                return
        if to_end and self._rest:  # the step was ended in the middle of a line, or left out its end
            yield from self._take(b"\n")

    def _take(self, data: bytes) -> Iterator[Report]:
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.lines += 1
            content = None if self._cut or len(line) > LONGEST_LINE else parse_report(line)
            self._cut = False
            if content is not None:
                report = Report(self.lines, content)
                self.lost += report.lost
                yield report
        self._cut = self._cut or len(rest) > LONGEST_LINE
        self._rest = rest if not self._cut else rest[:1]


def read_progress(path: Path) -> str:
    """How far the step says that it is; empty when it says nothing."""
    text = files.read_new_bytes(path, 0, _LONGEST_PROGRESS).decode("utf-8", "replace")
    return text.strip().partition("\n")[0].rstrip()


class Telling:
    """The step's side, for steps of actions. Without files (nobody wants to know) nothing is written."""

    def __init__(self, environment: Mapping[str, str], action: str) -> None:
        self._action = action
        self._events, self._progress = environment.get(EVENTS), environment.get(PROGRESS)
        self._log: files.DurableLog | None = None
        self._guard = threading.Lock()

    def report(self, name: str, text: str, fields: Mapping[str, Any], *, lost: bool = False) -> None:
        """An event for the journal, on the disk when this returns. `text` is for people, `lost`: of something that
        the step has to do without. Raises StateUnwritable."""
        if not self._events:
            return
        own: dict[str, Any] = {"name": name, "action": self._action}
        own |= {"text": text} if text else {}
        own |= {"lost": True} if lost else {}
        content = {**own, **fields, **own}
        try:
            with self._guard:
                self._log = self._log or files.DurableLog(Path(self._events))
                self._log.append(json.dumps(content, default=str))
        except OSError as error:
            raise StateUnwritable(f"{self._events} cannot be written: {error.strerror}") from None

    def progress(self, text: str) -> None:
        """How far it is, for whoever looks on."""
        if self._progress:
            with contextlib.suppress(OSError):  # a full disk must not end the step for the sake of a display
                files.replace_file(Path(self._progress), text.encode() + b"\n", durable=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        if self._log is not None:
            self._log.close()


def environment_of(step_file: Callable[[str], Path]) -> dict[str, str]:
    """What names the files of an attempt to it; `step_file` gives the path for a suffix."""
    return {EVENTS: str(step_file("events")), PROGRESS: str(step_file("progress"))}
