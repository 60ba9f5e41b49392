# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a run: append-only JSON lines, intent before act, each on the disk before what follows.

What a run has done, is doing and owes is a fold over these lines (`orchestrator.upgrade.runstate`), and
nothing else: a killed run loses no more than its last unwritten line. Terminal, `--output json` and the
report read the same events.
"""

import errno
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from orchestrator.errors import StateUnwritable
from orchestrator.host import clock, files

FILE_NAME = "journal.jsonl"
RESERVE = 256 * 1024


class EventName(StrEnum):
    """What can stand in a journal. docs/formats.md lists the fields of each."""

    RUN_STARTED = "run-started"
    RUN_CONTINUED = "run-continued"
    RUN_RESTARTED = "run-restarted"
    SERVICES_FOUND = "services-found"
    ANSWERED = "answered"
    DEBT = "debt"
    DEBT_PAID = "debt-paid"
    PHASE_ENTERED = "phase-entered"
    SERVICE_STOPPING = "service-stopping"
    SERVICE_DOWN = "service-down"
    SERVICE_STARTING = "service-starting"
    SERVICE_READY = "service-ready"
    SERVICE_FAILED = "service-failed"
    SERVICE_DRIFTED = "service-drifted"
    STEP_STARTED = "step-started"
    STEP_REPORTED = "step-reported"
    STEP_ENDED = "step-ended"
    STEP_SKIPPED = "step-skipped"
    HISTORY_RECORDED = "history-recorded"
    INTERRUPT = "interrupt"
    NOTE = "note"
    RECOVERED = "recovered"
    RUN_STOPPED = "run-stopped"
    RUN_ENDED = "run-ended"


@dataclass(frozen=True, slots=True)
class Event:
    """One line. `time` is UTC in RFC 3339, `mono` the monotonic clock in seconds (meaningful within one boot);
    `fields` depend on the name."""

    seq: int
    time: str
    mono: float
    name: EventName
    fields: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(
            {"seq": self.seq, "time": self.time, "mono": self.mono, "event": self.name.value, **self.fields}
        )

    def __getitem__(self, key: str) -> Any:
        return self.fields[key]

    def get(self, key: str, default: Any = None) -> Any:
        return self.fields.get(key, default)


def read_journal(path: Path) -> Iterator[Event]:
    """The events in `path`; torn or foreign lines (a crash, a newer version's events) are passed over."""
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return
    for line in text.split("\n"):
        if event := parse_line(line):
            yield event


def parse_line(line: str) -> Event | None:
    """None for what is no event of a journal."""
    try:
        content = json.loads(line)
        name = EventName(content.pop("event"))
        return Event(content.pop("seq"), content.pop("time"), content.pop("mono"), name, content)
    except (ValueError, KeyError, AttributeError, TypeError):
        return None


class Journal:
    """The journal on disk, for the holder of the run lock. Threads may write at the same time."""

    def __init__(self, path: Path, *, listener: Callable[[Event], None]) -> None:
        """Raises StateUnwritable when there is no room to keep a journal."""
        self.path = path
        self._listener = listener
        self._guard = threading.RLock()
        self._seq = max((event.seq for event in read_journal(path)), default=0)
        try:
            self._log = files.DurableLog(path, reserve=RESERVE, mode=0o600)
        except OSError as error:
            raise StateUnwritable(
                f"the journal {path} cannot be written: {error.strerror}",
                hint="make room there, then run the same command again; nothing was touched",
            ) from None

    def write(self, name: EventName, **fields: Any) -> Event:
        """Record an event; it is on the disk when this returns. Raises StateUnwritable."""
        with self._guard:
            event = Event(self._seq + 1, clock.timestamp(), round(clock.monotonic(), 3), name, fields)
            try:
                if not self._log.in_place:
                    raise FileNotFoundError(errno.ENOENT, "it is gone")
                self._log.append(event.to_json())
            except OSError as error:
                raise StateUnwritable(
                    f"the journal {self.path} cannot be written: {error.strerror}; stopped before: {name}",
                    hint="make room there, then continue with: orchestrator upgrade",
                ) from None
            self._seq = event.seq
            self._listener(event)
            return event

    def close(self) -> None:
        self._log.close()
