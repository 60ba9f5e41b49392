# SPDX-License-Identifier: GPL-3.0-or-later
"""How it stands with upgrades, from files alone and at once: no service is asked, nothing waits for anything.

For `status` and `attach` in another shell than the run's. The lock says whether somebody works, the journal of the
newest run what has been done, `status.json` how it is with what is being done.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from orchestrator.host import clock
from orchestrator.upgrade import lock, statusfile
from orchestrator.upgrade.journal import Event, EventName, read_journal
from orchestrator.upgrade.reporter import Progress
from orchestrator.upgrade.requests import Request, read_request
from orchestrator.upgrade.runs import RunDirectory, latest_run
from orchestrator.upgrade.runstate import RunState, fold

BEGINS = (EventName.RUN_STARTED, EventName.RUN_CONTINUED)
ENDS = (EventName.RUN_ENDED, EventName.RUN_STOPPED)
_SERVICE_STATES = {
    EventName.SERVICE_STOPPING: "stopping",
    EventName.SERVICE_DOWN: "down",
    EventName.SERVICE_STARTING: "starting",
    EventName.SERVICE_READY: "up",
    EventName.SERVICE_FAILED: "failed",
}


class Condition(StrEnum):
    """`never`: no run was ever begun. `running`: somebody holds the lock, mostly a run. `unfinished`: the last run
    stopped, or died. `idle`: the last run ended."""

    NEVER = "never"
    RUNNING = "running"
    UNFINISHED = "unfinished"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class Standing:
    """`run` with its `state` is the newest run, where that matters: not while somebody works who has not begun one.
    `events` are those of the process that began or continued it last. `running`: the start of the step that runs, or
    whose end nobody has recorded. `now`: the monotonic clock when it was looked at, in seconds."""

    condition: Condition
    run: RunDirectory | None = None
    state: RunState = field(default_factory=RunState)
    events: Sequence[Event] = ()
    services: "dict[str, str]" = field(default_factory=dict)
    holder: "dict[str, Any]" = field(default_factory=dict)
    running: Event | None = None
    progress: Progress | None = None
    request: Request | None = None
    now: float = 0.0

    @property
    def begun(self) -> Event | None:
        """When, and by whom, it was begun or continued last."""
        return self.events[0] if self.events else None

    @property
    def asked_to_stop(self) -> bool:
        return any(event.name is EventName.INTERRUPT for event in self.events)

    @property
    def service_progress(self) -> Progress | None:
        """What is heard of a service that is still on its way."""
        told = self.progress
        on_its_way = told is not None and self.services.get(told.service) in ("stopping", "starting")
        return told if on_its_way else None

    @property
    def watchable(self) -> bool:
        """Whether a run is under way whose end is still to come."""
        return self.condition is Condition.RUNNING and bool(self.events) and self.end is None

    @property
    def end(self) -> Event | None:
        """How the process has ended its work on the run; it may still have to tell others of it."""
        return next((event for event in self.events if event.name in ENDS), None)


def read_standing(state_dir: Path) -> Standing:
    """Raises Invalid or OSError where the state directory cannot be read."""
    held = lock.is_held(state_dir)  # before the journal: who lets go of it has written that first
    holder = lock.read_holder(state_dir) if held else {}
    request = read_request(state_dir)
    now = clock.monotonic()
    run = latest_run(state_dir)
    if run is None:
        return Standing(
            Condition.RUNNING if held else Condition.NEVER, holder=holder, request=request, now=now
        )
    events = list(read_journal(run.journal))
    latest = last_part(events)
    if held and not _works_on(holder, latest):
        return Standing(Condition.RUNNING, holder=holder, request=request, now=now)
    state = fold(events)
    condition = Condition.UNFINISHED if state.unfinished else Condition.IDLE
    content = statusfile.read_status(state_dir) if held else None
    return Standing(
        Condition.RUNNING if held else condition,
        run,
        state,
        latest,
        service_states(events),
        holder,
        running_step(events),
        statusfile.progress_of(content, holder.get("pid", 0), now),
        request,
        now,
    )


def _works_on(holder: dict[str, Any], latest: Sequence[Event]) -> bool:
    """Whether the holder of the lock is who wrote these; one that has not said yet who it is, is taken for that."""
    if holder.get("run"):
        return True
    return bool(latest) and holder.get("pid", latest[0].get("pid")) == latest[0].get("pid")


def last_part(events: Sequence[Event]) -> Sequence[Event]:
    """What the process has written that began or continued the run last."""
    first = max((index for index, event in enumerate(events) if event.name in BEGINS), default=len(events))
    return events[first:]


def running_step(events: Iterable[Event]) -> Event | None:
    """The start of the step whose end is not among the events."""
    running = None
    for event in events:
        if event.name is EventName.STEP_STARTED:
            running = event
        elif event.name is EventName.STEP_ENDED:
            running = None
    return running


def service_states(events: Iterable[Event]) -> dict[str, str]:
    """What the journal says of each service: `up` or `down`, or on its way: `stopping`, `starting`, `failed`."""
    states: dict[str, str] = {}
    for event in events:
        if event.name is EventName.SERVICES_FOUND:
            for name, fact in event["services"].items():
                states.setdefault(name, "up" if fact["up"] else "down")
        elif event.name in _SERVICE_STATES:
            states[event["service"]] = _SERVICE_STATES[event.name]
    return states
