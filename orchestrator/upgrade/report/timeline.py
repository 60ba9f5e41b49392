# SPDX-License-Identifier: GPL-3.0-or-later
"""What lasted how long: sessions and the gaps between them, phases, times without service, conditions of services.
Pure: a walk over placed events."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.report.cleaning import Editor
from orchestrator.upgrade.report.elapsed import Axis, Break
from orchestrator.upgrade.report.model import Condition, Gap, Session, Stretch
from orchestrator.upgrade.runstate import RunState, apply

_CONDITION_AFTER = {
    EventName.SERVICE_STOPPING: Condition.STOPPING,
    EventName.SERVICE_DOWN: Condition.DOWN,
    EventName.SERVICE_STARTING: Condition.STARTING,
    EventName.SERVICE_READY: Condition.UP,
    EventName.SERVICE_FAILED: Condition.FAILED,
}
_IN_TRANSITION = (Condition.STOPPING, Condition.STARTING)
# What comes between two phases is no part of either; a phase ends with the run, or where the run stops.
_ENDS_PHASE = (EventName.PHASE_ENTERED, EventName.RUN_STOPPED, EventName.RUN_ENDED, EventName.RUN_CONTINUED)


def sessions(axis: Axis, edit: Editor, *, running: bool) -> tuple[Session, ...]:
    """The processes that were at work, in order."""
    found: list[Session] = []
    for placed in axis.placed:
        event = placed.event
        if not found or placed.session != found[-1].number:
            found.append(_begin(event, placed.session, placed.at, edit))
        found[-1] = _follow(replace(found[-1], until=placed.at), event, edit)
    if found and not found[-1].ended:
        found[-1] = replace(found[-1], until=axis.end, ended="running" if running else "died")
    return tuple(replace(one, ended=one.ended or "died") for one in found)


def _begin(event: Event, number: int, at: float, edit: Editor) -> Session:
    verbs = {EventName.RUN_STARTED: "began", EventName.RUN_CONTINUED: "continued"}
    return Session(
        number=number,
        at=at,
        until=at,
        time=event.time,
        verb=verbs.get(event.name, "began" if number == 1 else "recovered"),
        user=edit.name(event.get("user", "")),
        invoker=edit.name(event.get("invoker", "")),
        orchestrator=edit.name(event.get("orchestrator", "")),
        host=edit.name(event.get("host", "")),
        steps=int(event.get("steps", 0)),
    )


def _follow(session: Session, event: Event, edit: Editor) -> Session:
    match event.name:
        case EventName.RUN_STOPPED:
            return replace(session, ended="stopped", reason=edit.text(event.get("reason", "")))
        case EventName.RUN_ENDED:
            return replace(session, ended="refused" if event.get("outcome") == "refused" else "done")
        case EventName.RECOVERED:
            return replace(session, ended="recovered")
    return session


def gaps(axis: Axis, sessions: tuple[Session, ...]) -> tuple[Gap, ...]:
    return tuple(
        Gap(number, gap.at, gap.until, _why(gap, earlier))
        for number, (gap, earlier) in enumerate(zip(axis.breaks, sessions, strict=False), 1)
    )


def _why(gap: Break, earlier: Session) -> str:
    if gap.died and gap.rebooted:
        return "the host was started anew: the record ends in the middle of the work"
    if gap.died:
        return "the runner died without a word: it was killed"
    again = ", and the host was started anew meanwhile" if gap.rebooted else ""
    return ("services were recovered" if earlier.ended == "recovered" else "the run had stopped") + again


def phases(axis: Axis, edit: Editor) -> tuple[Stretch, ...]:
    found: list[Stretch] = []
    current: Stretch | None = None
    last = 0.0
    for placed in axis.placed:
        event = placed.event
        if current and event.name in _ENDS_PHASE:
            # One whose runner died ends with the record, not where another one goes on.
            until = last if event.name is EventName.RUN_CONTINUED else placed.at
            found.append(replace(current, until=until))
            current = None
        if event.name is EventName.PHASE_ENTERED:
            current = Stretch(edit.name(event["phase"]), placed.at, placed.at)
        last = placed.at
    if current:
        found.append(replace(current, until=axis.end))
    return tuple(found)


def downtimes(axis: Axis) -> tuple[tuple[Stretch, ...], bool]:
    """When a service that the run stopped was not ready again, or maintenance mode was on; whether it still is.

    By the rule of the run state, which is asked.
    """
    state = RunState()
    found: list[Stretch] = []
    since: float | None = None
    for placed in axis.placed:
        apply(state, placed.event)
        if state.down_since is not None and since is None:
            since = placed.at
        elif state.down_since is None and since is not None:
            found.append(Stretch("down", since, placed.at))
            since = None
    if since is not None:
        found.append(Stretch("down", since, axis.end))
    return tuple(found), since is not None


def conditions(axis: Axis) -> dict[str, tuple[Stretch, ...]]:
    """The conditions of every service the journal speaks of, one after the other without a hole."""
    found: dict[str, list[Stretch]] = defaultdict(list)
    session = 1
    for placed in axis.placed:
        if placed.session != session:
            session = placed.session
            for stretches in found.values():  # what was on its way then is not known to have arrived
                if stretches[-1].name in _IN_TRANSITION:
                    _turn(stretches, Condition.UNKNOWN, placed.at)
        for name, condition in _seen(placed.event):
            known = found[name]
            if placed.event.name is EventName.RUN_STOPPED and known and known[-1].name == Condition.FAILED:
                continue  # its manager may call it up; the run stops because it is not ready
            _turn(known, condition, placed.at)
    return {
        name: tuple(s for s in _closed(stretches, axis.end) if s.until > s.at or s is stretches[-1])
        for name, stretches in found.items()
    }


def _seen(event: Event) -> Iterable[tuple[str, Condition]]:
    """What an event tells of conditions."""
    if event.name in _CONDITION_AFTER:
        yield str(event["service"]), _CONDITION_AFTER[event.name]
    elif event.name is EventName.SERVICES_FOUND:
        for name, fact in event["services"].items():
            yield name, Condition.UP if fact["up"] else Condition.DOWN
    elif event.name is EventName.RUN_STOPPED:
        for name, state in event.get("services", {}).items():
            yield name, Condition.UP if state == "up" else Condition.DOWN


def _turn(stretches: list[Stretch], condition: Condition, at: float) -> None:
    if stretches and stretches[-1].name == condition:
        return
    if stretches:
        stretches[-1] = replace(stretches[-1], until=at)
    stretches.append(Stretch(condition.value, at, at))


def _closed(stretches: list[Stretch], end: float) -> list[Stretch]:
    stretches[-1] = replace(stretches[-1], until=end)
    return stretches
