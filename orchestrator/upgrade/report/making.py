# SPDX-License-Identifier: GPL-3.0-or-later
"""From a run on the disk to its report."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from orchestrator import __version__
from orchestrator.upgrade.report import outcome, remarks, steps, timeline
from orchestrator.upgrade.report.cleaning import Editor, Redacting, Untouched
from orchestrator.upgrade.report.elapsed import Axis, place
from orchestrator.upgrade.report.material import Material, read_log_end, read_material
from orchestrator.upgrade.report.model import Left, Output, Report, ServiceFacts, Stretch
from orchestrator.upgrade.runs import RunDirectory
from orchestrator.upgrade.runstate import Found


def plain_command(words: str) -> str:
    return f"orchestrator {words}"


def make_report(
    state_dir: Path,
    run: RunDirectory,
    *,
    product: str = "",
    command: Callable[[str], str] = plain_command,
    redactor: Redacting | None = None,
) -> Report:
    """Everything about `run`, read once. `product` is used where the journal does not name it; `command` makes a
    command line of a command's words; `redactor` takes secrets out of every text. Raises OSError."""
    edit = Editor(redactor or Untouched())

    def read_output(step: str, number: int) -> Output | None:
        end = read_log_end(run.step_file(step, number, "log"))
        return edit.output(*end) if end else None

    return build(read_material(state_dir, run), read_output, edit, product, command)


def build(
    material: Material,
    read_output: steps.ReadOutput,
    edit: Editor,
    product: str = "",
    command: Callable[[str], str] = plain_command,
) -> Report:
    """The report of `material`; of the disk only the logs of failed steps are asked for."""
    state, plan, events = material.state, material.plan, material.events
    axis = place(events, material.now)
    live = material.now is not None
    begun = steps.steps_begun(axis, material.in_flight, edit, live=live)
    facts = steps.step_facts(begun, plan, material.usual, read_output, edit)
    told = remarks.remarks(axis, edit)
    verdict = outcome.verdict_of(state, live=live)
    processes = timeline.sessions(axis, edit, running=live)
    downtimes, still_down = timeline.downtimes(axis)
    first = events[0] if events else None
    left = outcome.left_to_do(state, plan, verdict, facts, command) if material.newest else Left()
    left = replace(left, debts=tuple(map(edit.name, left.debts)), steps=tuple(map(edit.name, left.steps)))
    return Report(
        run=material.directory.id,
        number=material.directory.number,
        directory=str(material.directory.path),
        product=edit.name(_last_told(material, "product") or product or "this server"),
        host=edit.name(_last_told(material, "host")),
        orchestrator=edit.name(_last_told(material, "orchestrator")),
        made=material.made,
        made_by=__version__,
        verdict=verdict,
        headline=edit.name(outcome.headline(verdict, state, facts, told)),
        reason=edit.text(outcome.reason(verdict, state, facts)),
        exit_code=state.exit_code,
        from_version=_text_or_none(state.from_version, edit),
        to_version=_text_or_none(state.to_version, edit),
        started=state.started or (first.time if first else ""),
        ended=state.ended,
        last=events[-1].time if events else "",
        seconds=axis.end,
        seconds_at_work=axis.at_work,
        expected_seconds=plan.seconds if plan.fresh else None,
        downtime=sum(stretch.until - stretch.at for stretch in downtimes),
        still_down=still_down,
        expected_downtime=plan.downtime if plan.fresh else None,
        user=processes[0].user if processes else "",
        invoker=processes[0].invoker if processes else "",
        selection=edit.name(_selection(plan.only, tuple(plan.skip))),
        left=left,
        sessions=processes,
        gaps=timeline.gaps(axis, processes),
        phases=timeline.phases(axis, edit),
        downtimes=downtimes,
        steps=facts,
        services=_services(material, axis, edit),
        consents=remarks.consents(axis, plan, edit),
        remarks=told,
        not_due=steps.not_due(plan, begun, edit),
        plan_notes=tuple(edit.text(note) for note in plan.notes),
        earlier_runs=material.earlier_runs,
        redacted=edit.redacted,
        damaged=material.damaged,
    )


def _last_told(material: Material, key: str) -> str:
    """What the last process that was at work said of itself."""
    told = [str(event[key]) for event in material.events if event.get(key) and event.get("boot")]
    return told[-1] if told else ""


def _text_or_none(value: str | None, edit: Editor) -> str | None:
    return None if value is None else edit.name(value)


def _selection(only: tuple[str, ...], skip: tuple[str, ...]) -> str:
    words = [f"only {', '.join(only)}"] if only else []
    words += [f"without {', '.join(skip)}"] if skip else []
    return "; ".join(words)


def _services(material: Material, axis: Axis, edit: Editor) -> tuple[ServiceFacts, ...]:
    conditions = timeline.conditions(axis)
    state, usual = material.state, material.usual
    names = [*state.found, *(name for name in conditions if name not in state.found)]
    return tuple(
        ServiceFacts(
            name=edit.name(name),
            before=edit.text(_before(state.found.get(name))),
            after=_after(conditions.get(name, ())),
            conditions=conditions.get(name, ()),
            stop_seconds=state.service_seconds.get(name, {}).get("stop"),
            start_seconds=state.service_seconds.get(name, {}).get("start"),
            usual_stop=usual.get(f"stop {name}"),
            usual_start=usual.get(f"start {name}"),
        )
        for name in names
    )


def _before(found: Found | None) -> str:
    if found is None:
        return "unknown"
    words = ["up" if found.up else "down", *([] if found.enabled else ["disabled"])]
    return ", ".join([*words, *([found.detail] if found.detail and not found.up else [])])


def _after(conditions: tuple[Stretch, ...]) -> str:
    return conditions[-1].name if conditions else "unknown"
