# SPDX-License-Identifier: GPL-3.0-or-later
"""What was exported, and what of it is there: by number, or by the export's id, which names its content."""

from dataclasses import dataclass, replace
from typing import Literal, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator.content.catalog.refusals import not_there
from orchestrator.content.catalog.tables import ExportRow
from orchestrator.content.exports.manifest import ExportFormat, Subject, SubjectKind
from orchestrator.errors import Problem, Refused

_FEW = 4  # letters of an id, at least, name an export


@dataclass(frozen=True, slots=True)
class ExportRecord:
    """`place` is a directory, a file or an address, `chunks`, `objects` and `bytes` those of the manifest,
    `manifest` its text. `receipt` is the digest of the receipt that the receiver has after it, if it had what the
    export is built on. `number` is given by `add`."""

    organization: str
    subject: Subject
    kind: Literal["complete", "increment"]
    format: ExportFormat
    destination: str
    export_id: str
    place: str
    made: str
    chunks: int
    objects: int
    bytes: int
    manifest: str
    receipt: str = ""
    state: Literal["complete", "partial"] = "complete"
    pinned: bool = False
    number: int = 0


def add(session: Session, record: ExportRecord) -> ExportRecord:
    """The record with its number: a new one, higher than any before."""
    made = ExportRow(pinned=record.pinned)
    _fill(made, record)
    session.add(made)
    session.flush()
    return replace(record, number=made.number)


def update(session: Session, record: ExportRecord) -> None:
    """Of the export `record.number` all but whether it is pinned. Raises Refused when it is not there."""
    _fill(_row(session, record.number), record)
    session.flush()


def _fill(row: ExportRow, record: ExportRecord) -> None:
    row.organization = record.organization
    row.subject_kind = record.subject.kind
    row.subject_name = record.subject.name
    row.subject_version = record.subject.version
    row.kind, row.format, row.state = record.kind, record.format, record.state
    row.destination, row.export_id, row.place = record.destination, record.export_id, record.place
    row.made, row.chunks, row.objects, row.bytes = record.made, record.chunks, record.objects, record.bytes
    row.manifest, row.receipt = record.manifest, record.receipt


def get(session: Session, name: str | int) -> ExportRecord:
    """By number, or by the first letters of its id: of several exports of the same content the newest. Raises
    Refused when there is none, or several are meant."""
    text = str(name)
    if text.isascii() and text.isdigit() and len(text) < 19:
        found = session.get(ExportRow, int(text))
        if found is not None:
            return _value(found)
    prefix = text.lower()
    rows = session.scalars(
        select(ExportRow)
        .where(ExportRow.export_id.startswith(prefix, autoescape=True))
        .order_by(ExportRow.number.desc())
    ).all()
    if not rows or len(prefix) < _FEW:
        known = session.scalars(select(ExportRow.number))
        raise not_there("there is no export", text, map(str, known), "orchestrator export list")
    if len({row.export_id for row in rows}) > 1:
        problems = [Problem(str(row.number), row.export_id) for row in rows]
        raise Refused(f"several exports begin with {text}", hint="name one by number", problems=problems)
    return _value(rows[0])


def all(
    session: Session,
    organization: str = "",
    *,
    subject: Subject | None = None,
    destination: str | None = None,
    state: str = "",
) -> list[ExportRecord]:
    """Newest (highest number) first; those of an organization, a subject (whatever its version), a destination
    ("" is one, too) and a state."""
    query = select(ExportRow).order_by(ExportRow.number.desc())
    if organization:
        query = query.where(ExportRow.organization == organization)
    if subject is not None:
        query = query.where(ExportRow.subject_kind == subject.kind, ExportRow.subject_name == subject.name)
    if destination is not None:
        query = query.where(ExportRow.destination == destination)
    if state:
        query = query.where(ExportRow.state == state)
    return [_value(row) for row in session.scalars(query)]


def latest(
    session: Session, organization: str, subject: Subject, destination: str = ""
) -> ExportRecord | None:
    """The newest complete export of a subject, whatever its version, for a destination."""
    there = all(session, organization, subject=subject, destination=destination, state="complete")
    return there[0] if there else None


def set_pinned(session: Session, number: int, pinned: bool) -> None:
    _row(session, number).pinned = pinned
    session.flush()


def remove(session: Session, number: int) -> None:
    """Forget it. Raises Refused when it is pinned."""
    found = _row(session, number)
    if found.pinned:
        raise Refused(f"the export {number} is pinned", hint=f"orchestrator export pin --undo {number}")
    session.delete(found)
    session.flush()


def _row(session: Session, number: int) -> ExportRow:
    found = session.get(ExportRow, number)
    if found is None:
        known = session.scalars(select(ExportRow.number))
        raise not_there("there is no export", str(number), map(str, known), "orchestrator export list")
    return found


def _value(row: ExportRow) -> ExportRecord:
    kind = cast("SubjectKind", row.subject_kind)
    return ExportRecord(
        organization=row.organization,
        subject=Subject(kind, row.organization, row.subject_name, row.subject_version),
        kind=cast("Literal['complete', 'increment']", row.kind),
        format=cast("ExportFormat", row.format),
        destination=row.destination,
        export_id=row.export_id,
        place=row.place,
        made=row.made,
        chunks=row.chunks,
        objects=row.objects,
        bytes=row.bytes,
        manifest=row.manifest,
        receipt=row.receipt,
        state=cast("Literal['complete', 'partial']", row.state),
        pinned=row.pinned,
        number=row.number,
    )
