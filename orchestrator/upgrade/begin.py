# SPDX-License-Identifier: GPL-3.0-or-later
"""From the command to a running upgrade: survey, plan, refusals, consent, lock, run directory.

Everything that can refuse does so before the first event of the run; a plan that is only shown goes the
same way as far as it can without a trace.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from orchestrator.config.model import Config
from orchestrator.errors import Problem, Refused, UsageError
from orchestrator.host import facts, files
from orchestrator.host.files import FileLock
from orchestrator.host.inhibitor import inhibited
from orchestrator.host.signals import Interrupts
from orchestrator.upgrade import lock as run_lock
from orchestrator.upgrade import preflight
from orchestrator.upgrade.announcing import announcing
from orchestrator.upgrade.consent import Answer, Answers, settle
from orchestrator.upgrade.context import RunContext
from orchestrator.upgrade.due import matches
from orchestrator.upgrade.history import RESERVE, HistoryFile
from orchestrator.upgrade.journal import EventName
from orchestrator.upgrade.plan import Plan, Question, make_plan
from orchestrator.upgrade.reporter import Reporter
from orchestrator.upgrade.requests import read_request
from orchestrator.upgrade.run import Result, execute
from orchestrator.upgrade.runs import RunDirectory, create_run, unfinished_run
from orchestrator.upgrade.runstate import found_to_json
from orchestrator.upgrade.setting import Setting
from orchestrator.upgrade.situation import Selection, Situation
from orchestrator.upgrade.survey import Definitions, complete, find_services, read_definitions, read_situation

if TYPE_CHECKING:
    from orchestrator.services.controlled import ControlledService


@dataclass(frozen=True, slots=True)
class UpgradeOptions:
    """The options of `orchestrator upgrade`. `wait_lock` in seconds; `invoker`: terminal, unattended, deb, rpm, boot."""

    answers: Answers = field(default_factory=Answers)
    selection: Selection = field(default_factory=Selection)
    restart: bool = False
    if_pending: bool = False
    wait_lock: float = 0.0
    invoker: str = "unattended"


@dataclass(frozen=True, slots=True)
class Dialogue:
    """The caller's side: `show` is handed the plan before the questions, `ask` None without a terminal, and
    `waiting` is told for whom we wait."""

    show: Callable[[Plan], None]
    ask: Callable[[Question], bool] | None
    waiting: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Preview:
    """A plan and what would refuse it now."""

    plan: Plan
    refusals: tuple[Problem, ...]


def preview(setting: Setting, options: UpgradeOptions) -> Preview:
    """The plan as `upgrade` would carry it out; leaves no trace. Raises Invalid, Refused, NotPermitted."""
    services = setting.services()
    plan = _plan(setting, options, read_definitions(setting.config, setting.registry), services)
    return Preview(plan, tuple(preflight.refusals(plan, setting.config, services)))


def _plan(
    setting: Setting,
    options: UpgradeOptions,
    definitions: Definitions,
    services: "Mapping[str, ControlledService]",
) -> Plan:
    situation = read_situation(setting.config, setting.registry, definitions)
    situation = complete(situation, setting.config, services)
    if options.restart and situation.resumed:
        situation.resumed.supersede()
        situation = replace(situation, saved_steps={})
    return make_plan(situation, _selection(options.selection, setting.config, situation))


def _selection(chosen: Selection, config: Config, situation: Situation) -> Selection:
    """A continued run keeps the selection it was begun with, unless a new one is given."""
    if chosen != Selection() or situation.resumed is None:
        for pattern in (*chosen.only, *chosen.skip):
            if not any(matches(pattern, step) for step in situation.steps):
                raise UsageError(
                    f"{pattern}: no step has this name or number", hint="see: orchestrator scripts list"
                )
        return chosen
    current = unfinished_run(config.state_dir)
    saved = current[0].saved_plan().get("selection", {}) if current else {}
    return Selection(tuple(saved.get("only", ())), saved.get("skip", {}))


def upgrade(
    setting: Setting, options: UpgradeOptions, reporter: Reporter, dialogue: Dialogue
) -> Result | None:
    """Upgrade, or continue the unfinished run. None: there was nothing to do.

    Raises OrchestratorError: before the run was begun nothing was touched; after that the journal knows.
    """
    definitions = read_definitions(setting.config, setting.registry)
    if (
        options.if_pending
        and not make_plan(read_situation(setting.config, setting.registry, definitions)).pending
    ):
        return None
    preflight.make_state_directory(setting.config)
    state_dir, waiting = setting.config.state_dir, dialogue.waiting
    with run_lock.acquire(state_dir, purpose="upgrade", wait=options.wait_lock, waiting=waiting) as lock:
        services = setting.services()
        if options.wait_lock:  # whom we waited for may have brought new scripts
            definitions = read_definitions(setting.config, setting.registry)
        plan = _plan(setting, options, definitions, services)
        refusals = preflight.refusals(plan, setting.config, services)
        if refusals:
            number = len(refusals)
            raise Refused(
                f"{number} reason{'s' if number > 1 else ''} not to upgrade this host now; nothing was touched",
                problems=refusals,
            )
        dialogue.show(plan)
        if not plan.due and plan.resumed is None:
            return None
        answers = settle(plan.questions, options.answers, dialogue.ask, setting.command("upgrade"))
        # Until here Ctrl-C ends the command, at a question too; from here on it is a request to the run.
        with Interrupts() as interrupts:
            context = _open_run(
                setting,
                options=options,
                plan=plan,
                services=services,
                reporter=reporter,
                interrupts=interrupts,
                lock=lock,
            )
            why = f"run {context.directory.id} upgrades {setting.config.product.name}"
            try:
                _record_answers(context, answers)
                with inhibited(why), announcing(setting, context):
                    return execute(context, restart=options.restart and plan.resumed is not None)
            finally:
                context.close()


def _open_run(  # noqa: PLR0913 - it puts together what the parts of a run share
    setting: Setting,
    *,
    options: UpgradeOptions,
    plan: Plan,
    services: "Mapping[str, ControlledService]",
    reporter: Reporter,
    interrupts: Interrupts,
    lock: FileLock,
) -> RunContext:
    """The context of a new run, or of the one that is continued, with its first events written."""
    request = read_request(setting.config.state_dir)
    history = HistoryFile(setting.config.state_dir, reserve=RESERVE)
    current = unfinished_run(setting.config.state_dir) if plan.resumed else None
    directory = current[0] if current else create_run(setting.config.state_dir, plan_to_json(plan))
    context = RunContext(
        config=setting.config,
        config_path=setting.path,
        plan=plan,
        directory=directory,
        services=services,
        reporter=reporter,
        interrupts=interrupts,
        lock=lock,
        history=history,
        state=directory.state(),
        assume_yes=options.answers.assume_yes,
        invoker=options.invoker,
        request=request,
    )
    facts_of_start = {
        "run": directory.id,
        "pid": os.getpid(),
        "user": facts.user_name(),
        "invoker": options.invoker,
        "host": facts.host_name(),
        "boot": facts.boot_id(),
        "from_version": plan.from_version,
        "to_version": plan.to_version,
        "steps": len(plan.due),
    }
    if current:
        save_plan(directory, plan)
        context.write(EventName.RUN_CONTINUED, **facts_of_start)
    else:
        context.write(EventName.RUN_STARTED, **facts_of_start)
    new = {name: fact for name, fact in find_services(services).items() if name not in context.state.found}
    if new or not current:
        context.write(EventName.SERVICES_FOUND, services=found_to_json(new))
    for name, reason in plan.selection.skip.items():
        context.write(EventName.STEP_SKIPPED, step=name, reason=reason, by=facts.user_name())
    return context


def _record_answers(context: RunContext, answers: Sequence[Answer]) -> None:
    for answer in answers:
        context.write(
            EventName.ANSWERED,
            question=answer.question,
            answer=answer.yes,
            by=answer.by,
            user=facts.user_name(),
        )


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """The plan for plan.json and `--output json` (docs/formats.md)."""
    return {
        "format": 1,
        "from_version": plan.from_version,
        "to_version": plan.to_version,
        "continues": plan.resumed,
        "selection": {"only": list(plan.selection.only), "skip": dict(plan.selection.skip)},
        "phases": [phase.name for phase in plan.entered],
        "transitions": [
            {"phase": move.phase, "stop": list(move.stop), "start": list(move.start)}
            for move in plan.transitions
        ],
        "checks": [step.id for step in plan.checks],
        "steps": [
            {
                "id": planned.step.id,
                "name": planned.step.header.name,
                "phase": planned.phase,
                "due": planned.due,
                "reason": planned.reason.value,
                "notes": list(planned.notes),
                "estimate": planned.estimate,
                "sha256": planned.step.sha256,
                "path": str(planned.step.path),
            }
            for planned in plan.steps
        ],
        "questions": [{"id": q.id, "text": q.text, "routine": q.routine} for q in plan.questions],
        "notes": list(plan.notes),
        "seconds": round(plan.seconds, 3),
        "steps_without_estimate": plan.seconds_unknown,
        "downtime": None if plan.downtime is None else round(plan.downtime, 3),
        "point_of_no_return": plan.no_return,
        "pending": plan.pending,
    }


def save_plan(directory: RunDirectory, plan: Plan) -> None:
    files.replace_file(directory.plan, json.dumps(plan_to_json(plan)).encode(), mode=0o640)
