# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of exports, and how they and the files are held together.

A record is written `partial` before the first byte, and becomes complete as the last act. What a crash leaves in
between is mended by the next command that changes exports: a directory that has its final name is complete, one that
has not is gone on with, or expires. History, which increments build on, is of complete ones alone.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.content.catalog import audit, exports
from orchestrator.content.catalog.exports import ExportRecord
from orchestrator.content.events import Name
from orchestrator.content.exports import places
from orchestrator.content.exports.lines import line_lock
from orchestrator.content.exports.manifest import MANIFEST, Base, Manifest, from_bytes
from orchestrator.content.exports.outcome import subject_text
from orchestrator.content.exports.planning import ExportPlan
from orchestrator.content.exports.unfinished import Unfinished
from orchestrator.content.workspace import Workspace
from orchestrator.errors import BadContent, Busy, Refused
from orchestrator.host import clock
from orchestrator.host.files import lock_is_held, remove_directory

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def line_name(record: ExportRecord) -> str:
    """The subject of events about it."""
    return subject_text(record.subject)


def manifest_of(record: ExportRecord) -> Manifest:
    """Raises BadContent when the record is damaged."""
    return from_bytes(record.manifest.encode(), f"the record of export {record.number}")


def base_of(record: ExportRecord) -> Base | None:
    with contextlib.suppress(BadContent, Refused):
        return manifest_of(record).base
    return None


def all_records(workspace: Workspace, organization: str = "") -> list[ExportRecord]:
    with workspace.catalog.reading() as session:
        return exports.all(session, organization)


def find(workspace: Workspace, name: str) -> ExportRecord:
    """By number, or the beginning of its id. Raises Refused."""
    with workspace.catalog.reading() as session:
        return exports.get(session, name)


def begin(workspace: Workspace, plan: ExportPlan, place: str) -> ExportRecord:
    """The record of an export that is being written to `place`, made if it is not there."""
    manifest = plan.manifest
    with workspace.catalog.changing(workspace.actor) as session:
        return exports.add(
            session,
            ExportRecord(
                organization=manifest.subject.organization,
                subject=manifest.subject,
                kind=manifest.kind,
                format=manifest.format,
                destination=manifest.destination,
                export_id=manifest.id,
                place=place,
                made=clock.timestamp(),
                chunks=len(manifest.chunks),
                objects=manifest.objects,
                bytes=manifest.bytes,
                manifest=plan.manifest_bytes.decode(),
                receipt=plan.receipt,
                state="partial",
            ),
        )


def note(session: "Session", workspace: Workspace, action: str, record: ExportRecord, **more: str) -> None:
    """What is done with an export, in the audit trail."""
    details = {"export": record.export_id, "number": record.number, "place": record.place, **more}
    subject = f"{record.organization}/{line_name(record)}"
    audit.note(session, workspace.actor, f"export.{action}", subject, details)


def move(workspace: Workspace, record: ExportRecord, place: str) -> ExportRecord:
    """Where it will be."""
    moved = replace(record, place=place)
    with workspace.catalog.changing(workspace.actor) as session:
        exports.update(session, moved)
    return moved


def complete(workspace: Workspace, record: ExportRecord) -> ExportRecord:
    """From now on increments build on it."""
    done = replace(record, state="complete", made=clock.timestamp())
    with workspace.catalog.changing(workspace.actor) as session:
        exports.update(session, done)
        note(session, workspace, done.kind, done)
    workspace.tell(
        Name.EXPORTED,
        line_name(done),
        export=done.export_id,
        number=done.number,
        objects=done.objects,
        bytes=done.bytes,
        chunks=done.chunks,
        place=done.place,
    )
    return done


def unfinished_of(workspace: Workspace, record: ExportRecord) -> Unfinished:
    """The notes of a partial export, wherever they are."""
    handed = Unfinished(places.handed_directory(workspace.settings.exports, record.export_id, record.place))
    if handed.touched() is not None or not record.place.startswith("/"):
        return handed
    return Unfinished(places.partial_directory(Path(record.place), record.export_id))


