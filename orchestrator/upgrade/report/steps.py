# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of every step: its attempts, how long against the usual, what it lost. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.report.cleaning import Editor
from orchestrator.upgrade.report.elapsed import Axis
from orchestrator.upgrade.report.model import (
    GOOD,
    INTERRUPTED,
    NOT_RUN,
    RUNNING,
    AttemptFacts,
    NotDue,
    Output,
    StepFacts,
    Usual,
)
from orchestrator.upgrade.report.saved import SavedPlan, SavedStep
from orchestrator.upgrade.runstate import StepStatus

MOST_LOST = 20
# Outputs in a report, the latest first; the others' paths are told.
MOST_OUTPUTS = 20

# The log of an attempt as it is to be shown; None when there is none.
ReadOutput = Callable[[str, int], Output | None]


@dataclass(slots=True)
class _Seen:
    """A step as the journal tells of it."""

    id: str
    phase: str
    expected: float | None
    attempts: list[AttemptFacts] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def steps_begun(axis: Axis, in_flight: StepStatus | None, edit: Editor, *, live: bool) -> list[_Seen]:
    """Every step the journal knows, in the order of their first attempts."""
    found: dict[str, _Seen] = {}
    for placed in axis.placed:
        event = placed.event
        if event.name is EventName.STEP_STARTED:
            step = found.setdefault(
                event["step"], _Seen(event["step"], event.get("phase", ""), _expected(event))
            )
            _close_last(step.attempts, axis)
            step.attempts.append(_begin(event, placed.at, edit))
        elif event.name is EventName.RUN_RESTARTED:
            for known in found.values():
                known.attempts = [replace(attempt, counts=False) for attempt in known.attempts]
        elif event.name is EventName.STEP_ENDED and (one := found.get(event["step"])):
            one.attempts[-1] = _end(one.attempts[-1], event, placed.at, edit)
        elif event.name is EventName.STEP_REPORTED and (one := found.get(event["step"])):
            _report(one, event, edit)
    for step in found.values():
        if step.attempts[-1].status == RUNNING:
            step.attempts[-1] = _unended(step.attempts[-1], in_flight, axis.end, live=live)
    return list(found.values())


def _close_last(attempts: list[AttemptFacts], axis: Axis) -> None:
    """An attempt that nobody has recorded the end of, when the next one begins: it is seen up to where its runner was."""
    if attempts and attempts[-1].status == RUNNING:
        until = next((gap.at for gap in axis.breaks if gap.at >= attempts[-1].at), attempts[-1].at)
        seconds = until - attempts[-1].at
        attempts[-1] = replace(attempts[-1], until=until, seconds=seconds, status=INTERRUPTED)


def _expected(event: Event) -> float | None:
    value = event.get("expected")
    return float(value) if isinstance(value, int | float) else None


def _begin(event: Event, at: float, edit: Editor) -> AttemptFacts:
    return AttemptFacts(
        number=int(event["attempt"]),
        at=at,
        until=at,
        time=event.time,
        status=RUNNING,
        log=edit.name(event.get("log", "")),
    )


def _end(attempt: AttemptFacts, event: Event, at: float, edit: Editor) -> AttemptFacts:
    return replace(
        attempt,
        until=at,
        status=str(event["status"]),
        seconds=float(event.get("seconds", 0.0)),
        message=edit.text(event.get("message", "")),
        losses=int(event.get("losses", 0)),
        left=tuple(edit.text(process) for process in event.get("left") or ()),
    )


def _report(step: _Seen, event: Event, edit: Editor) -> None:
    report = event.get("report")
    if isinstance(report, dict) and report.get("lost") is True and len(step.lost) < MOST_LOST:
        step.lost.append(edit.text(report.get("text") or report.get("what") or report.get("name", "")))


def _unended(attempt: AttemptFacts, found: StepStatus | None, end: float, *, live: bool) -> AttemptFacts:
    """An attempt whose end the journal does not know; `found` is what its own record says."""
    seconds = max(0.0, end - attempt.at)
    if live or found is None:
        told = "" if live else "its runner died; it still runs"
        return replace(attempt, until=end, seconds=seconds, message=told)
    if found is StepStatus.UNKNOWN:
        return replace(
            attempt, until=end, seconds=seconds, status=INTERRUPTED, message="nobody saw how it ended"
        )
    return replace(attempt, until=end, status=found.value, message="ended after its runner had died")


def step_facts(
    begun: list[_Seen],
    plan: SavedPlan,
    usual: Mapping[str, Usual],
    read_output: ReadOutput,
    edit: Editor,
) -> tuple[StepFacts, ...]:
    """All steps that were begun, then those that were due and were not."""
    wanted = _worth_showing(begun)
    facts = [_facts(step, plan, usual, edit, read_output, wanted) for step in begun]
    known = {step.id for step in begun}
    checks = [SavedStep(name, phase="checks", due=True) for name in plan.checks]
    rest = [planned for planned in (*checks, *plan.due) if planned.id not in known]
    return (*facts, *(_not_run(planned, usual, edit) for planned in rest))


def _worth_showing(begun: list[_Seen]) -> set[tuple[str, int]]:
    attempts = [(attempt.at, step.id, attempt.number) for step in begun for attempt in step.attempts
                if attempt.status not in GOOD]  # fmt: skip
    return {(step, number) for _, step, number in sorted(attempts)[-MOST_OUTPUTS:]}


def _facts(
    step: _Seen,
    plan: SavedPlan,
    usual: Mapping[str, Usual],
    edit: Editor,
    read_output: ReadOutput,
    wanted: set[tuple[str, int]],
) -> StepFacts:
    planned = plan.steps.get(step.id, SavedStep(step.id))
    attempts = tuple(
        replace(attempt, output=read_output(step.id, attempt.number))
        if (step.id, attempt.number) in wanted
        else attempt
        for attempt in step.attempts
    )
    last = attempts[-1]
    return StepFacts(
        id=edit.name(step.id),
        title=edit.text(planned.name),
        kind=_kind(step.id),
        phase=edit.name(step.phase),
        reason=planned.reason,
        status=last.status if last.counts else NOT_RUN,
        seconds=last.seconds,
        usual=usual.get(step.id) or (Usual(step.expected, 0) if step.expected else None),
        attempts=attempts,
        losses=last.losses,
        lost=tuple(step.lost),
        message=last.message if last.counts else "",
    )


def _not_run(planned: SavedStep, usual: Mapping[str, Usual], edit: Editor) -> StepFacts:
    return StepFacts(
        id=edit.name(planned.id),
        title=edit.text(planned.name),
        kind=_kind(planned.id),
        phase=edit.name(planned.phase),
        reason=planned.reason,
        status=NOT_RUN,
        usual=usual.get(planned.id),
    )


def _kind(step: str) -> str:
    """check, default, upgrade, backup or maintenance."""
    return step.partition("/")[0]


def not_due(plan: SavedPlan, begun: list[_Seen], edit: Editor) -> tuple[NotDue, ...]:
    known = {step.id for step in begun}
    return tuple(
        NotDue(edit.name(step.id), edit.name(step.reason))
        for step in plan.steps.values()
        if not step.due and step.id not in known
    )
