# SPDX-License-Identifier: GPL-3.0-or-later
"""One step of a run: what is started, what its end means for the run, its line in the history."""

from orchestrator.errors import Busy, Interrupted, Problem, StepFailed
from orchestrator.host import clock, files
from orchestrator.upgrade.context import RunContext
from orchestrator.upgrade.header import RunRule
from orchestrator.upgrade.history import Entry, Mark
from orchestrator.upgrade.journal import EventName
from orchestrator.upgrade.runstate import Attempt, StepStatus
from orchestrator.upgrade.scripts import Step, fingerprint_inputs
from orchestrator.upgrade.watch import Task


def task_of(step: Step, phase: str, expected: float | None = None) -> Task:
    header = step.header
    return Task(
        id=step.id,
        kind=step.kind.value,
        phase=phase,
        argv=step.argv,
        sha256=step.sha256,
        inputs=fingerprint_inputs(step) if step.run_rule is RunRule.ON_CHANGE else "",
        timeout=header.timeout,
        expected=header.estimate if expected is None else expected,
        unsafe=header.interrupt_unsafe,
        retry=header.retry,
    )


def record(context: RunContext, step: Step, attempt: Attempt) -> None:
    """The line in the history, then the event that says so: the line may be there twice over, never missing."""
    details = {
        "run": context.directory.id,
        "seconds": f"{attempt.seconds:.3f}",
        **({"version": context.plan.to_version} if context.plan.to_version else {}),
        **({"inputs": attempt.inputs} if attempt.inputs else {}),
    }
    context.history.record(Entry(step.name, clock.timestamp(), attempt.sha256, Mark.DONE, details))
    context.write(EventName.HISTORY_RECORDED, step=step.id)


def raise_failure(context: RunContext, step: Step | None, attempt: Attempt) -> None:
    """Go on where the step says that its failure is no reason to stop; otherwise raise what fits its status."""
    if attempt.status is StepStatus.STOPPED:
        raise Interrupted(f"{attempt.step} was stopped on request")
    if step is not None and step.header.continue_on_failure:
        context.note(f"{attempt.step} failed ({attempt.message}); going on, as its on-failure says")
        return
    log = context.directory.step_file(attempt.step, attempt.number, "log")
    problems = [Problem("", line) for line in files.last_lines(log, 20)]
    message = f"{attempt.step} failed: {attempt.message}"
    path = f"the step is {step.path}, its output {log}" if step else f"its output is {log}"
    if attempt.status is StepStatus.LATER:
        raise Busy(message, problems=problems, hint=path)
    raise StepFailed(message, problems=problems, hint=path)


def leave_when_asked(context: RunContext) -> None:
    if context.interrupts.stop_requested:
        raise Interrupted("stopped on request")
