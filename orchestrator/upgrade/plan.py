# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: what an upgrade would do, in order, with reasons. Pure: facts in, plan out."""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.config.model import AnyService
from orchestrator.services.order import next_ones, prerequisites, reversed_prerequisites
from orchestrator.upgrade.header import RunRule
from orchestrator.upgrade.history import Entry, History, Mark
from orchestrator.upgrade.phases import Phase, Wanted, phase_of
from orchestrator.upgrade.runstate import Found, RunState, StepStatus
from orchestrator.upgrade.scripts import Kind, Masked, Step


class Reason(StrEnum):
    """Why a step is due, or is not."""

    ALWAYS = "always"
    DUE = "due"
    CHANGED = "changed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    RUNNING = "still running"
    DONE = "done"
    MARKED = "marked done"
    SKIPPED = "skipped"
    BASELINE = "baseline"
    UNCHANGED = "unchanged"
    FINISHED = "finished in this run"
    OTHER_DEPLOYMENT = "other deployment"
    NOT_SELECTED = "not selected"
    SKIP_ASKED = "skipped by --skip"


DUE_REASONS = frozenset(
    (Reason.ALWAYS, Reason.DUE, Reason.CHANGED, Reason.FAILED, Reason.INTERRUPTED, Reason.RUNNING)
)
_REASON_OF_MARK = {
    Mark.DONE: Reason.DONE,
    Mark.MARKED: Reason.MARKED,
    Mark.IMPORTED: Reason.DONE,
    Mark.SKIPPED: Reason.SKIPPED,
    Mark.BASELINE: Reason.BASELINE,
}


@dataclass(frozen=True, slots=True)
class Selection:
    """What the caller chose: patterns of `--only`, step -> reason of `--skip`."""

    only: tuple[str, ...] = ()
    skip: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Durations:
    """Seconds from this host's earlier runs: a step's id, `stop NAME`, `start NAME`."""

    seconds: Mapping[str, float] = field(default_factory=dict)

    def of_step(self, step: Step) -> float | None:
        return self.seconds.get(step.id, step.header.estimate)


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything a plan is made from."""

    services: Mapping[str, AnyService]
    phases: tuple[Phase, ...]
    steps: tuple[Step, ...]
    masked: tuple[Masked, ...]
    history: History
    # As the services were before the run, which may be an unfinished one; `up`: which run now.
    found: Mapping[str, Found]
    up: frozenset[str] = frozenset()
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    durations: Durations = Durations()
    deployment: str | None = None
    from_version: str | None = None
    to_version: str | None = None
    resumed: RunState | None = None
    saved_steps: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with the decision about it. `estimate` in seconds, None when unknown."""

    step: Step
    reason: Reason
    phase: str
    estimate: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def due(self) -> bool:
        return self.reason in DUE_REASONS


@dataclass(frozen=True, slots=True)
class Transition:
    """Services stopped, then started, on the way into a phase (`phase` None: at the end)."""

    phase: str | None
    stop: tuple[str, ...] = ()
    start: tuple[str, ...] = ()


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

    @property
    def due(self) -> tuple[PlannedStep, ...]:
        return tuple(planned for planned in self.steps if planned.due)

    def steps_of(self, phase: Phase) -> tuple[PlannedStep, ...]:
        """Its steps in running order, due or not."""
        return tuple(planned for planned in self.steps if planned.phase == phase.name)

    @property
    def stops_something(self) -> bool:
        return any(transition.stop for transition in self.transitions)

    @property
    def pending(self) -> bool:
        """Whether there is work beyond the steps that run at every upgrade."""
        return self.resumed is not None or any(p.reason is not Reason.ALWAYS for p in self.due)


