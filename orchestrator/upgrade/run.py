# SPDX-License-Identifier: GPL-3.0-or-later
"""The run loop: checks, backup, phases with their steps, everything up again.

It may die at any instant. What it did, does and owes stands in the journal, and `begin` of a later
process goes on from there.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.errors import (
    Busy,
    ExitCode,
    Interrupted,
    OrchestratorError,
    Problem,
    Refused,
    StateUnwritable,
    StepFailed,
    Unanswered,
)
from orchestrator.host import clock, files
from orchestrator.upgrade.context import RunContext
from orchestrator.upgrade.due import PlannedStep, Reason
from orchestrator.upgrade.execution import Task, adopt, run_task
from orchestrator.upgrade.header import RunRule, parse_header
from orchestrator.upgrade.history import Entry, Mark
from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.phases import Phase, Wanted
from orchestrator.upgrade.plan import risk_question
from orchestrator.upgrade.runstate import (
    BACKUP,
    MAINTENANCE_ENTER,
    MAINTENANCE_LEAVE,
    Attempt,
    Debt,
    Outcome,
    StepStatus,
)
from orchestrator.upgrade.scripts import Step, fingerprint_inputs
from orchestrator.upgrade.survey import VERSION_FILE, find_services
from orchestrator.upgrade.targets import wanted_states
from orchestrator.upgrade.transitions import bring, deviations, release


@dataclass(frozen=True, slots=True)
class Result:
    """How the command ends: exit code, what was left failing, seconds without service."""

    exit_code: ExitCode
    failures: tuple[Attempt, ...] = ()
    downtime: float = 0.0


def execute(context: RunContext, *, restart: bool = False) -> Result:
    """Carry the plan out; with `restart` finished steps of the run do not count. Raises OrchestratorError; then the journal says how to go on."""
    try:
        return _execute(context, restart=restart)
    except OrchestratorError as error:
        failure = error
    except OSError as error:
        failure = StateUnwritable(f"{error.filename or 'the state directory'}: {error.strerror}")
    if context.state.outcome is None:
        stop_run(context, failure)
    raise failure


def _execute(context: RunContext, *, restart: bool) -> Result:
    settle_in_flight(context)
    _record_finished(context)
    if restart:
        context.write(EventName.RUN_RESTARTED)
    run_checks(context)
    for phase in context.plan.phases:
        if any(_due_now(context, planned) for planned in context.plan.steps_of(phase)):
            run_phase(context, phase)
    return finish(context)


# Before the first stop ---------------------------------------------------------------------------


def settle_in_flight(context: RunContext) -> None:
    """Wait for the step a killed runner left running, and take the status of one that ended meanwhile."""
    attempt = context.state.in_flight
    if attempt is None:
        return
    step = next((planned.step for planned in context.plan.steps if planned.step.id == attempt.step), None)
    phase = context.state.phase or ""
    task = _task(step, phase) if step else Task(attempt.step, "", phase, ())
    ended, ran = adopt(context, task, attempt)
    if ended.status is StepStatus.DONE and step and step.in_history:
        _record(context, step, ended)
    _leave_when_asked(context)
    if ended.status is StepStatus.UNKNOWN:
        _ask_before_rerun(context, step)
    elif ran and step and ended.status and not ended.status.good:
        # A check, the backup or a maintenance command that failed is run again at its place.
        _step_failed(context, step, ended)


def _ask_before_rerun(context: RunContext, step: Step | None) -> None:
    """A step that says `rerun: ask` is not run again after an end nobody saw unless somebody agreed."""
    if step is None or not step.header.rerun_ask or context.state.answers.get(f"rerun-{step.number:04}"):
        return
    raise Unanswered(
        f"nobody knows how {step.id} ended, and it asks before it is run again",
        hint=f"look at what it did; then continue with --accept rerun-{step.number:04}, "
        f"or: orchestrator history mark-done {step.name} --reason TEXT",
    )


def _record_finished(context: RunContext) -> None:
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
            _record(context, step, last)


def run_checks(context: RunContext) -> None:
    """All checks, all failures at once. Once passed, a continued run does not ask again."""
    failed: list[Problem] = []
    for step in context.plan.checks:
        if context.state.finished(step.id):
            continue
        attempt = run_task(context, _task(step, "checks"))
        _leave_when_asked(context)
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


def _before_first_stop(context: RunContext) -> None:
    """Backup and maintenance mode, once, when something is about to be stopped."""
    config = context.config
    if config.backup and not context.state.finished(BACKUP):
        attempt = run_task(
            context,
            Task(BACKUP, "backup", "backup", config.backup.command, timeout=config.backup.timeout),
        )
        _leave_when_asked(context)
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


# Phases ----------------------------------------------------------------------------------------------


def run_phase(context: RunContext, phase: Phase) -> None:
    wanted = wanted_states(phase, context.config.services, context.state.found)
    if any(state == "down" for state in wanted.values()) and deviations(
        context, {name: state for name, state in wanted.items() if state == "down"}
    ):
        _before_first_stop(context)
    context.write(EventName.PHASE_ENTERED, phase=phase.name)
    bring(context, wanted)
    previous: Step | None = None
    for planned in context.plan.steps_of(phase):
        if not _due_now(context, planned):
            continue
        _leave_when_asked(context)
        if _drifted(context, wanted, previous):
            bring(context, wanted)
        if not planned.due:
            context.note(f"{planned.step.id} has become due: its inputs changed during this run")
        _run_step(context, planned, phase)
        context.done_steps += 1
        previous = planned.step
    _leave_when_asked(context)
    if previous:
        _drifted(context, wanted, previous)


def _due_now(context: RunContext, planned: PlannedStep) -> bool:
    """The plan's decision, and what has come to light since: a step that still ran then has finished, or an
    earlier step changed the inputs of an on-change step."""
    step = planned.step
    entry = context.history.history.get(step.name)
    if planned.due:
        if step.run_rule is RunRule.ONCE and entry is not None:
            return False
        return planned.reason is not Reason.RUNNING or not context.state.finished(step.id)
    if planned.reason is not Reason.UNCHANGED or entry is None:
        return False
    if step.header.risk and not context.state.answers.get(risk_question(step)):
        return False  # nobody was asked; the next plan does
    return entry.details.get("inputs", "") != fingerprint_inputs(step)


def _drifted(context: RunContext, wanted: Mapping[str, Wanted], previous: Step | None) -> bool:
    """Before every step and after the last: are the services what the phase promises? A step may have changed that."""
    found = deviations(context, wanted)
    for deviation in found:
        context.write(
            EventName.SERVICE_DRIFTED,
            service=deviation.service,
            wanted=deviation.wanted,
            found=deviation.found,
            after=previous.id if previous else "",
        )
    return bool(found)


def _task(step: Step, phase: str, expected: float | None = None) -> Task:
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


def _run_step(context: RunContext, planned: PlannedStep, phase: Phase) -> None:
    context.attempted.add(planned.step.id)
    step = _as_it_is_now(context, planned.step)
    attempt = run_task(context, _task(step, phase.name, planned.estimate))
    if attempt.status is StepStatus.DONE and step.in_history:
        _record(context, step, attempt)
    if attempt.status and not attempt.status.good:
        _step_failed(context, step, attempt)


def _as_it_is_now(context: RunContext, step: Step) -> Step:
    """A package manager may replace scripts at any time; what runs is what goes on record.

    Raises Unanswered when the new one has a risk that nobody agreed to.
    """
    try:
        data = step.path.read_bytes()
    except OSError:
        return step  # its start will fail, and say why
    digest = hashlib.sha256(data).hexdigest()
    if digest == step.sha256:
        return step
    context.note(f"{step.id} was changed since the plan was made; it runs as it is now")
    risk = "" if step.actions else parse_header(data.decode("utf-8", "replace"), str(step.path))[0].risk
    if risk and risk != step.header.risk:
        raise Unanswered(
            f"{step.id} was changed since the plan was made and now has a risk that nobody agreed to: {risk}",
            hint=f"to agree, continue with --accept {risk_question(step)}",
        )
    return replace(step, sha256=digest)


def _record(context: RunContext, step: Step, attempt: Attempt) -> None:
    """The line in the history, then the event that says so: the line may be there twice over, never missing."""
    details = {
        "run": context.directory.id,
        "seconds": f"{attempt.seconds:.3f}",
        **({"version": context.plan.to_version} if context.plan.to_version else {}),
        **({"inputs": attempt.inputs} if attempt.inputs else {}),
    }
    context.history.record(Entry(step.name, clock.timestamp(), attempt.sha256, Mark.DONE, details))
    context.write(EventName.HISTORY_RECORDED, step=step.id)


def _step_failed(context: RunContext, step: Step | None, attempt: Attempt) -> None:
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


def _leave_when_asked(context: RunContext) -> None:
    if context.interrupts.stop_requested:
        raise Interrupted("stopped on request")


# The ways out ----------------------------------------------------------------------------------------


def finish(context: RunContext) -> Result:
    """Everything up and ready, maintenance mode off, the version noted, the run ended."""
    wanted = wanted_states(None, context.config.services, context.state.found)
    if context.state.touched:
        bring(context, wanted)
        for debt in list(context.state.debts.values()):
            if debt.kind == "held":
                release(context, debt.service)
        leave_maintenance(context)
    _pay_what_needs_nothing(context)
    _note_version(context)
    failures = tuple(attempt for attempt in context.state.failures if attempt.step in context.attempted)
    downtime = round(context.state.downtime, 3)
    outcome = Outcome.DONE_WITH_FAILURES if failures else Outcome.DONE
    code = ExitCode.LOSSES if failures else ExitCode.DONE
    context.write(EventName.RUN_ENDED, outcome=outcome, exit_code=code, downtime=downtime)
    return Result(code, failures, downtime)


def _pay_what_needs_nothing(context: RunContext) -> None:
    """Debts of services that are up by now, or that the configuration no longer knows."""
    for debt in list(context.state.debts.values()):
        if debt.kind in ("stopped", "held"):
            if debt.service not in context.services:
                context.note(
                    f"this run left {debt.service} {debt.kind}, and the configuration knows it no more"
                )
            context.write(EventName.DEBT_PAID, kind=debt.kind, service=debt.service)


def _note_version(context: RunContext) -> None:
    if context.plan.to_version is None:
        return
    content = {"version": context.plan.to_version, "run": context.directory.id, "time": clock.timestamp()}
    try:
        files.replace_file(context.config.state_dir / VERSION_FILE, json.dumps(content).encode() + b"\n")
    except OSError as error:
        raise StateUnwritable(
            f"{context.config.state_dir / VERSION_FILE} cannot be written: {error.strerror}"
        ) from None


def stop_run(context: RunContext, error: OrchestratorError) -> None:
    """Journal why the run stops here and in what state the services are; where the disk refuses even that,
    tell it to whoever watches."""
    try:
        found = find_services(context.services)
    except OrchestratorError:
        found = {}  # the error that stopped the run is the one to tell
    fields = {
        "reason": error.message,
        "exit_code": int(error.exit_code),
        "phase": context.state.phase,
        "services": {name: "up" if fact.up else "down" for name, fact in found.items()},
        "debts": sorted(context.state.debts),
    }
    try:
        context.write(EventName.RUN_STOPPED, **fields)
    except StateUnwritable:
        event = Event(0, clock.timestamp(), clock.monotonic(), EventName.RUN_STOPPED, fields)
        context.reporter.event(event)
