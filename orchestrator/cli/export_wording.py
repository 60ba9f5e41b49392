# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports in words: outcomes, plans, verifications, records. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

from orchestrator.cli.export_events import count
from orchestrator.cli.wording import Line
from orchestrator.config.quantities import show_size
from orchestrator.content.catalog.exports import ExportRecord
from orchestrator.content.exports.checking import Verification
from orchestrator.content.exports.manifest import Base, Manifest
from orchestrator.content.exports.outcome import ExportOutcome, subject_text
from orchestrator.content.exports.pruning import Removed
from orchestrator.content.receipts import show_digest

_FILES_SHOWN, _DAMAGED_SHOWN = 10, 20
COLUMNS = ("no", "made", "kind", "media", "size", "of")


def outcome_lines(outcome: ExportOutcome) -> list[Line]:
    """What is left to be said of an export when all is done: an event told that it is complete."""
    match outcome.state:
        case "planned":
            return _plan(outcome)
        case "complete":
            return [Line(f"  {_where(outcome)}"), *_afterwards(outcome)]
        case "there already":
            what = subject_text(outcome.subject)
            return [
                Line(f"{what}: export {outcome.number} holds just this; nothing was written", "good"),
                Line(f"  in {outcome.place}"),
            ]
    done = [each.number for each in outcome.chunks if each.sha256]
    numbers = ", ".join(map(str, done)) or "none"
    return [
        Line(f"{subject_text(outcome.subject)}: of {count(len(outcome.chunks), 'chunk')} done: {numbers}"),
        Line(f"  {_where(outcome)}"),
        Line("  -> the same command without --only-chunk makes the others, and completes the export"),
    ]


def _where(outcome: ExportOutcome) -> str:
    return "to standard output" if outcome.place == "-" else f"in {outcome.place}"


def _afterwards(outcome: ExportOutcome) -> list[Line]:
    return [Line(f"  its receiver's receipt: {show_digest(outcome.receipt)}")] if outcome.receipt else []


def _plan(outcome: ExportOutcome) -> list[Line]:
    what = f"{count(outcome.objects, 'object')}, {show_size(outcome.bytes)}"
    kind = "a complete export" if outcome.kind == "complete" else "an increment"
    lines = [Line(f"{subject_text(outcome.subject)}: {kind} ({outcome.format}) of {what}", "bold")]
    lines += [
        Line(f"  {each.file}: {count(each.objects, 'object')}, {_exactly(outcome, each.size)}")
        for each in outcome.chunks
    ]
    lines.append(Line(f"  {_where(outcome)}"))
    if outcome.needed >= 0:
        lines.append(Line(f"  takes {show_size(outcome.needed)} there; {show_size(outcome.free)} are free"))
    lines += missing_lines(outcome)
    lines += [Line(f"  note: {text}") for text in outcome.warnings]
    if outcome.refused:
        lines.append(Line(f"  it would be refused: {outcome.refused}", "bad"))
    return [*lines, Line("Nothing was changed.")]


def _exactly(outcome: ExportOutcome, size: int) -> str:
    most = "at most " if outcome.format == "tgz" else ""
    return f"{most}{size} bytes ({show_size(size)})"


def missing_lines(outcome: ExportOutcome) -> list[Line]:
    lines = []
    for each in outcome.missing:
        what = f"  {each.repository} snapshot {each.snapshot} lacks {count(len(each.files), 'file')}:"
        lines.append(Line(what, "bad"))
        lines += [Line(f"    {path}", "bad") for path in each.files[:_FILES_SHOWN]]
        more = len(each.files) - _FILES_SHOWN
        if more > 0:
            lines.append(Line(f"    and {more} more: --output json lists all", "dim"))
    if lines:
        lines.append(Line("  -> --fetch-missing brings them in"))
    return lines


def verification_lines(found: Verification) -> list[Line]:
    what = f"{count(found.objects, 'object')}, {show_size(found.bytes)}"
    lines = [Line(f"  note: {text}") for text in found.notes]
    name = f"export {found.number}" if found.number else found.place
    if found.ok:
        return [Line(f"{name}: {what}: all as it was exported", "good"), *lines]
    lines.append(Line(f"{name}: damaged", "bad"))
    lines += [Line(f"  {_of_chunk(each.chunk)}{each}", "bad") for each in found.damaged[:_DAMAGED_SHOWN]]
    more = len(found.damaged) - _DAMAGED_SHOWN
    if more > 0:
        lines.append(Line(f"  and {more} more: --output json lists all", "dim"))
    which = found.number or found.manifest.id[:12]
    if found.chunks:
        lines += [
            Line(f"  -> orchestrator export again {which} --only-chunk {number}") for number in found.chunks
        ]
    else:
        lines.append(Line(f"  -> orchestrator export again {which}"))
    return lines


def _of_chunk(number: int) -> str:
    return f"chunk {number}: " if number else ""