def make_plan(situation: Situation, selection: Selection = Selection()) -> Plan:
    one_shots = [step for step in situation.steps if step.kind is Kind.UPGRADE]
    newest_done = next((step for step in reversed(one_shots) if situation.history.get(step.name)), None)
    migrations = [step for step in situation.steps if step.kind is not Kind.CHECK]
    steps = [_decide(step, situation, selection, newest_done) for step in migrations]
    due = [planned for planned in steps if planned.due]
    names = {planned.phase for planned in due}
    entered = tuple(phase for phase in situation.phases if phase.name in names)
    moves = tuple(_transitions(entered, situation))
    estimates = [planned.estimate for planned in due]
    services_seconds = sum(_seconds(move, situation.durations) for move in moves)
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
        seconds=sum(estimate or 0.0 for estimate in estimates) + services_seconds,
        seconds_unknown=estimates.count(None),
        downtime=_downtime(due, entered, moves, situation),
        no_return=next((planned.step.id for planned in due if planned.step.kind is Kind.UPGRADE), None),
        no_return_passed=_no_return_passed(situation),
        resumed=situation.resumed.run if situation.resumed else None,
    )


# Which steps ----------------------------------------------------------------------------------------


def _decide(step: Step, situation: Situation, selection: Selection, newest_done: Step | None) -> PlannedStep:
    reason, notes = _reason(step, situation)
    if (
        reason is Reason.DUE
        and step.kind is Kind.UPGRADE
        and newest_done
        and newest_done.number > step.number
    ):
        notes.append(f"new, although {newest_done.name} already ran")
    if step.overrides:
        notes.append(f"overrides {step.overrides}")
    # What is unchanged now may become due during the run.
    if reason in DUE_REASONS or reason is Reason.UNCHANGED:
        if any(matches(pattern, step) for pattern in selection.skip):
            reason = Reason.SKIP_ASKED
        elif selection.only and not any(matches(pattern, step) for pattern in selection.only):
            reason = Reason.NOT_SELECTED
    phase = phase_of(step.number, situation.phases).name
    return PlannedStep(step, reason, phase, situation.durations.of_step(step), tuple(notes))


def matches(pattern: str, step: Step) -> bool:
    """`0120`, a file name, `upgrade/0120_x.sh`, or a glob over one of the last two."""
    if pattern.isdecimal():
        return int(pattern) == step.number
    return fnmatch.fnmatchcase(step.name, pattern) or fnmatch.fnmatchcase(step.id, pattern)


def _applies(step: Step, situation: Situation) -> bool:
    return not step.header.apply or situation.deployment in step.header.apply


def _reason(step: Step, situation: Situation) -> tuple[Reason, list[str]]:
    if not _applies(step, situation):
        return Reason.OTHER_DEPLOYMENT, ["applies to " + ", ".join(step.header.apply)]
    entry = situation.history.get(step.name) if step.in_history else None
    if entry and step.run_rule is RunRule.ONCE:
        # Also what an administrator marked done after it failed in the run that is continued.
        changed = entry.sha256 not in ("", step.sha256)
        return _REASON_OF_MARK[entry.mark], ["changed since it ran"] if changed else []
    if situation.resumed and not _line_taken_out(step, entry, situation.resumed):
        reason = _resumed_reason(step, situation.resumed)
        if reason is not None:
            return reason, []
    if entry is None:
        return (Reason.DUE if step.in_history else Reason.ALWAYS), []
    return _changed_reason(step, entry, situation)


def _changed_reason(step: Step, entry: Entry, situation: Situation) -> tuple[Reason, list[str]]:
    """The decision about an on-change step that has run before."""
    if entry.mark is Mark.SKIPPED:
        return Reason.SKIPPED, []
    if entry.sha256 not in ("", step.sha256):
        return Reason.CHANGED, ["its content changed"]
    if entry.details.get("inputs", "") != situation.fingerprints.get(step.id, ""):
        return Reason.CHANGED, ["its inputs changed"]
    return Reason.UNCHANGED, []


def _line_taken_out(step: Step, entry: Entry | None, run: RunState) -> bool:
    """Whether the unfinished run recorded the step and somebody took the line out since: it is due again."""
    return entry is None and step.id in run.recorded


