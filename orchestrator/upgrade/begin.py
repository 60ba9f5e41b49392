# SPDX-License-Identifier: GPL-3.0-or-later
"""From the command to a running upgrade: survey, plan, refusals, consent, lock, run directory.

Everything that can refuse does so before the first event of the run; a plan that is only shown goes the
same way as far as it can without a trace.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from orchestrator import __version__
from orchestrator.config.model import Config
from orchestrator.errors import Problem, Refused, UsageError
from orchestrator.host import facts, files, package_locks
from orchestrator.host.files import FileLock
from orchestrator.host.inhibitor import inhibited
from orchestrator.host.signals import Interrupts
from orchestrator.upgrade import lock as run_lock
from orchestrator.upgrade import preflight
from orchestrator.upgrade.announcing import announcing, renew_message
from orchestrator.upgrade.consent import Answer, Answers, settle
from orchestrator.upgrade.context import RunContext
from orchestrator.upgrade.due import matches
from orchestrator.upgrade.history import RESERVE, HistoryFile
from orchestrator.upgrade.journal import EventName
from orchestrator.upgrade.plan import Plan, Question, make_plan
from orchestrator.upgrade.preload import preload
from orchestrator.upgrade.reporter import Reporter
from orchestrator.upgrade.requests import read_request, settle_request
from orchestrator.upgrade.run import Result, execute
from orchestrator.upgrade.runs import RunDirectory, create_run, unfinished_run
from orchestrator.upgrade.runstate import found_to_json
from orchestrator.upgrade.setting import Setting
from orchestrator.upgrade.situation import EVERYTHING, Selection, Situation
from orchestrator.upgrade.survey import Definitions, complete, find_services, read_definitions, read_situation

if TYPE_CHECKING:
    from orchestrator.services.controlled import ControlledService

# How often at the most an upgrade that was asked for while it ran is made again.
_MOST_AGAIN = 3


@dataclass(frozen=True, slots=True)
class UpgradeOptions:
    """The options of `orchestrator upgrade`. `wait_lock` (for another run) and `wait_packages` (for a transaction of
    the package manager) in seconds; `invoker`: terminal, unattended, deb, rpm."""

    answers: Answers = field(default_factory=Answers)
    selection: Selection = field(default_factory=Selection)
    restart: bool = False
    if_pending: bool = False
    wait_lock: float = 0.0
    wait_packages: float = 0.0
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
    """Upgrade, or continue the unfinished run. None: there was nothing to do. With `if_pending` it is done again for
    those who asked for it meanwhile: the unit they started was this very process.

    Raises OrchestratorError: before the run was begun nothing was touched; after that the journal knows.
    """
    result = _upgrade(setting, options, reporter, dialogue)
    again = replace(options, restart=False)
    for _ in range(_MOST_AGAIN):
        if result is None or not options.if_pending or read_request(setting.config.state_dir) is None:
            break
        more = _upgrade(setting, again, reporter, dialogue)
        result = result.and_then(more) if more else result
    return result


def _upgrade(
    setting: Setting, options: UpgradeOptions, reporter: Reporter, dialogue: Dialogue
) -> Result | None:
    with _agreed(setting, options, dialogue) as agreed:
        if agreed is None:
            return None
        plan = agreed.plan
        # Until here Ctrl-C ends the command, at a question too; from here on it is a request to the run.
        with Interrupts() as interrupts:
            preload(agreed.services)
            context = _open_run(
                setting,
                options=options,
                plan=plan,
                services=agreed.services,
                reporter=reporter,
                interrupts=interrupts,
                lock=agreed.lock,
            )
            why = f"run {context.directory.id} upgrades {setting.config.product.name}"
            try:
                _record_answers(context, agreed.answers)
                with inhibited(why), announcing(setting, context):
                    return execute(context, restart=options.restart and plan.resumed is not None)
            finally:
                context.close()


def consent(setting: Setting, options: UpgradeOptions, dialogue: Dialogue) -> Answers | None:
    """All that comes before a run, for one that another process is to carry out: the plan shown, nothing against it,
    its questions answered; the answers for that process. None: there is nothing to do. Raises as `upgrade` does."""
    with _agreed(setting, options, dialogue) as agreed:
        if agreed is None:
            return None
        questions = agreed.plan.questions
        risks = dict.fromkeys(question.id for question in questions if not question.routine)
        return Answers(any(question.routine for question in questions), tuple(risks))


@dataclass(frozen=True, slots=True)
class _Agreed:
    """What is to be done, and who said so, in the hands of whoever holds the lock."""

    plan: Plan
    services: "Mapping[str, ControlledService]"
    answers: tuple[Answer, ...]
    lock: FileLock


@contextlib.contextmanager
def _agreed(setting: Setting, options: UpgradeOptions, dialogue: Dialogue) -> Iterator[_Agreed | None]:
    """Under the lock: the plan made and shown, nothing against it, its questions answered. None: nothing to do."""
    definitions = read_definitions(setting.config, setting.registry)
    if options.if_pending and not _is_pending(setting, definitions):
        yield None
        return
    preflight.make_state_directory(setting.config)
    state_dir, waiting = setting.config.state_dir, dialogue.waiting
    _wait_for_packages(options, dialogue)  # without the lock: scripts of that transaction may ask for it
    with run_lock.acquire(state_dir, purpose="upgrade", wait=options.wait_lock, waiting=waiting) as lock:
        _wait_for_packages(options, dialogue)  # whom we waited for may have let one begin
        services = setting.services()
        if options.wait_lock or options.wait_packages:  # it may have brought new scripts, or done our work
            definitions = read_definitions(setting.config, setting.registry)
            if options.if_pending and not _is_pending(setting, definitions):
                yield None
                return
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
            if plan.selection == EVERYTHING:
                settle_request(state_dir, plan.request)
                renew_message(setting)
            yield None
            return
        answers = settle(plan.questions, options.answers, dialogue.ask, setting.command("upgrade"))
        yield _Agreed(plan, services, answers, lock)


def _is_pending(setting: Setting, definitions: Definitions) -> bool:
    return make_plan(read_situation(setting.config, setting.registry, definitions)).pending


def _wait_for_packages(options: UpgradeOptions, dialogue: Dialogue) -> None:
    if options.wait_packages:
        package_locks.wait_until_free(options.wait_packages, dialogue.waiting)


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
        # As the plan has it: one that was made since asks for more. Of a part of the steps none is answered.
        request=None if plan.selection.only else plan.request,
    )
    facts_of_start = {
        "run": directory.id,
        "pid": os.getpid(),
        "user": facts.user_name(),
        "invoker": options.invoker,
        "unit": facts.own_unit(),
        "product": setting.config.product.name,
        "orchestrator": __version__,
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
    # There is an answer to each question, in their order; two steps of one number share an id.
    for question, answer in zip(context.plan.questions, answers, strict=True):
        context.write(
            EventName.ANSWERED,
            question=answer.question,
            text=question.text,
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
            {
                "phase": move.phase,
                "stop": list(move.stop),
                "start": list(move.start),
                "seconds": round(move.seconds, 3),
            }
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
                **({"inputs": planned.inputs} if planned.inputs else {}),
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
