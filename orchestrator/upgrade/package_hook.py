# SPDX-License-Identifier: GPL-3.0-or-later
"""What `orchestrator hook deb` and `hook rpm` do, at the end of a transaction of the package manager.

Look (what is due, where are we), decide (`hooking`), and do it: run the upgrade in this process, or leave a request
and say what is pending, why it was not run, and what will run it.
"""

import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from orchestrator.errors import Invalid, OrchestratorError, Refused, Unanswered
from orchestrator.host import facts
from orchestrator.upgrade import lock
from orchestrator.upgrade.consent import Answers, how_to_answer
from orchestrator.upgrade.dataversion import data_version
from orchestrator.upgrade.hooking import (
    Circumstances,
    Decision,
    Deed,
    Live,
    Work,
    decide,
    exit_code_of,
)
from orchestrator.upgrade.plan import Plan, make_plan
from orchestrator.upgrade.requests import Request, record_request
from orchestrator.upgrade.runs import unfinished_run
from orchestrator.upgrade.setting import Setting
from orchestrator.upgrade.survey import product_version, read_definitions, read_situation
from orchestrator.upgrade.versions import compare_versions

if TYPE_CHECKING:
    from orchestrator.upgrade.begin import Dialogue
    from orchestrator.upgrade.reporter import Reporter

# What only some calls need is imported where it is needed: most calls find nothing to do.
Kind = Literal["deb", "rpm"]
_ANSWERS = Answers(assume_yes=True)


@dataclass(frozen=True, slots=True)
class Hook:
    """A call by a package's script. `by` is who asked, for the request; `tell` takes a line for people."""

    setting: Setting
    kind: Kind
    by: str
    tell: Callable[[str], None]


def name_asker(kind: Kind, names: Iterable[str], environ: Mapping[str, str] = os.environ) -> str:
    """`deb bookshelf (orchestrator-upgrade)`: the package whose script runs, and what triggered it."""
    package = environ.get("DPKG_MAINTSCRIPT_PACKAGE", "") if kind == "deb" else ""
    triggers = " ".join(dict.fromkeys(word for name in names for word in name.split()))
    return " ".join(word for word in (kind, package, f"({triggers})" if triggers else "") if word)


def run_hook(hook: Hook, reporter: "Reporter", dialogue: "Dialogue") -> int:
    """Do what is to be done now; the exit code for the package manager.

    Raises OrchestratorError where an upgrade that was run, or could not be, failed. Where no run is left that tells of
    that, a request is.
    """
    try:
        return _run_hook(hook, reporter, dialogue)
    except OrchestratorError as error:
        if unfinished_run(hook.setting.config.state_dir) is None:
            _leave_trace(hook, error)
        raise


def _run_hook(hook: Hook, reporter: "Reporter", dialogue: "Dialogue") -> int:
    work, here = _look(hook)
    decision = decide(work, here, hook.setting.config.hook)
    if decision.deed is Deed.RUN:
        try:
            return _run(hook, reporter, dialogue)
        except lock.Locked as error:  # since we looked
            work, here = _look(hook)
            decision = decide(work, replace(here, live=here.live or Live(error.message)), "run")
        except Unanswered:
            if unfinished_run(hook.setting.config.state_dir):
                raise
            work, here = _look(hook)
            decision = replace(decide(work, here, "run"), deed=Deed.RECORD, announce=True)
    if decision.deed is Deed.NOTHING:
        hook.tell(decision.why or "nothing to do")
    else:
        _leave_request(hook, work, decision)
    return 0


def _run(hook: Hook, reporter: "Reporter", dialogue: "Dialogue") -> int:
    from orchestrator.upgrade.begin import UpgradeOptions, upgrade

    options = UpgradeOptions(answers=_ANSWERS, invoker=hook.kind)
    result = upgrade(hook.setting, options, reporter, dialogue)
    if result is None:
        hook.tell("nothing to do")
        return 0
    return exit_code_of(result.exit_code)


# Looking ----------------------------------------------------------------------------------------------


def _look(hook: Hook) -> tuple[Work, Circumstances]:
    """Raises Invalid with everything that is wrong with configuration, phases and scripts."""
    setting, config = hook.setting, hook.setting.config
    definitions = read_definitions(config, setting.registry)
    situation = read_situation(config, setting.registry, definitions)
    known = True
    try:
        version = product_version(config)
    except Invalid as error:
        # It may need a host at work, or be gone with the product. An upgrade would refuse for it.
        hook.tell(": ".join([error.message, *map(str, error.problems)]))
        version, known = None, False
    plan = make_plan(replace(situation, to_version=version))
    work = replace(_work_of(plan), version_known=known)
    return work, Circumstances(_obstacles(hook), _live(hook, plan)) if work.any else Circumstances()


def _obstacles(hook: Hook) -> tuple[str, ...]:
    from orchestrator.host.circumstances import obstacles
    from orchestrator.upgrade.units import UPGRADE

    services = hook.setting.config.services.values()
    own = [service.unit for service in services if service.manager == "systemd"]
    return obstacles([*own, UPGRADE], policy=hook.kind == "deb")


