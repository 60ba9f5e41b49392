# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes before the first stop, and goes with it: checks, the backup, maintenance mode."""

from orchestrator.errors import ExitCode, Problem, Refused, StepFailed
from orchestrator.host import files
from orchestrator.upgrade.context import RunContext
from orchestrator.upgrade.execution import run_task
from orchestrator.upgrade.journal import EventName
from orchestrator.upgrade.runstate import (
    BACKUP,
    MAINTENANCE_ENTER,
    MAINTENANCE_LEAVE,
    Debt,
    Outcome,
    StepStatus,
)
from orchestrator.upgrade.runsteps import leave_when_asked, task_of
from orchestrator.upgrade.watch import Task


def run_checks(context: RunContext) -> None:
    """All checks, all failures at once. Once passed, a continued run does not ask again."""
    failed: list[Problem] = []
    for step in context.plan.checks:
        if context.state.finished(step.id):
            continue
        attempt = run_task(context, task_of(step, "checks"))
        leave_when_asked(context)
        if attempt.status and not attempt.status.good:
            tail = files.last_lines(context.directory.step_file(step.id, attempt.number, "log"), 5)
            failed.append(Problem(step.id, attempt.message, " | ".join(tail)))
    if failed:
        noun = "check" if len(failed) == 1 else "checks"
        raise _refused(context, f"{len(failed)} {noun} refused the upgrade", failed)


def _refused(context: RunContext, what: str, problems: list[Problem]) -> Refused:
    """The run is over, unless it has touched something in an earlier attempt: then it remains to be continued."""
    if context.state.touched:
        message = f"{what}; the run stays as it is"
    else:
        context.write(EventName.RUN_ENDED, outcome=Outcome.REFUSED, exit_code=ExitCode.REFUSED)
        message = f"{what}; nothing was stopped"
    return Refused(message, problems=problems, hint="put that right, then run the same command again")


def before_first_stop(context: RunContext) -> None:
    """Backup and maintenance mode, once, when something is about to be stopped."""
    config = context.config
    if config.backup and not context.state.finished(BACKUP):
        attempt = run_task(
            context,
            Task(BACKUP, "backup", "backup", config.backup.command, timeout=config.backup.timeout),
        )
        leave_when_asked(context)
        if attempt.status is not StepStatus.DONE:
            log = context.directory.step_file(BACKUP, attempt.number, "log")
            problems = [Problem(str(log), line) for line in files.last_lines(log, 5)]
            raise _refused(context, f"the backup failed: {attempt.message}", problems)
    if config.maintenance and not _in_maintenance(context):
        context.write(EventName.DEBT, kind="maintenance")
        _command(context, MAINTENANCE_ENTER, config.maintenance.enter, config.maintenance.timeout)


def _in_maintenance(context: RunContext) -> bool:
    """Not when the debt was made and the command then failed, or the runner was killed."""
    return Debt("maintenance").id in context.state.debts and context.state.finished(MAINTENANCE_ENTER)


def leave_maintenance(context: RunContext) -> None:
    if Debt("maintenance").id in context.state.debts and context.config.maintenance:
        maintenance = context.config.maintenance
        if not context.state.finished(MAINTENANCE_LEAVE):
            _command(context, MAINTENANCE_LEAVE, maintenance.leave, maintenance.timeout)
        context.write(EventName.DEBT_PAID, kind="maintenance")


def _command(context: RunContext, name: str, argv: tuple[str, ...], timeout: float) -> None:
    attempt = run_task(context, Task(name, "maintenance", context.state.phase or "", argv, timeout=timeout))
    if attempt.status is not StepStatus.DONE:
        log = context.directory.step_file(name, attempt.number, "log")
        problems = [Problem(str(log), line) for line in files.last_lines(log, 5)]
        raise StepFailed(f"{name} failed: {attempt.message}", problems=problems)
