# SPDX-License-Identifier: GPL-3.0-or-later
"""The words that managers, probes and the runner share."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from orchestrator.host.facts import ProcessId


class Activity(StrEnum):
    """What a manager says of a service."""

    RUNNING = "running"
    STARTING = "starting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """A manager's answer: the activity, its own words for it, and the main process where it knows one. `refused`: it
    is stopped because something forbade its start, and waiting is of no use."""

    activity: Activity
    detail: str = ""
    pid: int | None = None
    refused: bool = False

    @property
    def up(self) -> bool:
        return self.activity in (Activity.RUNNING, Activity.STARTING, Activity.STOPPING)


class Readiness(StrEnum):
    """READY; STARTING: ask again; FAILED and GONE: waiting is of no use."""

    READY = "ready"
    STARTING = "starting"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A probe's answer and the reason for it, in words for an administrator."""

    readiness: Readiness
    reason: str = ""


READY = Verdict(Readiness.READY)


def starting(reason: str) -> Verdict:
    return Verdict(Readiness.STARTING, reason)


@dataclass(frozen=True, slots=True)
class Marks:
    """Where log files ended just before a start: path -> (inode, size). What `log` probes read from."""

    positions: dict[str, tuple[int, int]] = field(default_factory=dict)


class Probe(Protocol):
    """One question to a service. Asking takes at most the probe's own timeout and never raises."""

    def ask(self, marks: Marks) -> Verdict: ...


class Manager(Protocol):
    """The power over one service. One object a service; methods may be called from any thread.

    `start`, `stop`, `hold` and `release` raise `ServiceFailed` with the manager's own words when it
    refuses. They return when the manager took the order: whether the service is down or ready is
    verified by others (`orchestrator.services.down`, `orchestrator.services.readiness`).
    """

    def condition(self) -> Condition:
        """What the manager says now. UNKNOWN, with the reason, when it cannot be asked; never raises."""

    def enabled(self) -> bool:
        """Whether the manager would start it by itself (at boot)."""

    def start(self) -> None:
        """Order the start; harmless when it runs. Clears what an earlier failure left."""

    def stop(self) -> None:
        """Order the stop and wait for the manager to carry it out, at most `stop_timeout`; harmless when down."""

    def hold(self) -> None:
        """Keep it down, whoever wants to start it, until `release`. Harmless when held."""

    def release(self) -> None:
        """Undo `hold`; harmless when it is not held."""

    def held(self) -> bool:
        """Whether `hold` is in force."""

    def processes(self) -> set[ProcessId]:
        """All living processes of the service that the manager can tell."""

    def log_tail(self, lines: int) -> list[str]:
        """The last lines of its journal or log; empty when there is none."""


@dataclass(frozen=True, slots=True)
class Places:
    """Directories that managers may write to: `state` for pid records, `logs` for output of services."""

    state: Path
    logs: Path