def removed_lines(removed: Removed, *, orphans_too: bool) -> list[Line]:
    lines = [Line(f"warning: {text}", "bad") for text in removed.warnings]
    lines.append(Line(f"{count(len(removed.exports), 'export')} removed, {show_size(removed.bytes)} freed."))
    if removed.orphans:
        told = "removed" if orphans_too else "left alone: --orphans removes them"
        them = "directory" if len(removed.orphans) == 1 else "directories"
        lines.append(Line(f"{len(removed.orphans)} {them} that belong to no export, {told}"))
        lines += [Line(f"  {place}") for place in removed.orphans]
    return lines


def record_row(record: ExportRecord, size: int, base: str) -> tuple[str, ...]:
    more = [f"for {record.destination}"] if record.destination else []
    notes = [note for note, there in ((base, base), ("pinned", record.pinned)) if there]
    if record.state == "partial":
        notes.append("not finished")
    what = " ".join([subject_text(record.subject), *more])
    return (
        str(record.number),
        record.made[:16].replace("T", " "),
        record.kind,
        f"{record.chunks} {record.format}" if record.chunks else record.format,
        show_size(size),
        f"{what} ({', '.join(notes)})" if notes else what,
    )


def base_text(base: Base | None, records: Iterable[ExportRecord]) -> str:
    """What an increment is built on, for people."""
    if base is None:
        return ""
    if base.export:
        numbers = [str(each.number) for each in records if each.export_id == base.export]
        return f"on {numbers[0] if numbers else base.export[:12]}"
    if base.receipt:
        return f"on receipt {show_digest(base.receipt)[:11]}"
    return f"since {base.since[:16]}"


def record_document(record: ExportRecord, size: int, base: Base | None) -> dict[str, Any]:
    return {
        "number": record.number,
        "export": record.export_id,
        "organization": record.organization,
        "subject": {
            "kind": record.subject.kind,
            "name": record.subject.name,
            "version": record.subject.version,
        },
        "destination": record.destination,
        "kind": record.kind,
        "base": None
        if base is None
        else {"export": base.export, "receipt": base.receipt, "since": base.since, "until": base.until},
        "format": record.format,
        "state": record.state,
        "pinned": record.pinned,
        "made": record.made,
        "place": record.place,
        "chunks": record.chunks,
        "objects": record.objects,
        "bytes": record.bytes,
        "size": size,
        "receipt": record.receipt,
    }


def full_document(
    record: ExportRecord, manifest: Manifest, size: int, files: Sequence[str]
) -> dict[str, Any]:
    """All that is known of one export. `files` are the names of its chunks."""
    document = record_document(record, size, manifest.base)
    document["receipt_to_type"] = show_digest(record.receipt) if record.receipt else ""
    document |= {
        "created": manifest.created,
        "signer": manifest.signer,
        "repositories": [
            {
                "repository": each.path,
                "type": each.type,
                "packages": each.packages,
                "files": each.files,
                "bytes": each.bytes,
                "made": each.made,
                "inventory": each.inventory,
                "base": each.base,
                "trees": list(each.trees),
            }
            for each in manifest.repositories
        ],
        "versions": [{"view": each.view, "number": each.number} for each in manifest.versions],
        "media": [
            {
                "number": each.number,
                "file": file,
                "objects": each.objects,
                "bytes": each.bytes,
                "repositories": list(each.repositories),
            }
            for each, file in zip(manifest.chunks, files, strict=True)
        ],
    }
    return document


def full_lines(document: dict[str, Any], base: str) -> list[tuple[str, str]]:
    """The same for people: a name and a text for each line."""
    rows = [
        ("number", f"{document['number']}" + (" (pinned)" if document["pinned"] else "")),
        ("id", document["export"]),
        ("state", "complete" if document["state"] == "complete" else "not finished"),
        ("kind", f"{document['kind']} {base}".rstrip()),
        ("destination", document["destination"] or "-"),
        ("place", document["place"]),
        ("made", f"{document['made'][:19]} of content of {document['created'][:19]}"),
        ("holds", f"{count(document['objects'], 'object')}, {show_size(document['bytes'])}"),
        ("takes", f"{show_size(document['size'])} ({document['format']})"),
        ("signed with", document["signer"]),
        ("receipt", document["receipt_to_type"] or "-"),
    ]
    rows += [("repository", _repository(each)) for each in document["repositories"]]
    rows += [("version", f"{each['view']} {each['number']}") for each in document["versions"]]
    rows += [
        ("chunk", f"{each['file']}: {count(each['objects'], 'object')}, {show_size(each['bytes'])}")
        for each in document["media"]
    ]
    return rows


def _repository(entry: dict[str, Any]) -> str:
    holds = f"{count(entry['packages'], 'package')}, {show_size(entry['bytes'])}"
    return f"{entry['repository']}: {holds}, of {entry['made'][:16]}, inventory {entry['inventory'][:12]}"
