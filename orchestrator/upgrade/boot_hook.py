# SPDX-License-Identifier: GPL-3.0-or-later
"""What `orchestrator hook boot` does, once at every boot: go on with what was left, where that is wanted, and tell."""

from collections.abc import Callable

from orchestrator.host import facts
from orchestrator.upgrade import announcing, lock, units
from orchestrator.upgrade.hooking import Left, decide_boot
from orchestrator.upgrade.plan import make_plan
from orchestrator.upgrade.setting import Setting
from orchestrator.upgrade.survey import read_situation


def run_boot_hook(setting: Setting, tell: Callable[[str], None]) -> None:
    """Raises Invalid with everything that is wrong with configuration, phases and scripts."""
    config = setting.config
    for problem in announcing.announce_boot(setting):
        tell(problem)
    decision = decide_boot(_look(setting), config.hook, resume=config.resume_at_boot)
    if decision.start:
        tell(decision.why)
        problem = _start()
        tell(
            f"{units.UPGRADE} could not be started: {problem}" if problem else f"{units.UPGRADE} was started"
        )
        if not problem:
            return
    elif not decision.why:
        tell("nothing to do")
        return
    else:
        tell(f"{decision.why}; left to an administrator")
    tell(f"run: {setting.command('upgrade')}")


def _look(setting: Setting) -> Left:
    situation = read_situation(setting.config, setting.registry)
    plan, run = make_plan(situation), situation.resumed
    return Left(
        run=run.run if run else None,
        stopped=run.stop_reason if run else "",
        asked=plan.request.by if plan.request and plan.asked_for else None,
        at_boot=plan.request is not None and plan.request.at_boot,
        steps=len(plan.waiting),
        live=lock.is_held(setting.config.state_dir),
    )


def _start() -> str:
    if not facts.systemd_runs():
        return "systemd does not run here"
    if not units.is_installed(units.UPGRADE):
        return "there is no such unit"
    return units.start(units.UPGRADE)
