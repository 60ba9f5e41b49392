# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports that go: by the rules after each export, by those that somebody gives, or because he says so; and what is
below the exports root that belongs to none."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.content.catalog import exports
from orchestrator.content.catalog.exports import ExportRecord
from orchestrator.content.events import Name
from orchestrator.content.exports import places, records, retention
from orchestrator.content.settings import ExportRules
from orchestrator.content.workspace import Workspace
from orchestrator.errors import Busy, Refused
from orchestrator.host import clock
from orchestrator.host.files import remove_directory


@dataclass(frozen=True, slots=True)
class Removed:
    """`bytes` is what the files of these exports took; `orphans` are directories that no record has: removed if
    that was asked for."""

    exports: tuple[ExportRecord, ...]
    bytes: int
    orphans: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "exports": [each.number for each in self.exports],
            "bytes": self.bytes,
            "orphans": list(self.orphans),
            "warnings": list(self.warnings),
        }


def prune(
    workspace: Workspace,
    rules: ExportRules,
    *,
    bases: bool = True,
    orphans: bool = False,
    organization: str = "",
) -> Removed:
    """Remove what these rules let go (`retention`), partial exports that have expired, and with `orphans` also
    directories that no record has. Exports that are worked on are left for another time."""
    records.reconcile(workspace)
    found = retention.outdated(
        records.all_records(workspace, organization), rules, clock.now(), records.base_of, bases=bases
    )
    return _remove(workspace, found, find_orphans(workspace), orphans)


def _remove(
    workspace: Workspace, found: Sequence[tuple[ExportRecord, str]], lost: Sequence[Path], orphans: bool
) -> Removed:
    removed, freed, warnings = [], 0, []
    for record, why in found:
        workspace.check_stop()
        try:
            freed += records.remove(workspace, record, why)
        except (Busy, Refused) as error:
            warnings.append(error.message)
        else:
            removed.append(record)
    for place in lost if orphans else ():
        workspace.check_stop()
        remove_directory(place)
    return Removed(tuple(removed), freed, tuple(str(place) for place in lost), tuple(warnings))


def follow_rules(workspace: Workspace) -> None:
    """After an export: remove what the configured rules let go."""
    rules = workspace.settings.rules
    if not (rules.keep or rules.max_age or rules.max_bytes):
        return
    for text in prune(workspace, rules).warnings:
        workspace.tell(Name.WARNING, "exports", text=text)


def delete(workspace: Workspace, names: Sequence[str]) -> Removed:
    """Remove exports, by number or id: all of them are looked for before the first goes. Raises Refused for one
    that there is not, or that is pinned; Busy."""
    found = {record.number: record for record in (records.find(workspace, name) for name in names)}
    for record in found.values():
        records.check_removable(workspace, record)
    warnings = []
    others = [each for each in records.all_records(workspace) if each.number not in found]
    for record in found.values():
        later = retention.built_on(record, others, records.base_of)
        if later:
            numbers = ", ".join(str(each.number) for each in later)
            warnings.append(
                f"export {record.number} is what {numbers} is built on: who lacks it cannot import that"
            )
    removed = list(found.values())
    freed = sum(records.remove(workspace, record, "somebody asked for it") for record in removed)
    return Removed(tuple(removed), freed, warnings=tuple(warnings))


def set_pinned(workspace: Workspace, names: Sequence[str], *, pinned: bool) -> list[ExportRecord]:
    """Let exports stay whatever the rules are, or no longer. Raises Refused for one that there is not."""
    numbers = [records.find(workspace, name).number for name in names]
    with workspace.catalog.changing(workspace.actor) as session:
        for number in numbers:
            exports.set_pinned(session, number, pinned)
            records.note(session, workspace, "pin" if pinned else "unpin", exports.get(session, number))
        return [exports.get(session, number) for number in numbers]


def find_orphans(workspace: Workspace) -> list[Path]:
    """Directories below the exports root that look like exports, whole or partial, and that no record has."""
    root = workspace.settings.exports
    known = set()
    for record in records.all_records(workspace):
        if record.place.startswith("/"):
            place = Path(record.place)
            known |= {place.resolve(), places.partial_directory(place, record.export_id).resolve()}
        known.add(places.handed_directory(root, record.export_id, record.place).resolve())
    return sorted(place for place in _candidates(root) if place.resolve() not in known)


def _candidates(root: Path) -> Iterator[Path]:
    """<organization>/<subject>/<version>/[<destination>/]<time or remains>, and notes of what was handed over."""
    for line in _directories(root, 2):
        for version in _directories(line, 1):
            yield from _exports_in(version)
            for destination in _directories(version, 1):
                if not _is_export(destination.name):
                    yield from _exports_in(destination)
    yield from _directories(root / places.HANDED, 1)


def _exports_in(directory: Path) -> Iterator[Path]:
    return (place for place in _directories(directory, 1) if _is_export(place.name))


def _is_export(name: str) -> bool:
    return places.is_export_name(name) or places.is_remains_name(name)


def _directories(path: Path, depth: int) -> Iterator[Path]:
    """The directories so deep below `path`; no links are followed."""
    if not depth:
        yield path
        return
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False) and entry.name != places.HANDED:
            yield from _directories(Path(entry.path), depth - 1)
