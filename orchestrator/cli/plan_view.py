# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as lines for people. Pure."""

from collections.abc import Iterable, Sequence

from orchestrator.cli.layout import Entry, in_columns
from orchestrator.cli.wording import Line
from orchestrator.config.quantities import show_duration
from orchestrator.errors import Problem
from orchestrator.upgrade.consent import how_to_answer
from orchestrator.upgrade.due import PlannedStep
from orchestrator.upgrade.plan import Plan
from orchestrator.upgrade.targets import Transition


def plan_lines(
    plan: Plan, product: str, *, everything: bool, refusals: Iterable[Problem] = ()
) -> list[Line | Entry]:
    """The plan; with `everything` also the steps that are not due, with the reason why not."""
    shown = [planned for planned in plan.steps if everything or planned.due]
    steps = _steps(shown)
    lines: list[Line | Entry] = [Line(_title(plan, product), "bold"), *_checks(plan)]
    moves = {move.phase: move for move in plan.transitions}
    for phase in plan.entered:
        lines.append(Line(f"Phase {phase.name} ({phase.first:04}-{phase.last:04})", "bold"))
        lines += _transition(moves[phase.name])
        for planned in plan.steps_of(phase):
            if planned.due:
                if planned.step.id == plan.no_return and not plan.no_return_passed:
                    lines.append(Line("  --- point of no return ---", "bold"))
                lines.append(steps[planned.step.id])
    if plan.transitions and (plan.transitions[-1].start or plan.transitions[-1].stop):
        lines.append(Line("At the end", "bold"))
        lines += _transition(plan.transitions[-1])
    others = [planned for planned in plan.steps if not planned.due]
    if others and everything:
        lines += [Line("Not due", "bold"), *(steps[planned.step.id] for planned in others)]
    elif others:
        lines.append(Line(f"{len(others)} step{'' if len(others) == 1 else 's'} not due", "dim"))
    return [*lines, *_ending(plan), *(Line(f"REFUSED {problem}", "bad") for problem in refusals)]


def _title(plan: Plan, product: str) -> str:
    versions = ""
    if plan.to_version:
        before = plan.from_version
        versions = (
            f" {before} -> {plan.to_version}"
            if before not in (None, plan.to_version)
            else f" {plan.to_version}"
        )
    resumed = f", continues run {plan.resumed}" if plan.resumed else ""
    due = len(plan.due)
    work = "nothing is due" if not due else f"{due} step{'' if due == 1 else 's'} to run"
    return f"{product}{versions}: {work}{resumed}"


def _checks(plan: Plan) -> Iterable[Line | Entry]:
    if plan.checks and plan.due:
        yield Line("Before anything is stopped", "bold")
        for entry in in_columns([(step.id, step.header.name) for step in plan.checks]):
            yield Entry(f"  {entry.head}", entry.text)


def _transition(move: Transition) -> Iterable[Entry]:
    if move.stop:
        yield Entry("  stop   ", ", ".join(move.stop))
    if move.start:
        yield Entry("  start  ", ", ".join(move.start))


def _steps(shown: Sequence[PlannedStep]) -> dict[str, Entry]:
    """An entry for each step, all in the same columns: what, why, how long, and what it is about."""
    times = [
        f"~{show_duration(planned.estimate)}" if planned.due and planned.estimate is not None else ""
        for planned in shown
    ]
    most = max(map(len, times), default=0)
    rows = [
        (
            planned.step.id,
            planned.reason.value,
            *([time.rjust(most)] if most else []),
            "; ".join([planned.step.header.name, *planned.notes]),
        )
        for planned, time in zip(shown, times, strict=True)
    ]
    return {
        planned.step.id: Entry(f"  {entry.head}", entry.text, "" if planned.due else "dim")
        for planned, entry in zip(shown, in_columns(rows), strict=True)
    }


def _ending(plan: Plan) -> Iterable[Line | Entry]:
    for note in plan.notes:
        yield Entry("Note: ", note)
    if not plan.due:
        return
    downtime = "none" if plan.downtime is None else _expected(plan, plan.downtime)
    unknown = f"; no duration is known for {plan.seconds_unknown} of {len(plan.due)} steps"
    times = f"Expected time: {_expected(plan, plan.seconds)}; downtime: {downtime}"
    yield Line(times + (unknown if plan.seconds_unknown else ""))
    if plan.no_return_passed:
        yield Line("Point of no return: passed; one-shot steps of this run have begun")
    elif plan.no_return:
        yield Line(f"Point of no return: {plan.no_return}; until then the data is as it was")
    for question in plan.questions:
        if not question.routine:
            yield Entry("Asks: ", f"{question.text} ({how_to_answer(question)})", "bad")


def _expected(plan: Plan, seconds: float) -> str:
    if not plan.seconds_unknown:
        return f"about {show_duration(seconds)}"
    return f"at least {show_duration(seconds)}" if seconds else "unknown"
