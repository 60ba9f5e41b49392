# SPDX-License-Identifier: GPL-3.0-or-later
"""May an application start on this data? What `orchestrator pending` answers, to people and to ExecCondition=. Pure.

Not while an upgrade is pending, nor with a product older than its data. The run itself must get past the gate: it
starts the applications at its end, and steps of a phase in which they are up may restart them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.config.model import AnyService
from orchestrator.upgrade.phases import Phase
from orchestrator.upgrade.plan import Plan
from orchestrator.upgrade.runstate import RunState
from orchestrator.upgrade.versions import compare_versions


@dataclass(frozen=True, slots=True)
class Gate:
    """`shut`: applications must not start; `reason` in words, empty when there is nothing to say."""

    shut: bool
    reason: str = ""


def judge(
    plan: Plan,
    *,
    live: RunState | None,
    services: Mapping[str, AnyService],
    phases: Iterable[Phase],
    product: str | None,
) -> Gate:
    """`live`: the unfinished run, while a process is at it; `product`: the version that would start, if it is known."""
    if live is not None and lets_applications_up(live, services, phases):
        return Gate(shut=False, reason=f"run {live.run} is under way and has the applications up")
    if plan.resumed:
        what = "under way" if live is not None else "unfinished"
        return Gate(shut=True, reason=f"run {plan.resumed} is {what}")
    if plan.waiting:
        number = len(plan.waiting)
        return Gate(shut=True, reason=f"{number} step{'s are' if number > 1 else ' is'} due")
    if plan.asked_for and plan.request:
        return Gate(shut=True, reason=f"{plan.request.by} asked for an upgrade: {plan.request.reason}")
    if plan.from_version and product and compare_versions(plan.from_version, product) > 0:
        return Gate(shut=True, reason=f"the data was last upgraded by {plan.from_version}, this is {product}")
    return Gate(shut=False)


def lets_applications_up(live: RunState, services: Mapping[str, AnyService], phases: Iterable[Phase]) -> bool:
    """Whether the process at this run has entered a phase in which applications are up, or has begun to start one."""
    entered = next((phase for phase in phases if phase.name == live.entered), None)
    if entered is not None and entered.wants("application") == "up":
        return True
    return any(name in services and services[name].tier == "application" for name in live.raised)
