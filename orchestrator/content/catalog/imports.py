# SPDX-License-Identifier: GPL-3.0-or-later
"""What was imported, or is being: one record for each export, whose media may come over days."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator.content.catalog.tables import ImportRow
from orchestrator.content.exports.manifest import Subject, SubjectKind


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """`organization` is the one imported into, `subject` what the sender exported; `made` and `updated` are when it
    began and what was last heard of it, `report` what became of each item (JSON)."""

    export_id: str
    organization: str
    subject: Subject
    state: Literal["going on", "complete", "failed"]
    made: str
    updated: str
    report: Mapping[str, Any] = field(default_factory=dict)


def put(session: Session, record: ImportRecord) -> None:
    """In the place of what is recorded of that export."""
    row = session.get(ImportRow, record.export_id)
    if row is None:
        row = ImportRow(export_id=record.export_id)
        session.add(row)
    row.organization, row.state = record.organization, record.state
    row.subject_kind, row.subject_name = record.subject.kind, record.subject.name
    row.subject_organization, row.subject_version = record.subject.organization, record.subject.version
    row.made, row.updated, row.report = record.made, record.updated, dict(record.report)
    session.flush()


def get(session: Session, export_id: str) -> ImportRecord | None:
    row = session.get(ImportRow, export_id)
    return None if row is None else _value(row)


def all(session: Session, organization: str = "") -> list[ImportRecord]:
    """The last heard of first."""
    query = select(ImportRow).order_by(ImportRow.updated.desc(), ImportRow.export_id)
    if organization:
        query = query.where(ImportRow.organization == organization)
    return [_value(row) for row in session.scalars(query)]


def remove(session: Session, export_id: str) -> None:
    """Forget it; nothing when it is not there."""
    row = session.get(ImportRow, export_id)
    if row is not None:
        session.delete(row)
        session.flush()


def _value(row: ImportRow) -> ImportRecord:
    kind = cast("SubjectKind", row.subject_kind)
    return ImportRecord(
        row.export_id,
        row.organization,
        Subject(kind, row.subject_organization, row.subject_name, row.subject_version),
        cast("Literal['going on', 'complete', 'failed']", row.state),
        row.made,
        row.updated,
        dict(row.report),
    )
