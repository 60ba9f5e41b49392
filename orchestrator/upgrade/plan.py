# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: what an upgrade would do, in order, with reasons. Pure: facts in, plan out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from orchestrator.upgrade.due import PlannedStep, Reason, applies, decide
from orchestrator.upgrade.history import Mark
from orchestrator.upgrade.phases import Phase
from orchestrator.upgrade.requests import Request
from orchestrator.upgrade.scripts import Kind, Step
from orchestrator.upgrade.situation import EVERYTHING, Durations, Selection, Situation
from orchestrator.upgrade.targets import Transition, transitions


@dataclass(frozen=True, slots=True)
class Question:
    """Something that needs consent. Routine questions are answered by --assumeyes, others by --accept ID."""

    id: str
    text: str
    routine: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What would happen. `entered` are the phases with a due step, in order."""

    steps: tuple[PlannedStep, ...]
    checks: tuple[Step, ...]
    phases: tuple[Phase, ...]
    entered: tuple[Phase, ...]
    transitions: tuple[Transition, ...]
    questions: tuple[Question, ...]
    notes: tuple[str, ...]
    from_version: str | None
    to_version: str | None
    seconds: float
    seconds_unknown: int
    downtime: float | None
    no_return: str | None
    no_return_passed: bool
    resumed: str | None
    request: Request | None
    selection: Selection

    @property
    def due(self) -> tuple[PlannedStep, ...]:
        return tuple(planned for planned in self.steps if planned.due)

    def steps_of(self, phase: Phase) -> tuple[PlannedStep, ...]:
        """Its steps in running order, due or not."""
        return tuple(planned for planned in self.steps if planned.phase == phase.name)

    @property
    def waiting(self) -> tuple[PlannedStep, ...]:
        """What is due beyond the steps that run at every upgrade, and that no run has passed over."""
        return tuple(
            planned for planned in self.due if planned.reason is not Reason.ALWAYS and not planned.passed_over
        )

    @property
    def asked_for(self) -> bool:
        """Whether somebody asked for an upgrade that has something to run."""
        return self.request is not None and bool(self.due)

    @property
    def pending(self) -> bool:
        """Whether there is work beyond the steps that run at every upgrade, or somebody asked for those."""
        return self.resumed is not None or bool(self.waiting) or self.asked_for


def make_plan(situation: Situation, selection: Selection = EVERYTHING) -> Plan:
    one_shots = [step for step in situation.steps if step.kind is Kind.UPGRADE]
    newest_done = next((step for step in reversed(one_shots) if _has_run(step, situation)), None)
    migrations = [step for step in situation.steps if step.kind is not Kind.CHECK]
    steps = [decide(step, situation, selection, newest_done) for step in migrations]
    due = [planned for planned in steps if planned.due]
    names = {planned.phase for planned in due}
    entered = tuple(phase for phase in situation.phases if phase.name in names)
    durations = situation.durations
    moves = tuple(
        replace(move, seconds=_seconds(move, durations)) for move in transitions(entered, situation)
    )
    estimates = [planned.estimate for planned in due]
    return Plan(
        steps=tuple(steps),
        checks=tuple(_checks(situation)),
        phases=situation.phases,
        entered=entered,
        transitions=moves,
        questions=tuple(_questions(due, situation)),
        notes=tuple(_notes(situation)),
        from_version=situation.from_version,
        to_version=situation.to_version,
        seconds=sum(estimate or 0.0 for estimate in estimates) + sum(move.seconds for move in moves),
        seconds_unknown=estimates.count(None),
        downtime=_downtime(due, entered, moves, situation),
        no_return=next((planned.step.id for planned in due if planned.step.kind is Kind.UPGRADE), None),
        no_return_passed=_no_return_passed(situation),
        resumed=situation.resumed.run if situation.resumed else None,
        request=situation.request,
        selection=selection,
    )


def _has_run(step: Step, situation: Situation) -> bool:
    entry = situation.history.get(step.name)
    return entry is not None and entry.mark in (Mark.DONE, Mark.IMPORTED)


def _no_return_passed(situation: Situation) -> bool:
    """Whether the run that is continued has begun a one-shot step already."""
    run = situation.resumed
    return run is not None and any(step.startswith(f"{Kind.UPGRADE}/") for step in run.attempts)


def _checks(situation: Situation) -> Iterable[Step]:
    """Checks that apply; those that have passed in the run that is continued are not asked again."""
    for step in situation.steps:
        passed = situation.resumed is not None and situation.resumed.finished(step.id)
        if step.kind is Kind.CHECK and applies(step, situation) and not passed:
            yield step


def _notes(situation: Situation) -> Iterable[str]:
    for masked in situation.masked:
        yield f"{masked.kind}/{masked.name} is masked by {masked.by}"
    if not situation.saved_steps:
        return
    now = {step.id: step.sha256 for step in situation.steps if step.kind is not Kind.CHECK}
    for step_id in sorted(now.keys() | situation.saved_steps.keys()):
        before = situation.saved_steps.get(step_id)
        if before is None:
            yield f"{step_id} is new since this run began"
        elif step_id not in now:
            yield f"{step_id} is gone since this run began"
        elif now[step_id] != before:
            yield f"{step_id} was changed since this run began"


def risk_question(step: Step) -> str:
    """The id of the question about its risk, for --accept."""
    return f"{step.number:04}"


def _questions(due: Sequence[PlannedStep], situation: Situation) -> Iterable[Question]:
    answered = situation.resumed.answers if situation.resumed else {}
    for planned in due:
        step = planned.step
        if step.header.risk:
            question = Question(risk_question(step), f"{step.id} {step.header.risk}")
            if not answered.get(question.id):
                yield question
        if step.header.rerun_ask and planned.reason is Reason.INTERRUPTED:
            yield Question(
                f"rerun-{step.number:04}",
                f"{step.id} was running when the run died and nobody knows how it ended: run it again?",
            )
    if due:
        yield Question("continue", "Go on?", routine=True)


# How long -------------------------------------------------------------------------------------------


def _seconds(move: Transition, durations: Durations) -> float:
    names = [f"stop {name}" for name in move.stop] + [f"start {name}" for name in move.start]
    return sum(durations.seconds.get(name, 0.0) for name in names)


def _downtime(
    due: Sequence[PlannedStep], entered: Sequence[Phase], moves: Sequence[Transition], situation: Situation
) -> float | None:
    """Expected seconds from the first stop (from now, where the run that is continued has stopped something) to
    the moment all are ready; None when nothing is or will be down."""
    changes = [index for index, move in enumerate(moves) if move.start or move.stop]
    first = next((index for index in changes if moves[index].stop), None)
    if changes and situation.resumed and situation.resumed.down_since:
        first = 0
    if first is None:
        return None
    last = changes[-1]
    down = {phase.name for index, phase in enumerate(entered) if first <= index < last}
    steps = sum(planned.estimate or 0.0 for planned in due if planned.phase in down)
    return steps + sum(move.seconds for move in moves[first : last + 1])
