# SPDX-License-Identifier: GPL-3.0-or-later
"""The run loop: checks, backup, phases with their steps, everything up again.

It may die at any instant. What it did, does and owes stands in the journal, and `begin` of a later
process goes on from there.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.errors import ExitCode, OrchestratorError, StateUnwritable, Unanswered
from orchestrator.host import clock
from orchestrator.upgrade.context import RunContext
from orchestrator.upgrade.dataversion import note_version
from orchestrator.upgrade.due import PlannedStep, Reason
from orchestrator.upgrade.execution import run_task
from orchestrator.upgrade.header import RunRule, parse_header
from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.phases import Phase, Wanted
from orchestrator.upgrade.plan import risk_question
from orchestrator.upgrade.requests import settle_request
from orchestrator.upgrade.runstate import Attempt, Outcome, StepStatus
from orchestrator.upgrade.runsteps import leave_when_asked, raise_failure, record, task_of
from orchestrator.upgrade.safeguards import before_first_stop, leave_maintenance, run_checks
from orchestrator.upgrade.scripts import Step, fingerprint_inputs
from orchestrator.upgrade.settling import record_finished, settle_in_flight
from orchestrator.upgrade.survey import find_services
from orchestrator.upgrade.targets import wanted_states
from orchestrator.upgrade.transitions import bring, deviations, release


@dataclass(frozen=True, slots=True)
class Result:
    """How the command ends: exit code, what was left failing, what is done with losses, seconds without service."""

    exit_code: ExitCode
    failures: tuple[Attempt, ...] = ()
    losses: tuple[Attempt, ...] = ()
    downtime: float = 0.0

    def and_then(self, later: "Result") -> "Result":
        """Of this run and one after it together."""
        return Result(
            max(self.exit_code, later.exit_code),
            self.failures + later.failures,
            self.losses + later.losses,
            self.downtime + later.downtime,
        )


def execute(context: RunContext, *, restart: bool = False) -> Result:
    """Carry the plan out; with `restart` finished steps of the run do not count.

    Raises OrchestratorError; then the journal says how to go on.
    """
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
    context.start_shim()
    record_finished(context)
    if restart:
        context.write(EventName.RUN_RESTARTED)
    run_checks(context)
    seen: Mapping[str, Wanted] = {}
    for phase in context.plan.phases:
        if any(_due_now(context, planned) for planned in context.plan.steps_of(phase)):
            seen = run_phase(context, phase, seen)
    return finish(context, seen)


# Phases ----------------------------------------------------------------------------------------------


def run_phase(context: RunContext, phase: Phase, seen: Mapping[str, Wanted]) -> Mapping[str, Wanted]:
    """The due steps of a phase, in its service state. `seen`: services that a look has just found so; returned is
    what the look after the last step has found."""
    wanted = wanted_states(phase, context.config.services, context.state.found)
    down = {name: state for name, state in wanted.items() if state == "down"}
    if deviations(context, down, seen):
        before_first_stop(context)
        seen = {}  # a backup may take long
    context.write(EventName.PHASE_ENTERED, phase=phase.name)
    bring(context, wanted, seen)
    previous: Step | None = None
    for planned in context.plan.steps_of(phase):
        if not _due_now(context, planned):
            continue
        leave_when_asked(context)
        if _drifted(context, wanted, previous):
            bring(context, wanted)
        if not planned.due:
            context.note(f"{planned.step.id} has become due: its inputs changed during this run")
        _run_step(context, planned, phase)
        context.done_steps += 1
        previous = planned.step
    leave_when_asked(context)
    return wanted if previous and not _drifted(context, wanted, previous) else {}


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


def _run_step(context: RunContext, planned: PlannedStep, phase: Phase) -> None:
    context.attempted.add(planned.step.id)
    step = _as_it_is_now(context, planned.step)
    attempt = run_task(context, task_of(step, phase.name, planned.estimate))
    if attempt.status is StepStatus.DONE and step.in_history:
        record(context, step, attempt)
    if attempt.status and not attempt.status.good:
        raise_failure(context, step, attempt)


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


# The ways out ----------------------------------------------------------------------------------------


def finish(context: RunContext, seen: Mapping[str, Wanted]) -> Result:
    """Everything up and ready, maintenance mode off, the version noted, the run ended. `seen` as for `run_phase`."""
    wanted = wanted_states(None, context.config.services, context.state.found)
    if context.state.touched:
        bring(context, wanted, seen)
        for debt in list(context.state.debts.values()):
            if debt.kind == "held":
                release(context, debt.service)
        leave_maintenance(context)
    _pay_what_needs_nothing(context)
    _note_version(context)
    failures = tuple(attempt for attempt in context.state.failures if attempt.step in context.attempted)
    downtime = round(context.state.downtime, 3)
    losses = tuple(context.state.losses)
    outcome = Outcome.DONE_WITH_LOSSES if losses else Outcome.DONE
    outcome = Outcome.DONE_WITH_FAILURES if failures else outcome
    code = ExitCode.LOSSES if failures or losses else ExitCode.DONE
    settle_request(context.config.state_dir, context.request)
    lost = {"losses": {attempt.step: attempt.losses for attempt in losses}} if losses else {}
    context.write(EventName.RUN_ENDED, outcome=outcome, exit_code=code, downtime=downtime, **lost)
    return Result(code, failures, losses, downtime)


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
    if context.plan.to_version is not None:
        note_version(context.config.state_dir, context.plan.to_version, context.directory.id)


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
