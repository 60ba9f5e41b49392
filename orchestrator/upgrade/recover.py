# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator recover`: pay what an unfinished run owes, and nothing else.

Masked units are released, stopped services started and waited for, maintenance mode is left. The run
stays unfinished: the next `upgrade` continues it, and stops again what its steps need stopped.
"""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.errors import Busy
from orchestrator.host.signals import Interrupts
from orchestrator.upgrade import lock as run_lock
from orchestrator.upgrade.announcing import announce_recovery
from orchestrator.upgrade.context import RunContext
from orchestrator.upgrade.history import History, HistoryFile
from orchestrator.upgrade.journal import EventName
from orchestrator.upgrade.plan import Plan, make_plan
from orchestrator.upgrade.preload import preload
from orchestrator.upgrade.reporter import Reporter
from orchestrator.upgrade.runs import check_format, unfinished_run
from orchestrator.upgrade.runstate import Debt, RunState
from orchestrator.upgrade.safeguards import leave_maintenance
from orchestrator.upgrade.setting import Setting
from orchestrator.upgrade.situation import Situation
from orchestrator.upgrade.survey import peek_in_flight
from orchestrator.upgrade.targets import wanted_states
from orchestrator.upgrade.transitions import bring, release


@dataclass(frozen=True, slots=True)
class Recovery:
    """The run that was recovered (None: nothing owed anything) and what was paid."""

    run: str | None
    paid: tuple[Debt, ...] = ()


def recover(
    setting: Setting,
    reporter: Reporter,
    *,
    wait_lock: float = 0.0,
    waiting: Callable[[str], None] = lambda _: None,
) -> Recovery:
    """Raises ServiceFailed, StepFailed, Busy (also while a step of the dead run is still running)."""
    config = setting.config
    if not config.state_dir.is_dir():
        return Recovery(None)
    check_format(config.state_dir)
    with (
        run_lock.acquire(config.state_dir, purpose="recover", wait=wait_lock, waiting=waiting) as lock,
        Interrupts() as interrupts,
    ):
        current = unfinished_run(config.state_dir)
        if current is None or not current[1].debts:
            return Recovery(None)
        directory, state = current
        services = setting.services()
        peek_in_flight(directory, state)
        if state.in_flight:
            raise Busy(
                f"{state.in_flight.step} of run {directory.id} is still running",
                hint="continue the run, which waits for it: orchestrator upgrade",
            )
        preload(services)
        context = RunContext(
            config=config,
            config_path=setting.path,
            plan=_nothing_to_run(setting, state),
            directory=directory,
            services=services,
            reporter=reporter,
            interrupts=interrupts,
            lock=lock,
            history=HistoryFile(config.state_dir),
            state=directory.state(),
        )
        try:
            return _pay(context)
        finally:
            announce_recovery(setting, context)
            context.close()


def _nothing_to_run(setting: Setting, state: RunState) -> Plan:
    """The plan of a recovery. Phases and scripts are not read: they may be what is broken."""
    return make_plan(
        Situation(
            services=setting.config.services,
            phases=(),
            steps=(),
            masked=(),
            history=History(),
            found=state.found,
            from_version=state.from_version,
            to_version=state.to_version,
        )
    )


def _pay(context: RunContext) -> Recovery:
    owed = tuple(context.state.debts.values())
    held = [debt.service for debt in owed if debt.kind == "held" and debt.service in context.services]
    wanted = wanted_states(None, context.config.services, context.state.found)
    for name in held:
        if name not in wanted:
            release(context, name)
    bring(context, wanted)
    for name in held:
        release(context, name)
    leave_maintenance(context)
    for debt in list(context.state.debts.values()):
        context.write(EventName.DEBT_PAID, kind=debt.kind, service=debt.service)
    context.write(EventName.RECOVERED, paid=[debt.id for debt in owed])
    return Recovery(context.directory.id, owed)