@contextlib.contextmanager
def _alone(workspace: Workspace, record: ExportRecord) -> Iterator[None]:
    """Nobody else is at work on the line of this export meanwhile. Raises Busy."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(
                line_lock(workspace.settings.exports, record.subject, record.destination, 0.0)
            )
        except Busy:
            raise _busy(record) from None
        yield


def _busy(record: ExportRecord) -> Busy:
    return Busy(
        f"another run is at work on exports of {line_name(record)}", hint="try again when it is through"
    )


# --- what was cut off


def reconcile(workspace: Workspace) -> None:
    """Bring records and files together again: what is complete becomes so, what has expired goes."""
    with workspace.catalog.reading() as session:
        partial = exports.all(session, state="partial")
    for record in partial:
        with contextlib.suppress(Busy), _alone(workspace, record):
            with workspace.catalog.reading() as session:
                now = exports.all(session, state="partial")
            # Another run may just have completed it, or removed it.
            for each in now:
                if each.number == record.number:
                    _mend(workspace, each)


def _mend(workspace: Workspace, record: ExportRecord) -> None:
    notes = unfinished_of(workspace, record)
    touched = notes.touched()
    if touched is None and is_whole(record):
        Unfinished(Path(record.place)).end()
        complete(workspace, record)
    elif touched is None and _is_out_of_sight(workspace, record):
        pass
    elif touched is None:
        forget(workspace, record, "what there was of it is gone")
    elif touched < clock.now().timestamp() - workspace.settings.rules.unfinished:
        notes.remove()
        forget(workspace, record, "it was never finished")


def is_whole(record: ExportRecord) -> bool:
    """Whether the directory of an export has its name, and its manifest, which comes last."""
    try:
        return (Path(record.place) / MANIFEST).read_bytes() == record.manifest.encode()
    except OSError:
        return False


def _is_out_of_sight(workspace: Workspace, record: ExportRecord) -> bool:
    """Whether it is on something that may just not be mounted now."""
    place = Path(record.place)
    return (
        place.is_absolute()
        and not places.is_below(place, workspace.settings.exports)
        and not place.parent.is_dir()
    )


# --- what goes


def forget(workspace: Workspace, record: ExportRecord, why: str) -> None:
    """Remove the record. Raises Refused when it is pinned."""
    with workspace.catalog.changing(workspace.actor) as session:
        exports.remove(session, record.number)
        note(session, workspace, "delete", record, why=why)
    workspace.tell(
        Name.REMOVED,
        line_name(record),
        export=record.export_id,
        number=record.number,
        place=record.place,
        why=why,
    )


def remove(workspace: Workspace, record: ExportRecord, why: str) -> int:
    """Remove the files of an export, then its record; the bytes of files removed. Its directory first gets a name
    under which nobody takes it for an export. Raises Refused when it is pinned, or its directory is not where
    it should be, and Busy when somebody is at work on its line."""
    with _alone(workspace, record):
        now = next((each for each in all_records(workspace) if each.number == record.number), None)
        if now is None:
            return 0
        record = now  # another run may have completed it, or pinned it
        _check_not_pinned(record)
        freed = size_of(record) if record.state == "complete" else 0
        if record.state == "partial":
            unfinished_of(workspace, record).remove()
        if record.place.startswith("/"):
            _remove_directory(workspace, record)
        forget(workspace, record, why)
    return freed


def check_removable(workspace: Workspace, record: ExportRecord) -> None:
    """Raises Refused when it is pinned, and Busy when somebody is at work on its line."""
    _check_not_pinned(record)
    if lock_is_held(places.lock_file(workspace.settings.exports, record.subject, record.destination)):
        raise _busy(record)


def _check_not_pinned(record: ExportRecord) -> None:
    if record.pinned:
        raise Refused(
            f"the export {record.number} is pinned", hint=f"orchestrator export unpin {record.number}"
        )


def _remove_directory(workspace: Workspace, record: ExportRecord) -> None:
    place, root = Path(record.place), workspace.settings.exports
    inside = place.is_relative_to(root)
    if not (place.is_dir() if inside else is_whole(record)):
        return  # nothing, or something else
    if place.is_symlink() or (inside and not places.is_below(place, root)):
        raise Refused(
            f"{place} leads out of {root}: what is there is not removed",
            hint="look at it, and remove it yourself",
        )
    doomed = places.doomed(place)
    with contextlib.suppress(FileNotFoundError):
        remove_directory(doomed)
    place.rename(doomed)
    remove_directory(doomed)
    for above in place.parents:
        if not places.is_below(above, root):
            break
        with contextlib.suppress(OSError):
            above.rmdir()  # only when nothing else is there


def size_of(record: ExportRecord) -> int:
    """What the files of an export take: of directories of links as much as the objects have, which cannot leave the
    pool while they are there."""
    if record.format == "dir" or not record.place.startswith("/"):
        return record.bytes
    return directory_size(Path(record.place))


def directory_size(place: Path) -> int:
    """Of the files in a directory, not of those in directories below it."""
    try:
        return sum(each.lstat().st_size for each in place.iterdir() if each.is_file())
    except OSError:
        return 0


def taken(workspace: Workspace, records: Sequence[ExportRecord], but: str) -> int:
    """What all exports below the exports root take, or will when they are finished, but the partial one with the id
    `but`."""
    root = workspace.settings.exports
    total = 0
    for record in records:
        if record.place.startswith("/") and places.is_below(Path(record.place), root):
            if record.state == "complete":
                total += size_of(record)
            elif record.export_id != but:
                total += record.bytes
    return total