def _work_of(plan: Plan) -> Work:
    return Work(
        steps=tuple(planned.step.id for planned in plan.waiting),
        due=len(plan.due),
        unfinished=plan.resumed,
        requested=plan.request is not None,
        from_version=plan.from_version,
        to_version=plan.to_version,
        packaging=tuple(planned.step.id for planned in plan.due if planned.step.header.package_manager),
        questions=tuple(question for question in plan.questions if _ANSWERS.to(question) is None),
    )


def _live(hook: Hook, plan: Plan) -> Live | None:
    """Who holds the run lock, and whether it does what is due now."""
    state_dir = hook.setting.config.state_dir
    if not lock.is_held(state_dir):
        return None
    holder = lock.read_holder(state_dir)
    who = lock.describe_holder(holder)
    current = unfinished_run(state_dir)
    if current is None or current[1].pid != holder.get("pid"):
        return Live(who)
    saved = current[0].saved_plan()
    in_plan = {(step["id"], step["sha256"]) for step in saved.get("steps", []) if step["due"]}
    waiting = {(planned.step.id, planned.step.sha256) for planned in plan.waiting}
    return Live(who, covers=waiting <= in_plan and plan.to_version == saved.get("to_version"))


# Leaving it -------------------------------------------------------------------------------------------


def _leave_request(hook: Hook, work: Work, decision: Decision) -> None:
    from orchestrator.upgrade import announcing, preflight

    config = hook.setting.config
    preflight.make_state_directory(config)
    request = record_request(config.state_dir, Request(hook.by, decision.why, at_boot=decision.at_boot))
    hook.tell(f"an upgrade of {config.product.name} is pending: {describe_work(work)}")
    hook.tell(f"it is not run now: {decision.why}")
    for line in _who_runs_it(hook, work, decision, request):
        hook.tell(line)
    problems = (
        announcing.announce_pending(hook.setting, request)
        if decision.announce
        else announcing.renew_message(hook.setting)
    )
    for problem in problems:
        hook.tell(problem)


def _leave_trace(hook: Hook, error: OrchestratorError) -> None:
    """Of a refusal that only the output of the transaction would know."""
    from orchestrator.upgrade import announcing, preflight

    config = hook.setting.config
    reason = ": ".join(filter(None, [error.message, "; ".join(map(str, error.problems))]))
    try:
        preflight.make_state_directory(config)
        request = record_request(config.state_dir, Request(hook.by, reason))
    except OrchestratorError as failure:  # the refusal is what counts
        hook.tell(failure.message)
        return
    for problem in announcing.announce_pending(hook.setting, request):
        hook.tell(problem)


def describe_work(work: Work) -> str:
    """What there is to do, in a few words. Pure."""
    told = []
    if work.unfinished:
        told.append(f"run {work.unfinished} is unfinished")
    if work.new_version:
        told.append(f"version {work.from_version or 'unknown'} to {work.to_version}")
    if work.steps:
        number = len(work.steps)
        told.append(f"{number} step{'s are' if number > 1 else ' is'} due ({_some(work.steps)})")
    return "; ".join(told) or f"{work.due} step{'s' if work.due > 1 else ''} to run"


def _some(names: Sequence[str], most: int = 5) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _who_runs_it(hook: Hook, work: Work, decision: Decision, request: Request) -> Iterator[str]:
    from orchestrator.upgrade import units
    from orchestrator.upgrade.boot_hook import runs_at_next_boot

    command = hook.setting.command("upgrade")
    if not work.version_known and not decision.at_boot:
        yield f"when that is mended, run: {command}"
        yield f"if the product is gone for good, purge its package, or: rm {shlex.quote(str(hook.setting.path))}"
        return
    if work.questions:
        for question in work.questions:
            yield f"it asks: {question.text} ({how_to_answer(question)})"
        options = [f"--accept {question.id}" for question in work.questions]
        yield f"run it from a terminal, or with the consent in the command: {command} -y {' '.join(options)}"
        return
    if decision.start and facts.systemd_runs() and units.is_installed(units.UPGRADE):
        problem = units.start(units.UPGRADE)
        if not problem:
            yield f"{units.UPGRADE} was started, waits for that, and runs it; see: {hook.setting.command('status')}"
            return
        yield f"{units.UPGRADE} could not be started: {problem}"
    current = unfinished_run(hook.setting.config.state_dir)
    if decision.at_boot and runs_at_next_boot(hook.setting.config, current[1] if current else None, request):
        yield f"the next boot runs it; or run: {command}"
    else:
        yield f"run: {command}"


# Before a package is unpacked -------------------------------------------------------------------------


def refuse_before(hook: Hook, version: str) -> None:
    """For a product's script that runs before `version` of it is unpacked. Raises Refused when the data is newer, or
    a run is under way of which this transaction is no step."""
    config = hook.setting.config
    data = data_version(config.state_dir)
    if data and compare_versions(data, version) > 0:
        raise Refused(
            f"the data of {config.product.name} was last upgraded by {data}, this is {version}",
            hint="install that version or a newer one; or restore a backup made with this one",
        )
    if not lock.is_held(config.state_dir):
        return
    holder = lock.read_holder(config.state_dir)
    if holder.get("pid") not in facts.ancestors() and holder.get("purpose") != "history":
        raise Refused(
            f"{lock.describe_holder(holder)} is under way; its steps need the product as it is",
            hint=f"wait for its end; see: {hook.setting.command('status')}",
        )
