# SPDX-License-Identifier: GPL-3.0-or-later
"""The receipt of what was imported and is here now: what the sender builds the next increment on."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from orchestrator.content.catalog.imports import ImportRecord
from orchestrator.content.imports.listing import listing, record_of
from orchestrator.content.receipts import Holding, Receipt, to_file
from orchestrator.content.signing import server_key
from orchestrator.host import clock, facts

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from orchestrator.content.workspace import Workspace


def receipt(workspace: "Workspace", subject: str = "") -> Receipt:
    """Of an import (the export's id, or how it begins; the last import when it is empty), or of all imports into an
    organization. Raises Refused when there was none."""
    records = [each.record for each in listing(workspace, subject)] if subject else []
    if not records:
        one = record_of(workspace, subject)
        return _receipt(workspace, [one], one.export_id)
    sender = records[0].subject.organization
    return _receipt(workspace, [each for each in records if each.subject.organization == sender], "")


def receipt_file(workspace: "Workspace", made: Receipt) -> bytes:
    """Sealed with this server's key."""
    return to_file(made, server_key(workspace.settings.key_file))


def _receipt(workspace: "Workspace", records: list[ImportRecord], export: str) -> Receipt:
    holdings: set[Holding] = set()
    versions: set[tuple[str, int]] = set()
    with workspace.catalog.reading() as session:
        for record in records:
            holdings |= set(_holdings(session, record, newest_only=not export))
            versions |= set(_versions(session, record))
    return Receipt(
        records[0].subject.organization,
        export,
        facts.host_name(),
        clock.timestamp(),
        tuple(sorted(holdings)),
        tuple(sorted(versions)),
    )


def _holdings(session: "Session", record: ImportRecord, *, newest_only: bool) -> Iterable[Holding]:
    """What is here of each repository of an export: just that, or else the newest there is."""
    from orchestrator.content.catalog import repositories, snapshots

    there = {each.path: each for each in repositories.all(session, record.organization)}
    for item in record.report.get("items", ()):
        repository = there.get(item["name"]) if item["kind"] == "repository" else None
        found = snapshots.all(session, repository) if repository is not None else []
        held = [each.inventory for each in found]
        if item.get("inventory") in held and not newest_only:
            yield item["sent_as"], item["inventory"]
        elif held and item["fate"] != "refused":
            yield item["sent_as"], held[0]


def _versions(session: "Session", record: ImportRecord) -> Iterable[tuple[str, int]]:
    from orchestrator.content.catalog import views

    labels = {each.label for each in views.all(session, record.organization)}
    for item in record.report.get("items", ()):
        if item["kind"] != "version":
            continue
        view, _, number = item["name"].rpartition(" ")
        there = views.versions(session, record.organization, view) if view in labels else []
        if int(number) in {each.number for each in there}:
            yield view, int(number)
