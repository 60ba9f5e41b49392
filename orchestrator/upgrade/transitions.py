# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing services into the state a phase promises, and verifying that they are in it.

What is stopped or masked is a debt: it stands in the journal before it is made, and every way out, or
`orchestrator recover`, pays it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.errors import Interrupted, OrchestratorError
from orchestrator.host import clock
from orchestrator.services.order import reversed_prerequisites
from orchestrator.services.parallel import run_in_order
from orchestrator.services.service import Readiness, Verdict
from orchestrator.upgrade.context import RunContext
from orchestrator.upgrade.journal import EventName
from orchestrator.upgrade.phases import Wanted
from orchestrator.upgrade.reporter import Progress
from orchestrator.upgrade.runstate import Debt
from orchestrator.upgrade.targets import dependencies

_NONE: Mapping[str, Wanted] = {}


@dataclass(frozen=True, slots=True)
class Deviation:
    """A service that is not in the wanted state, and what is seen instead."""

    service: str
    wanted: Wanted
    found: str


def deviations(
    context: RunContext, wanted: Mapping[str, Wanted], seen: Mapping[str, Wanted] = _NONE
) -> list[Deviation]:
    """Services that are not as wanted, all asked in parallel; those `seen` just now are not asked again."""
    from concurrent.futures import ThreadPoolExecutor

    def look(name: str) -> Deviation | None:
        if name in seen:
            return None if seen[name] == wanted[name] else Deviation(name, wanted[name], seen[name])
        service = context.services[name]
        if wanted[name] == "down":
            reasons = service.why_not_down(context.seen.get(name, set()))
            return Deviation(name, "down", "; ".join(reasons)) if reasons else None
        verdict = service.readiness()
        if verdict.readiness is Readiness.READY:
            return None
        return Deviation(name, "up", verdict.reason or verdict.readiness.value)

    if not wanted:
        return []
    with ThreadPoolExecutor(min(8, len(wanted))) as pool:
        return [found for found in pool.map(look, wanted) if found is not None]


def bring(context: RunContext, wanted: Mapping[str, Wanted], seen: Mapping[str, Wanted] = _NONE) -> None:
    """Stop and start what is needed so that every service is as wanted: down verified, up ready.

    `seen`: how a look just now has found services; they are not looked at again before that.
    Raises ServiceFailed, or Interrupted when a stop was requested meanwhile.
    """
    away = {deviation.service: deviation.wanted for deviation in deviations(context, wanted, seen)}
    stop_down(context, wanted, {name for name, state in away.items() if state == "down"})
    start_up(context, {name for name, state in away.items() if state == "up"})


def stop_down(context: RunContext, wanted: Mapping[str, Wanted], stop: set[str]) -> None:
    """Stop `stop`; hold everything that is wanted down, so that nothing revives it."""
    services = context.config.services
    unheld = {
        name
        for name, state in wanted.items()
        if state == "down" and name not in stop and Debt("held", name).id not in context.state.debts
    }
    for name in sorted(unheld):
        _hold(context, name)
    if stop:
        run_in_order(reversed_prerequisites(dependencies(stop, services)), lambda name: _stop(context, name))


def _stop(context: RunContext, name: str) -> None:
    _leave_when_asked(context)
    service = context.services[name]
    context.write(EventName.DEBT, kind="stopped", service=name)
    context.write(EventName.SERVICE_STOPPING, service=name)
    began = clock.monotonic()
    _tell(context, name, "stopping", began)
    try:
        context.seen[name] = service.stop()
        _hold(context, name)
        service.verify_down(context.seen[name], service.spec.stop_timeout)
    except OrchestratorError as error:
        _failed(context, name, error)
        raise
    context.write(EventName.SERVICE_DOWN, service=name, seconds=round(clock.monotonic() - began, 3))


def _hold(context: RunContext, name: str) -> None:
    context.write(EventName.DEBT, kind="held", service=name)
    context.services[name].manager.hold()


def start_up(context: RunContext, names: set[str]) -> None:
    """Start `names` in order and wait until each is ready."""
    if names:
        run_in_order(dependencies(names, context.config.services), lambda name: _start(context, name))


def _start(context: RunContext, name: str) -> None:
    _leave_when_asked(context)
    service = context.services[name]
    began = clock.monotonic()

    def observe(verdict: Verdict) -> None:
        _tell(context, name, "waiting for", began, verdict.reason)

    try:
        release(context, name)
        context.write(EventName.SERVICE_STARTING, service=name)
        if service.spec.manager != "external":
            service.start()
        service.wait_ready(lambda: context.interrupts.stop_requested, observe)
    except OrchestratorError as error:
        if not isinstance(error, Interrupted):
            _failed(context, name, error)
        raise
    context.write(EventName.SERVICE_READY, service=name, seconds=round(clock.monotonic() - began, 3))
    if Debt("stopped", name).id in context.state.debts:
        context.write(EventName.DEBT_PAID, kind="stopped", service=name)


def release(context: RunContext, name: str) -> None:
    """Let `name` be started again by whoever wants to."""
    if name in context.services and Debt("held", name).id in context.state.debts:
        context.services[name].manager.release()
        context.write(EventName.DEBT_PAID, kind="held", service=name)


def _failed(context: RunContext, name: str, error: OrchestratorError) -> None:
    log = [str(problem) for problem in error.problems]
    context.write(EventName.SERVICE_FAILED, service=name, reason=error.message, log=log)


def _leave_when_asked(context: RunContext) -> None:
    if context.interrupts.stop_requested:
        raise Interrupted("stopped on request")


def _tell(context: RunContext, name: str, verb: str, began: float, reason: str = "") -> None:
    context.progress(
        Progress(
            run=context.directory.id,
            phase=context.state.phase or "",
            step=f"{verb} {name}: {reason}" if reason else f"{verb} {name}",
            number=context.done_steps,
            total=context.due_steps,
            elapsed=clock.monotonic() - began,
            expected=None,
            quiet=0.0,
            service=name,
            reason=reason,
        )
    )
