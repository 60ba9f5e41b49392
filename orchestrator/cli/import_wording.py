# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports in words: plans, outcomes, lists. Pure."""

from collections.abc import Iterable, Sequence

from orchestrator.cli.layout import Entry, in_columns
from orchestrator.cli.wording import Line
from orchestrator.config.quantities import show_size
from orchestrator.content.exports.manifest import Manifest, Subject
from orchestrator.content.imports.deciding import Action, Item
from orchestrator.content.imports.listing import Listed
from orchestrator.content.imports.objects import Lack
from orchestrator.content.imports.outcome import ExportOutcome, Fate, ImportOutcome, ItemOutcome
from orchestrator.content.imports.plan import ExportPlan, ImportPlan
from orchestrator.content.imports.survey import MediumReport

SHORT = 12  # so much of an export's id is shown
_STYLES = {
    Action.REFUSE: "bad",
    Action.UNCHANGED: "dim",
    Fate.REFUSED: "bad",
    Fate.FAILED: "bad",
    Fate.CREATED: "good",
    Fate.UPDATED: "good",
    Fate.UNCHANGED: "dim",
}
_MOST_CHUNKS = 12


def subject_text(subject: Subject) -> str:
    """`the view web 3 of acme`."""
    parts = [subject.kind, subject.name, str(subject.version or "")]
    return f"the {' '.join(part for part in parts if part)} of {subject.organization}"


def _title(manifest: Manifest, organization: str) -> Line:
    what = "an increment" if manifest.kind == "increment" else "all"
    made = manifest.created[:16].replace("T", " ")
    into = f", into {organization}" if organization != manifest.subject.organization else ""
    text = f"Export {manifest.id[:SHORT]}: {what} of {subject_text(manifest.subject)}, {made}"
    return Line(f"{text}, signed by {manifest.signer}{into}", "bold")


def plan_lines(plan: ImportPlan) -> list[Line | Entry]:
    lines: list[Line | Entry] = []
    for planned in plan.exports:
        lines += [_title(planned.found.manifest, planned.organization)]
        rows = [(each.action.value, each.kind, each.name, _remark(each)) for each in planned.items]
        lines += _table(("action", "what", "name", "remark"), rows, [each.action for each in planned.items])
        lines += _missing_lines(planned)
    lines += media_lines(plan.media)
    room = f"{show_size(plan.bytes)} to write, {show_size(plan.free)} free"
    lines.append(Line(room if plan.fits else f"{room}: not enough", "" if plan.fits else "bad"))
    return lines


def _remark(item: Item) -> str:
    told = f"{item.reason} -> {item.hint}" if item.hint else item.reason
    if not told and item.kind == "repository" and item.changes and not item.switch:
        return "a snapshot; clients of the library see what they saw"
    return told


def _missing_lines(planned: ExportPlan) -> list[Line]:
    if not planned.missing.objects:
        return [Line("  no object is missing", "good")]
    lines = [Line(f"  {_objects(planned.missing)} not here yet")]
    if planned.absent.objects:
        lines.append(Line(f"  {_objects(planned.absent)} not on these media{_where(planned.absent)}", "bad"))
    return lines


def _objects(lack: Lack) -> str:
    return f"{lack.objects} object{'' if lack.objects == 1 else 's'}, {show_size(lack.bytes)},"


def _where(lack: Lack) -> str:
    """`: 3 in chunk 2, 1 in no chunk of it`."""
    parts = [f"{count} in chunk {number}" for number, count in lack.chunks[:_MOST_CHUNKS]]
    if len(lack.chunks) > _MOST_CHUNKS:
        parts.append(f"others in {len(lack.chunks) - _MOST_CHUNKS} further chunks")
    if lack.elsewhere:
        parts.append(f"{lack.elsewhere} in none of its chunks: it is built on them")
    return f": {', '.join(parts)}" if parts else ""


def _table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], styled: Sequence[Action | Fate]
) -> list[Entry]:
    head, *entries = in_columns([columns, *rows])
    return [
        Entry(f"  {head.head}", head.text, "bold"),
        *(
            Entry(f"  {entry.head}", entry.text, _STYLES.get(each, ""))
            for entry, each in zip(entries, styled, strict=True)
        ),
    ]


def media_lines(media: Iterable[MediumReport]) -> list[Line]:
    """What is wrong with media."""
    lines = []
    for report in media:
        told = ([report.error.message] if report.error else []) + report.problems
        lines += [Line(text if report.name in text else f"{report.name}: {text}", "bad") for text in told]
        if report.error is not None and report.error.hint:
            lines.append(Line(f"  -> {report.error.hint}"))
    return lines


def outcome_lines(outcome: ImportOutcome) -> list[Line | Entry]:
    lines: list[Line | Entry] = [] if outcome.exports else [Line("No import goes on.")]
    for export in outcome.exports:
        lines.append(_title(export.planned.found.manifest, export.planned.organization))
        rows = [
            (each.fate.value, each.item.kind, each.item.name, _fate_remark(each)) for each in export.items
        ]
        lines += _table(("result", "what", "name", "remark"), rows, [each.fate for each in export.items])
        lines += _end_lines(export)
    lines += media_lines(outcome.media)
    return lines


def _fate_remark(each: ItemOutcome) -> str:
    if each.error is not None:
        return f"{each.error.message} -> {each.error.hint}" if each.error.hint else each.error.message
    if each.fate is Fate.REFUSED:
        return _remark(each.item)
    return f"snapshot {each.snapshot}" if each.snapshot else each.item.reason


def _end_lines(export: ExportOutcome) -> list[Line]:
    if export.state == "complete":
        done = any(each.changed for each in export.items)
        return [Line("  imported completely" if done else "  nothing was to be done", "good")]
    lines = []
    if export.missing.objects:
        text = f"  {_objects(export.missing)} missing{_where(export.missing)}"
        lines.append(Line(text, "bad"))
        lines += [Line(f"  -> {each}") for each in _what_goes_on(export.missing)]
    if export.state == "failed":
        lines.append(Line("  not all of it was imported: what is refused or failed is as it was", "bad"))
    return lines


def _what_goes_on(missing: Lack) -> list[str]:
    """After what is missing."""
    found = []
    if missing.chunks:
        found.append("give the other media to: orchestrator import run PATH...")
    if missing.elsewhere:
        found.append("import first what it is built on; or ask for what is missing:")
        found.append("orchestrator import run PATH... --request-file FILE, and export --request FILE there")
    return found


def list_row(listed: Listed) -> tuple[str, ...]:
    record = listed.record
    state: str = record.state
    if listed.missing is not None:
        state += f", {listed.missing.objects} objects missing"
    when = record.updated[:16].replace("T", " ")
    return (record.export_id[:SHORT], record.organization, when, state, subject_text(record.subject))
