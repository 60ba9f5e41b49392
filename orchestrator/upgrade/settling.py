# SPDX-License-Identifier: GPL-3.0-or-later
"""What a runner that was killed left to its successor: a step in flight, a line of the history."""

from orchestrator.errors import Unanswered
from orchestrator.upgrade.adoption import adopt
from orchestrator.upgrade.context import RunContext
from orchestrator.upgrade.runstate import StepStatus
from orchestrator.upgrade.runsteps import leave_when_asked, raise_failure, record, task_of
from orchestrator.upgrade.scripts import Step
from orchestrator.upgrade.watch import Task


def settle_in_flight(context: RunContext) -> None:
    """Wait for the step a killed runner left running, and take the status of one that ended meanwhile."""
    attempt = context.state.in_flight
    if attempt is None:
        return
    step = next((planned.step for planned in context.plan.steps if planned.step.id == attempt.step), None)
    phase = context.state.phase or ""
    task = task_of(step, phase) if step else Task(attempt.step, "", phase, ())
    ended, ran = adopt(context, task, attempt)
    if ended.status is StepStatus.DONE and step and step.in_history:
        record(context, step, ended)
    leave_when_asked(context)
    if ended.status is StepStatus.UNKNOWN:
        _ask_before_rerun(context, step)
    elif ran and step and ended.status and not ended.status.good:
        # A check, the backup or a maintenance command that failed is run again at its place.
        raise_failure(context, step, ended)


def _ask_before_rerun(context: RunContext, step: Step | None) -> None:
    """A step that says `rerun: ask` is not run again after an end nobody saw unless somebody agreed."""
    if step is None or not step.header.rerun_ask or context.state.answers.get(f"rerun-{step.number:04}"):
        return
    raise Unanswered(
        f"nobody knows how {step.id} ended, and it asks before it is run again",
        hint=f"look at what it did; then continue with --accept rerun-{step.number:04}, "
        f"or: orchestrator history mark-done {step.name} --reason TEXT",
    )


def record_finished(context: RunContext) -> None:
    """A runner killed between a step's end and its line in the history left the line to us."""
    for planned in context.plan.steps:
        step = planned.step
        last = context.state.last_attempt(step.id)
        if (
            last
            and last.status is StepStatus.DONE
            and step.in_history
            and step.id not in context.state.recorded
        ):
            record(context, step, last)
