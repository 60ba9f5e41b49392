# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run stands, in a headline and a sentence, and what is left to do. Pure."""

from collections.abc import Callable, Iterable

from orchestrator.errors import ExitCode
from orchestrator.upgrade.report.model import Action, Left, Remark, StepFacts, Verdict
from orchestrator.upgrade.report.saved import SavedPlan
from orchestrator.upgrade.runstate import BACKUP, Debt, RunState

# `upgrade` -> a command line that works with this configuration.
Command = Callable[[str], str]

_STOPPED = {
    ExitCode.INTERRUPTED: "Stopped on request",
    ExitCode.UNANSWERED: "Stopped: a question waits for an answer",
    ExitCode.REFUSED: "Stopped: a check refused to go on",
    ExitCode.BUSY: "Stopped: to be tried again later",
}


def verdict_of(state: RunState, *, live: bool) -> Verdict:
    if state.outcome is not None:
        return Verdict(state.outcome.value)
    if live:
        return Verdict.RUNNING
    return Verdict.STOPPED if state.stop_reason else Verdict.DIED


def headline(verdict: Verdict, state: RunState, steps: Iterable[StepFacts], remarks: Iterable[Remark]) -> str:
    """A few words; the reason is another text."""
    failed = [step for step in steps if step.failed]
    match verdict:
        case Verdict.FAILURES:
            text = f"Done, but {_counted(failed)} failed"
        case Verdict.REFUSED:
            text = _refused_by(failed)
        case Verdict.RUNNING:
            text = f"Running: {state.in_flight.step}" if state.in_flight else "Running"
        case Verdict.STOPPED:
            text = _where_stopped(state, failed, remarks)
        case Verdict.DIED:
            text = _where_died(state)
        case _:
            text = "Done, with losses" if verdict is Verdict.LOSSES else "Done"
    return text


def _refused_by(failed: list[StepFacts]) -> str:
    if any(step.id == BACKUP for step in failed):
        return "Refused: the backup failed"
    checks = [step for step in failed if step.kind == "check"]
    return f"Refused by {checks[0].id if len(checks) == 1 else f'{len(checks)} checks'}"


def _where_died(state: RunState) -> str:
    if state.in_flight:
        return f"Interrupted at {state.in_flight.step}"
    return f"Interrupted in phase {state.phase}" if state.phase else "Interrupted before anything was stopped"


def _counted(steps: list[StepFacts]) -> str:
    return steps[0].id if len(steps) == 1 else f"{len(steps)} steps"


def _where_stopped(state: RunState, failed: list[StepFacts], remarks: Iterable[Remark]) -> str:
    if state.exit_code == ExitCode.STEP_FAILED:
        guilty = next((step for step in failed if state.stop_reason.startswith(step.id)), None)
        return f"Failed at {guilty.id}" if guilty else "Failed"
    if state.exit_code == ExitCode.SERVICE:
        services = [remark.about for remark in remarks if remark.kind == "service failed"]
        return f"Failed: service {services[-1]}" if services else "Failed: a service"
    later = next((step for step in failed if step.status == "later"), None)
    if state.exit_code == ExitCode.BUSY and later:
        return f"Stopped: {later.id} asks to be tried again later"
    return next((text for code, text in _STOPPED.items() if code == state.exit_code), "Stopped")


def reason(verdict: Verdict, state: RunState, steps: Iterable[StepFacts]) -> str:
    """A sentence that says more than the headline; empty when there is nothing to say."""
    failed = [step for step in steps if step.failed]
    match verdict:
        case Verdict.STOPPED:
            return state.stop_reason
        case Verdict.DIED:
            return (
                "The runner died without a word: it was killed, the host was started anew, or the power went."
            )
        case Verdict.REFUSED:
            told = "; ".join(f"{step.id}: {step.message}" for step in failed)
            return f"Nothing was stopped. {told}".rstrip()
        case Verdict.LOSSES:
            return "; ".join(f"{step.losses} lost in {step.id}" for step in steps if step.losses)
        case Verdict.FAILURES:
            return "; ".join(f"{step.id}: {step.message}" for step in failed)
    return ""


def left_to_do(
    state: RunState, plan: SavedPlan, verdict: Verdict, steps: Iterable[StepFacts], command: Command
) -> Left:
    """Of the newest run; what an older one left, a newer one has taken over."""
    debts = tuple(_debt_in_words(debt) for debt in state.debts.values())
    match verdict:
        case Verdict.DONE | Verdict.LOSSES:
            return Left()
        case Verdict.FAILURES:
            due = tuple(step.id for step in steps if step.failed)
            return Left(steps=due, actions=(Action("Run what failed again", command("upgrade")),))
        case Verdict.REFUSED:
            again = Action("Put right what refused, then begin again", command("upgrade"))
            return Left(steps=_still_due(state, plan), actions=(again,))
        case Verdict.RUNNING:
            watch = Action("Watch it", command("attach"))
            return Left(debts, _still_due(state, plan), (watch, Action("See where it is", command("status"))))
    actions = [Action("Continue the run", command("upgrade"))]
    if debts:
        actions.append(Action("Or only start what is down", command("recover")))
    return Left(debts, _still_due(state, plan), tuple(actions))


def _still_due(state: RunState, plan: SavedPlan) -> tuple[str, ...]:
    return tuple(step.id for step in plan.due if not state.finished(step.id))


def _debt_in_words(debt: Debt) -> str:
    match debt.kind:
        case "stopped":
            return f"{debt.service} is stopped"
        case "held":
            return f"{debt.service} is held: nothing else can start it"
        case "maintenance":
            return "maintenance mode is on"
    return debt.id
