# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has done, is doing and owes: a fold over its journal. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from orchestrator.upgrade.journal import Event, EventName

# The backup and the maintenance commands are journaled like steps, under these names.
BACKUP = "backup"
MAINTENANCE_ENTER = "maintenance/enter"
MAINTENANCE_LEAVE = "maintenance/leave"
_OUT_OF_SERVICE = ("stopped", "maintenance")


class StepStatus(StrEnum):
    """How an attempt at a step ended."""

    DONE = "done"
    NOT_APPLICABLE = "not-applicable"
    FAILED = "failed"
    LATER = "later"  # exit status 75: try again later
    TIMED_OUT = "timed-out"
    STOPPED = "stopped"  # TERM or KILL on the operator's request
    UNKNOWN = "unknown"  # nobody saw its end (power cut)

    @property
    def good(self) -> bool:
        return self in (StepStatus.DONE, StepStatus.NOT_APPLICABLE)


class Outcome(StrEnum):
    """How a run ended. Only an unended run is continued."""

    DONE = "done"
    DONE_WITH_FAILURES = "done-with-failures"  # steps with `on-failure: continue` failed
    DONE_WITH_LOSSES = "done-with-losses"  # steps are done, but had to do without something
    REFUSED = "refused"  # a check or the backup refused before anything was stopped


@dataclass(frozen=True, slots=True)
class Found:
    """A service as it was before the run touched anything."""

    up: bool
    enabled: bool
    detail: str = ""

    @property
    def stays_down(self) -> bool:
        return not self.up and not self.enabled


@dataclass(frozen=True, slots=True)
class Debt:
    """Something to undo: a `stopped` or `held` service, `maintenance` mode."""

    kind: str
    service: str = ""

    @property
    def id(self) -> str:
        return f"{self.kind}:{self.service}" if self.service else self.kind


