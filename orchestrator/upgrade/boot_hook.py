# SPDX-License-Identifier: GPL-3.0-or-later
"""What `orchestrator hook boot` does, once at every boot: go on with what was left, where that is wanted, and tell."""

from collections.abc import Callable
from dataclasses import replace

from orchestrator.config.model import Config
from orchestrator.errors import ServiceFailed
from orchestrator.host import facts
from orchestrator.upgrade import announcing, lock, units
from orchestrator.upgrade.hooking import Left, decide_boot, left_by
from orchestrator.upgrade.plan import make_plan
from orchestrator.upgrade.requests import Request
from orchestrator.upgrade.runs import unfinished_run
from orchestrator.upgrade.runstate import RunState
from orchestrator.upgrade.setting import Setting
from orchestrator.upgrade.survey import read_situation


def run_boot_hook(setting: Setting, tell: Callable[[str], None]) -> None:
    """Commands of `notify:` may take their time: they come when all else is done.

    Raises Invalid with everything that is wrong with configuration, phases and scripts, ServiceFailed where the upgrade
    was to be started and could not be.
    """
    config = setting.config
    announcing.renew_message(setting)  # what goes wrong with it is told below
    decision = decide_boot(_look(setting), config.hook, resume=config.resume_at_boot)
    problem = ""
    if decision.start:
        tell(decision.why)
        problem = _start()
        if not problem:
            tell(f"{units.UPGRADE} was started")
    elif decision.why:
        tell(f"{decision.why}; left to an administrator")
        tell(f"run: {setting.command('upgrade')}")
    else:
        tell("nothing to do")
    for line in announcing.announce_boot(setting):
        tell(line)
    if problem:
        raise ServiceFailed(
            f"{units.UPGRADE} could not be started: {problem}", hint=f"run: {setting.command('upgrade')}"
        )


def runs_at_next_boot(config: Config, run: RunState | None, request: Request) -> bool:
    """Whether the next boot answers the request. `run`: the newest, as its journal has it; it may have ended."""
    unfinished = run if run and run.unfinished else None
    in_flight = run.in_flight if run else None
    left = left_by(unfinished, in_flight.step if in_flight else "", request)
    wanted = decide_boot(left, config.hook, resume=config.resume_at_boot).start
    return wanted and units.is_installed(units.BOOT)


def _look(setting: Setting) -> Left:
    state_dir = setting.config.state_dir
    current = unfinished_run(state_dir)
    in_flight = current[1].in_flight if current else None
    situation = read_situation(
        setting.config, setting.registry
    )  # knows what became of that step, if anybody does
    plan = make_plan(situation)
    left = left_by(
        situation.resumed,
        in_flight.step if in_flight else "",
        plan.request if plan.asked_for else None,
    )
    return replace(left, steps=len(plan.waiting), live=lock.is_held(state_dir))


def _start() -> str:
    if not facts.systemd_runs():
        return "systemd does not run here"
    if not units.is_installed(units.UPGRADE):
        return "there is no such unit"
    return units.start(units.UPGRADE)