def _resumed_reason(step: Step, run: RunState) -> Reason | None:
    """What an unfinished run says of a step; None: nothing."""
    last = run.counting_attempt(step.id)
    if last is None:
        return None
    if last.status is None:
        return Reason.RUNNING
    if last.status is StepStatus.UNKNOWN:
        return Reason.INTERRUPTED
    return Reason.FINISHED if last.status.good else Reason.FAILED


def _no_return_passed(situation: Situation) -> bool:
    """Whether the run that is continued has begun a one-shot step already."""
    run = situation.resumed
    return run is not None and any(step.startswith(f"{Kind.UPGRADE}/") for step in run.attempts)


def _checks(situation: Situation) -> Iterable[Step]:
    """Checks that apply; those that have passed in the run that is continued are not asked again."""
    for step in situation.steps:
        passed = situation.resumed is not None and situation.resumed.finished(step.id)
        if step.kind is Kind.CHECK and _applies(step, situation) and not passed:
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


# Which services -------------------------------------------------------------------------------------


def wanted_states(
    phase: Phase | None, services: Mapping[str, AnyService], found: Mapping[str, Found]
) -> dict[str, Wanted]:
    """The state each service must be in during `phase` (None: at the end, everything up).

    Left out: services that were down and are disabled stay as they are; external ones are never down.
    """
    wanted: dict[str, Wanted] = {}
    for name, service in services.items():
        state: Wanted = phase.wants(service.tier) if phase else "up"
        fact = found.get(name)
        if state == "up" and fact and fact.stays_down:
            continue
        if state == "down" and service.manager == "external":
            continue
        wanted[name] = state
    return wanted


def _transitions(entered: Sequence[Phase], situation: Situation) -> Iterable[Transition]:
    """What is stopped and started before each entered phase and at the end."""
    services, up = situation.services, set(situation.up)
    continued = situation.resumed is not None and situation.resumed.touched
    for phase in [*entered, None] if entered or continued else []:
        wanted = wanted_states(phase, services, situation.found)
        managed = {name for name in wanted if services[name].manager != "external"}
        stop = {name for name in managed if wanted[name] == "down" and name in up}
        start = {name for name in managed if wanted[name] == "up" and name not in up}
        name = phase.name if phase else None
        yield Transition(name, stop_order(stop, services), start_order(start, services))
        up = up - stop | start


def dependencies(names: Iterable[str], services: Mapping[str, AnyService]) -> dict[str, set[str]]:
    """What must be ready before each of `names` starts: `after`, and every backend before any application."""
    chosen = set(names)
    required = prerequisites(chosen, {name: service.after for name, service in services.items()})
    backends = {name for name in chosen if services[name].tier == "backend"}
    for name in chosen - backends:
        required[name] |= backends
    return required


def start_order(names: Iterable[str], services: Mapping[str, AnyService]) -> tuple[str, ...]:
    return _flatten(dependencies(names, services))


def stop_order(names: Iterable[str], services: Mapping[str, AnyService]) -> tuple[str, ...]:
    return _flatten(reversed_prerequisites(dependencies(names, services)))


def _flatten(required: Mapping[str, set[str]]) -> tuple[str, ...]:
    order: list[str] = []
    while len(order) < len(required):
        order += next_ones(required.keys() - set(order), set(order), required)
    return tuple(order)


# How long -------------------------------------------------------------------------------------------


def _seconds(move: Transition, durations: Durations) -> float:
    names = [f"stop {name}" for name in move.stop] + [f"start {name}" for name in move.start]
    return sum(durations.seconds.get(name, 0.0) for name in names)


def _downtime(
    due: Sequence[PlannedStep], entered: Sequence[Phase], moves: Sequence[Transition], situation: Situation
) -> float | None:
    """Expected seconds from the first stop to the moment all are ready; None when nothing is stopped."""
    first = next((index for index, move in enumerate(moves) if move.stop), None)
    if first is None:
        return None
    last = max(index for index, move in enumerate(moves) if move.start or move.stop)
    down = {phase.name for index, phase in enumerate(entered) if first <= index < last}
    steps = sum(planned.estimate or 0.0 for planned in due if planned.phase in down)
    return steps + sum(_seconds(move, situation.durations) for move in moves[first : last + 1])