@dataclass(frozen=True, slots=True)
class Attempt:
    """One start of a step; `status` is None while it runs or when nobody recorded its end. `reported`: lines of
    its events that were read into the journal; `losses`: what it had to do without."""

    step: str
    number: int
    time: str
    sha256: str = ""
    inputs: str = ""
    status: StepStatus | None = None
    seconds: float = 0.0
    message: str = ""
    reported: int = 0
    losses: int = 0


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment: by the wall clock, by the monotonic clock, and the boot in which the latter counts."""

    time: str
    mono: float
    boot: str

    def seconds_until(self, later: "Instant") -> float:
        """Never negative; by the monotonic clock unless a reboot lies between."""
        if self.boot == later.boot:
            return max(0.0, later.mono - self.mono)
        between = datetime.fromisoformat(later.time) - datetime.fromisoformat(self.time)
        return max(0.0, between.total_seconds())


@dataclass(slots=True)
class RunState:
    """The fold. `attempts` holds every attempt at a step in order; the last one counts."""

    run: str = ""
    started: str = ""
    from_version: str | None = None
    to_version: str | None = None
    user: str = ""
    # Who began or last continued it: terminal, unattended, deb, rpm.
    invoker: str = ""
    # The process that began or last continued it, and the phase that this one has entered.
    pid: int | None = None
    entered: str | None = None
    found: dict[str, Found] = field(default_factory=dict)
    phase: str | None = None
    attempts: dict[str, list[Attempt]] = field(default_factory=dict)
    # Attempts up to this number do not count any more: the run was begun anew.
    superseded: dict[str, int] = field(default_factory=dict)
    recorded: set[str] = field(default_factory=set)
    skipped: dict[str, str] = field(default_factory=dict)
    debts: dict[str, Debt] = field(default_factory=dict)
    answers: dict[str, bool] = field(default_factory=dict)
    stop_reason: str = ""
    outcome: Outcome | None = None
    exit_code: int | None = None
    ended: str = ""
    # Services that this process has started, or is starting, and has not stopped since.
    raised: set[str] = field(default_factory=set)
    service_seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    boot: str = ""
    down_since: Instant | None = None
    # Seconds in which a service that the run stopped was not ready again, or maintenance mode was on.
    downtime: float = 0.0
    continued: int = 0
    # How many processes at it have died without a word since a step was last finished.
    deaths: int = 0

    @property
    def touched(self) -> bool:
        """Whether it has come so far that services or data may not be as they were."""
        return self.phase is not None or bool(self.debts)

    @property
    def unfinished(self) -> bool:
        return bool(self.run) and self.outcome is None

    def last_attempt(self, step: str) -> Attempt | None:
        return self.attempts[step][-1] if self.attempts.get(step) else None

    def counting_attempt(self, step: str) -> Attempt | None:
        """The last attempt, unless the run was begun anew after it."""
        last = self.last_attempt(step)
        return last if last and last.number > self.superseded.get(step, 0) else None

    def supersede(self) -> None:
        """Begin anew: no attempt so far counts."""
        self.superseded = {step: attempts[-1].number for step, attempts in self.attempts.items()}

    @property
    def in_flight(self) -> Attempt | None:
        """The attempt that was started and whose end is not in the journal."""
        for attempts in self.attempts.values():
            if attempts[-1].status is None:
                return attempts[-1]
        return None

    def finished(self, step: str) -> bool:
        last = self.counting_attempt(step)
        return last is not None and last.status is not None and last.status.good

    @property
    def failures(self) -> list[Attempt]:
        return [attempt for attempt in self._counting if attempt.status and not attempt.status.good]

    @property
    def losses(self) -> list[Attempt]:
        """Steps that are done, but had to do without something."""
        return [attempt for attempt in self._counting if attempt.losses]

    @property
    def _counting(self) -> list[Attempt]:
        return [attempt for step in self.attempts if (attempt := self.counting_attempt(step))]


def fold(events: Iterable[Event]) -> RunState:
    state = RunState()
    for event in events:
        apply(state, event)
    return state


def apply(state: RunState, event: Event) -> None:
    """Advance `state` by one event."""
    _HANDLERS.get(event.name, _ignore)(state, event)


def _ignore(_state: RunState, _event: Event) -> None:
    """Events that change nothing a later run needs."""


def _run_started(state: RunState, event: Event) -> None:
    state.boot = event.get("boot", "")
    state.run, state.started, state.user = event["run"], event.time, event.get("user", "")
    state.invoker, state.pid = event.get("invoker", ""), event.get("pid")
    state.from_version, state.to_version = event.get("from_version"), event.get("to_version")


def _continued(state: RunState, event: Event) -> None:
    state.continued += 1
    state.deaths = 0 if state.stop_reason else state.deaths + 1
    state.invoker, state.pid = event.get("invoker", ""), event.get("pid")
    state.entered = None
    state.raised.clear()
    state.boot = event.get("boot", "")
    state.stop_reason = ""
    state.to_version = event.get("to_version", state.to_version)


def _restarted(state: RunState, _event: Event) -> None:
    state.supersede()
    state.deaths = 0


def _found(state: RunState, event: Event) -> None:
    for name, fact in event["services"].items():
        state.found.setdefault(name, Found(fact["up"], fact["enabled"], fact.get("detail", "")))


def _answered(state: RunState, event: Event) -> None:
    state.answers[event["question"]] = event["answer"]


def _debt(state: RunState, event: Event) -> None:
    debt = Debt(event["kind"], event.get("service", ""))
    if debt.kind == "maintenance" and (left := state.last_attempt(MAINTENANCE_LEAVE)):
        state.superseded[MAINTENANCE_LEAVE] = left.number  # it was left before it is entered again
    if debt.kind in _OUT_OF_SERVICE and state.down_since is None:
        state.down_since = Instant(event.time, event.mono, state.boot)
    state.debts[debt.id] = debt


def _debt_paid(state: RunState, event: Event) -> None:
    state.debts.pop(Debt(event["kind"], event.get("service", "")).id, None)
    if state.down_since and not any(debt.kind in _OUT_OF_SERVICE for debt in state.debts.values()):
        state.downtime += state.down_since.seconds_until(Instant(event.time, event.mono, state.boot))
        state.down_since = None


def _phase(state: RunState, event: Event) -> None:
    state.phase = state.entered = event["phase"]


def _step_started(state: RunState, event: Event) -> None:
    attempt = Attempt(
        event["step"], event["attempt"], event.time, event.get("sha256", ""), event.get("inputs", "")
    )
    state.attempts.setdefault(event["step"], []).append(attempt)
    state.recorded.discard(event["step"])


def _step_reported(state: RunState, event: Event) -> None:
    attempts = state.attempts.get(event["step"])
    if attempts:
        attempts[-1] = replace(attempts[-1], reported=max(attempts[-1].reported, event["number"]))


def _step_ended(state: RunState, event: Event) -> None:
    attempts = state.attempts.get(event["step"])
    if not attempts:
        return
    attempts[-1] = replace(
        attempts[-1],
        status=StepStatus(event["status"]),
        seconds=event.get("seconds", 0.0),
        message=event.get("message", ""),
        losses=event.get("losses", 0),
    )
    if StepStatus(event["status"]).good:
        state.deaths = 0


def _step_skipped(state: RunState, event: Event) -> None:
    state.skipped[event["step"]] = event.get("reason", "")


def _recorded(state: RunState, event: Event) -> None:
    state.recorded.add(event["step"])


def _service_timed(state: RunState, event: Event) -> None:
    kind = "stop" if event.name is EventName.SERVICE_DOWN else "start"
    state.service_seconds.setdefault(event["service"], {})[kind] = event.get("seconds", 0.0)


def _service_starting(state: RunState, event: Event) -> None:
    state.raised.add(event["service"])


def _service_gone(state: RunState, event: Event) -> None:
    state.raised.discard(event["service"])


def _recovered(state: RunState, _event: Event) -> None:
    # Applications worked on the data meanwhile: the backup is to be made again.
    if backup := state.last_attempt(BACKUP):
        state.superseded[BACKUP] = backup.number


def _stopped(state: RunState, event: Event) -> None:
    state.stop_reason = event.get("reason", "")
    state.exit_code = event.get("exit_code")


def _ended(state: RunState, event: Event) -> None:
    state.outcome = Outcome(event["outcome"])
    state.exit_code = event.get("exit_code", 0)
    state.ended = event.time


_HANDLERS = {
    EventName.RUN_STARTED: _run_started,
    EventName.RUN_CONTINUED: _continued,
    EventName.RUN_RESTARTED: _restarted,
    EventName.SERVICES_FOUND: _found,
    EventName.ANSWERED: _answered,
    EventName.DEBT: _debt,
    EventName.DEBT_PAID: _debt_paid,
    EventName.PHASE_ENTERED: _phase,
    EventName.STEP_STARTED: _step_started,
    EventName.STEP_REPORTED: _step_reported,
    EventName.STEP_ENDED: _step_ended,
    EventName.STEP_SKIPPED: _step_skipped,
    EventName.HISTORY_RECORDED: _recorded,
    EventName.SERVICE_STOPPING: _service_gone,
    EventName.SERVICE_DOWN: _service_timed,
    EventName.SERVICE_STARTING: _service_starting,
    EventName.SERVICE_FAILED: _service_gone,
    EventName.SERVICE_READY: _service_timed,
    EventName.RECOVERED: _recovered,
    EventName.RUN_STOPPED: _stopped,
    EventName.RUN_ENDED: _ended,
}


def found_to_json(found: Mapping[str, Found]) -> dict[str, Any]:
    return {name: {"up": f.up, "enabled": f.enabled, "detail": f.detail} for name, f in found.items()}
