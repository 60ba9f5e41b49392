# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking for the gate: what is pending, whether somebody is at it, which version would start. Changes nothing."""

from pathlib import Path

from orchestrator.errors import Invalid
from orchestrator.upgrade import lock
from orchestrator.upgrade.gate import Gate, judge
from orchestrator.upgrade.plan import Plan, make_plan
from orchestrator.upgrade.runstate import RunState
from orchestrator.upgrade.setting import Setting
from orchestrator.upgrade.survey import product_version, read_definitions, read_situation


def look(setting: Setting) -> tuple[Plan, Gate]:
    """What is pending, and what follows for the applications. Asks no service; of the product its version, but only
    where nothing else decides. Raises Invalid, Refused or NotPermitted."""
    config = setting.config
    definitions = read_definitions(config, setting.registry)
    situation = read_situation(config, setting.registry, definitions)
    plan = make_plan(situation)
    run = situation.resumed
    live = run if run and is_at_it(config.state_dir, run) else None

    def decide(product: str | None) -> Gate:
        return judge(plan, live=live, services=config.services, phases=definitions.phases, product=product)

    gate = decide(None)
    if gate.shut or gate.reason or not plan.from_version:
        return plan, gate
    try:
        return plan, decide(product_version(config))
    except Invalid as error:  # the command may ask an application that is not up yet
        return plan, Gate(shut=False, reason="; ".join(map(str, error.problems)) or error.message)


def is_at_it(state_dir: Path, run: RunState) -> bool:
    """Whether a process is carrying out, or recovering, this unfinished run now. Not one that only has the lock."""
    if not lock.is_held(state_dir):
        return False
    holder = lock.read_holder(state_dir)
    return holder.get("purpose") == "recover" or run.run == holder.get("run") or run.pid == holder.get("pid")
