# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports that were, and those that go on: what they wait for; and the end of one that is not wanted any more."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.content.catalog.imports import ImportRecord
from orchestrator.content.imports import here, objects
from orchestrator.content.imports.objects import Lack
from orchestrator.content.imports.plan import pool_look
from orchestrator.content.imports.state import ImportState, alone
from orchestrator.errors import BadContent, Refused

if TYPE_CHECKING:
    from orchestrator.content.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Listed:
    """`missing` is what one that goes on waits for."""

    record: ImportRecord
    missing: Lack | None = None

    def to_json(self) -> dict[str, Any]:
        record, subject = self.record, self.record.subject
        return {
            "export": record.export_id,
            "organization": record.organization,
            "subject": {
                "kind": subject.kind,
                "organization": subject.organization,
                "name": subject.name,
                "version": subject.version,
            },
            "state": record.state,
            "made": record.made,
            "updated": record.updated,
            "missing": self.missing.to_json() if self.missing else None,
            "report": dict(record.report),
        }


def listing(workspace: "Workspace", organization: str = "") -> list[Listed]:
    """All imports, the last heard of first; of one organization, if it is named. Makes nothing."""
    if not here.has_catalog(workspace):
        return []
    from orchestrator.content.catalog import imports

    with workspace.catalog.reading() as session:
        records = imports.all(session)
    return [
        Listed(record, missing_of(workspace, record.export_id))
        for record in records
        if organization in ("", record.organization)
    ]


def missing_objects(workspace: "Workspace", export: str) -> dict[str, int] | None:
    """The objects that an import waits for; None when it does not go on."""
    state = ImportState(workspace.root, export)
    found = state.export_found() if state.organization else None
    if found is None:
        return None
    sizes: dict[str, int] = {}
    for digest in found.lists:
        try:
            objects.add_needed(sizes, found, digest)
        except BadContent:
            continue  # what it is of was refused
    return objects.missing(sizes, pool_look(workspace.root))


def missing_of(workspace: "Workspace", export: str) -> Lack | None:
    found = ImportState(workspace.root, export).export_found()
    absent = missing_objects(workspace, export)
    return None if absent is None or found is None else objects.lack(found, absent)


def record_of(workspace: "Workspace", export: str, *, state: str = "") -> ImportRecord:
    """The import of the export whose id begins so, the last heard of when `export` is empty. Raises Refused when
    there is none, or several."""
    found = [
        each.record
        for each in listing(workspace)
        if each.record.export_id.startswith(export) and state in ("", each.record.state)
    ]
    if not found:
        what = f"no import of an export {export}" if export else "no import"
        raise Refused(f"there is {what}", hint="orchestrator import list")
    if export and len(found) > 1:
        ids = ", ".join(record.export_id[:12] for record in found)
        raise Refused(f"several imports begin with {export}: {ids}", hint="say more of the id")
    return found[0]


def cancel(workspace: "Workspace", export: str, *, wait_lock: float = 0.0) -> ImportRecord:
    """End an import that goes on: what was shown stays, what waits in the pool for the rest goes with the next
    garbage collection. Raises Refused, and Busy after `wait_lock` seconds."""
    from orchestrator.content.catalog import audit, imports

    with alone(workspace.root, wait_lock):
        record = record_of(workspace, export)
        state = ImportState(workspace.root, record.export_id)
        if not state.organization:
            raise Refused(f"the import of {record.export_id[:12]} does not go on: it is {record.state}")
        if state.switches():
            raise Refused(
                f"the import of {record.export_id[:12]} is half shown: it is to be ended",
                hint="orchestrator import run goes on with it",
            )
        with workspace.catalog.changing(workspace.actor) as session:
            imports.remove(session, record.export_id)
            subject = f"{record.organization} {record.export_id}"
            audit.note(session, workspace.actor, "import.cancel", subject, {})
        state.remove()
        return record
