# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as lines for people. Pure."""

from collections.abc import Iterable

from orchestrator.cli.wording import Line
from orchestrator.config.quantities import show_duration
from orchestrator.errors import Problem
from orchestrator.upgrade.consent import how_to_answer
from orchestrator.upgrade.due import PlannedStep
from orchestrator.upgrade.plan import Plan
from orchestrator.upgrade.targets import Transition


def plan_lines(plan: Plan, product: str, *, everything: bool, refusals: Iterable[Problem] = ()) -> list[Line]:
    """The plan; with `everything` also the steps that are not due, with the reason why not."""
    lines = [Line(_title(plan, product), "bold")]
    width = max((len(p.step.id) for p in plan.steps if everything or p.due), default=0)
    lines += [Line(f"  check  {step.id:{width}}  {step.header.name}") for step in plan.checks]
    moves = {move.phase: move for move in plan.transitions}
    for phase in plan.entered:
        lines.append(Line(f"Phase {phase.name} ({phase.first:04}-{phase.last:04})", "bold"))
        lines += _transition(moves[phase.name])
        lines += [
            _step(planned, width, mark=planned.step.id == plan.no_return and not plan.no_return_passed)
            for planned in plan.steps
            if planned.phase == phase.name and planned.due
        ]
    if plan.transitions and (plan.transitions[-1].start or plan.transitions[-1].stop):
        lines.append(Line("At the end", "bold"))
        lines += _transition(plan.transitions[-1])
    lines += _not_due(plan, width, everything=everything)
    lines += _ending(plan)
    lines += [Line(f"REFUSED {problem}", "bad") for problem in refusals]
    return lines


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


def _transition(move: Transition) -> Iterable[Line]:
    if move.stop:
        yield Line("  stop   " + ", ".join(move.stop))
    if move.start:
        yield Line("  start  " + ", ".join(move.start))


def _step(planned: PlannedStep, width: int, *, mark: bool = False) -> Line:
    took = "" if planned.estimate is None else f" ~{show_duration(planned.estimate)}"
    notes = "".join(f"; {note}" for note in planned.notes)
    verb = "run" if planned.due else "-"
    point = "  <- point of no return" if mark else ""
    text = f"  {verb:5}  {planned.step.id:{width}}  {planned.reason}{took}: {planned.step.header.name}{notes}{point}"
    return Line(text, "" if planned.due else "dim")


def _not_due(plan: Plan, width: int, *, everything: bool) -> Iterable[Line]:
    others = [planned for planned in plan.steps if not planned.due]
    if not others:
        return
    if everything:
        yield Line("Not due", "bold")
        for planned in others:
            yield _step(planned, width)
    else:
        yield Line(f"{len(others)} step{'' if len(others) == 1 else 's'} not due", "dim")


def _ending(plan: Plan) -> Iterable[Line]:
    for note in plan.notes:
        yield Line(f"Note: {note}")
    if not plan.due:
        return
    unknown = f", {plan.seconds_unknown} of the steps unknown" if plan.seconds_unknown else ""
    downtime = "none" if plan.downtime is None else f"about {show_duration(plan.downtime)}"
    yield Line(f"Expected time: about {show_duration(plan.seconds)}{unknown}; downtime: {downtime}")
    if plan.no_return_passed:
        yield Line("Point of no return: passed; one-shot steps of this run have begun")
    elif plan.no_return:
        yield Line(f"Point of no return: {plan.no_return}; until then the data is as it was")
    for question in plan.questions:
        if not question.routine:
            yield Line(f"Asks: {question.text} ({how_to_answer(question)})", "bad")
