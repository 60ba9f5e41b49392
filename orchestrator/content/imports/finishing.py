# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of one export's import, as far as its objects have come: every item in order, a fate for each, the record.

An item that fails does not keep the others from what becomes of them, but for those that need it. Where all is to be
shown at once, nothing is shown before all of it is there.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.content.catalog import audit, imports
from orchestrator.content.catalog.imports import ImportRecord
from orchestrator.content.imports.deciding import Action, Item
from orchestrator.content.imports.objects import Lack
from orchestrator.content.imports.outcome import ExportOutcome, Fate, ItemOutcome, State
from orchestrator.content.imports.plan import ExportPlan
from orchestrator.content.imports.publishing import Publisher, Switch, switch, switch_all
from orchestrator.content.imports.state import ImportState
from orchestrator.errors import Interrupted, OrchestratorError
from orchestrator.host import clock
from orchestrator.host.refusals import is_refusal, refused_by_system

if TYPE_CHECKING:
    from orchestrator.content.workspace import Workspace

_DONE = {Action.CREATE: Fate.CREATED, Action.UPDATE: Fate.UPDATED}


class Finishing:
    """`wait`: seconds for other runs on a repository to end."""

    def __init__(self, workspace: "Workspace", planned: ExportPlan, wait: float) -> None:
        self._workspace, self._planned, self._wait = workspace, planned, wait
        self._publisher = Publisher(workspace, planned, wait)
        self._state = ImportState(workspace.root, planned.id)
        self._outcomes: list[ItemOutcome] = []
        self._later: list[Switch] = []
        self._bad: set[tuple[str, str, str]] = set()  # what others cannot be made without

    def finish(self, waiting: Collection[Item], missing: Lack) -> ExportOutcome:
        """Do what can be done without the items that are `waiting` for objects."""
        planned = self._planned
        if planned.all_or_nothing and planned.refused:
            return self._refused_whole()
        if waiting and planned.found.manifest.versions:
            # Snapshots are made in the order of the versions that hold them, whatever order their media came in.
            waiting = {
                *waiting,
                *(each for each in planned.items if each.kind == "repository" and each.changes),
            }
        for item in planned.items:
            self._outcomes.append(self._become(item, waiting))
        if planned.all_or_nothing:
            self._show_all()
        return self._ended(missing)

    def _refused_whole(self) -> ExportOutcome:
        items = tuple(
            ItemOutcome(item, Fate.REFUSED if item.refused else Fate.WAITING) for item in self._planned.items
        )
        return ExportOutcome(self._planned, "failed", items, self._planned.missing)

    def _become(self, item: Item, waiting: Collection[Item]) -> ItemOutcome:
        if item.refused:
            return ItemOutcome(item, Fate.REFUSED)
        if item in waiting or self._waits(item, waiting):
            self._bad.add(_key(item))
            return ItemOutcome(item, Fate.WAITING)
        if not item.changes:
            return ItemOutcome(item, Fate.UNCHANGED)
        return self._attempt(item)

    def _waits(self, item: Item, waiting: Collection[Item]) -> bool:
        """Whether it is nothing without what is missing: rows are made with the first thing that needs them."""
        manifest = self._planned.found.manifest
        if item.kind == "version" and item.changes:
            entry = next(each for each in manifest.versions if f"{each.view} {each.number}" == item.name)
            return any(
                ("repository", each.sent_as, each.inventory) in self._bad
                for each in self._planned.items
                if each.kind == "repository" and (each.sent_as, each.inventory) in _contents(entry.contents)
            )
        if item.kind == "environment" and item.changes:
            return any(("version", f"{view} {number}", "") in self._bad for view, number in item.show)
        if item.kind == "view" and item.changes:
            newest = max(
                (each for each in manifest.versions if each.view == item.name), key=lambda v: v.number
            )
            return any(("repository", sent, inventory) in self._bad for _, sent, inventory in newest.contents)
        if item.kind in ("organization", "product", "key") and item.changes:
            repositories = [each for each in self._planned.items if each.kind == "repository"]
            changing = [each for each in repositories if each.changes]
            return bool(changing) and all(each in waiting for each in changing)
        return False

    def _attempt(self, item: Item) -> ItemOutcome:
        """Do it. What the disk or the catalog does not take is told of the item, and is not the end of the others."""
        try:
            self._workspace.check_stop()
            return ItemOutcome(item, _DONE[item.action], self._do(item))
        except Interrupted:
            raise
        except OrchestratorError as error:
            failure = error
        except OSError as error:
            if not is_refusal(error):
                raise
            failure = refused_by_system(error, self._workspace.root, "what has come is kept")
        self._bad.add(_key(item))
        return ItemOutcome(item, Fate.FAILED, error=failure)

    def _do(self, item: Item) -> int:
        """The number of the snapshot, of a repository."""
        if item.kind == "repository":
            seen = self._publisher.bring(item)
            if item.switch:
                self._show(seen)
            return int(seen["number"])
        if item.kind == "version":
            seen_version = self._publisher.add_version(item)
            if seen_version is not None:
                self._show(seen_version)
        elif item.kind == "environment":
            for each in self._publisher.make_environment(item):
                self._show(each)
        else:
            self._publisher.make_row(item)
        return 0

    def _show(self, what: Switch) -> None:
        if self._planned.all_or_nothing:
            self._later.append(what)
        else:
            switch(self._workspace, self._planned.organization, what, wait=self._wait)

    def _show_all(self) -> None:
        """Show all of it, when all of it is there; else nothing of it."""
        if not all(each.fate in (Fate.CREATED, Fate.UPDATED, Fate.UNCHANGED) for each in self._outcomes):
            self._unshown(Fate.WAITING)
            return
        if not self._later:
            return
        organization, later = self._planned.organization, self._later
        try:
            switch_all(self._workspace, organization, later, lambda: self._state.note_switches(later))
        except OrchestratorError as error:
            self._unshown(Fate.FAILED, error)
        else:
            self._state.forget_switches()

    def _unshown(self, fate: Fate, error: OrchestratorError | None = None) -> None:
        """What was made is not to be seen yet."""
        seen = ("repository", "version", "environment")
        self._outcomes = [
            replace(each, fate=fate, error=error)
            if each.fate in _DONE.values() and each.item.kind in seen
            else each
            for each in self._outcomes
        ]

    # --- the record

    def record_beginning(self) -> None:
        """That it goes on, before its first object comes."""
        outcomes = tuple(
            ItemOutcome(item, Fate.REFUSED if item.refused else Fate.WAITING) for item in self._planned.items
        )
        self._record(ExportOutcome(self._planned, "going on", outcomes, self._planned.missing))

    def _ended(self, missing: Lack) -> ExportOutcome:
        fates = {each.fate for each in self._outcomes}
        state: State = "complete"
        if Fate.FAILED in fates or Fate.REFUSED in fates:
            state = "failed"
        elif Fate.WAITING in fates:
            state = "going on"
        outcome = ExportOutcome(self._planned, state, tuple(self._outcomes), missing)
        if fates & {Fate.CREATED, Fate.UPDATED, Fate.WAITING, Fate.FAILED} or self._is_news(outcome):
            self._record(outcome)
        if not fates & {Fate.WAITING, Fate.FAILED}:
            self._state.remove()
        return outcome

    def _is_news(self, outcome: ExportOutcome) -> bool:
        """Whether the catalog does not know that this was imported."""
        if outcome.state != "complete":
            return False
        with self._workspace.catalog.reading() as session:
            there = imports.get(session, self._planned.id)
        return there is None or (there.state, there.organization) != ("complete", self._planned.organization)

    def _record(self, outcome: ExportOutcome) -> None:
        now, manifest = clock.timestamp(), self._planned.found.manifest
        with self._workspace.catalog.changing(self._workspace.actor) as session:
            before = imports.get(session, self._planned.id)
            made = before.made if before is not None else now
            record = ImportRecord(
                self._planned.id,
                self._planned.organization,
                manifest.subject,
                outcome.state,
                made,
                now,
                outcome.to_json(),
            )
            imports.put(session, record)
            if before is None or before.state != outcome.state:
                subject = f"{self._planned.organization} {self._planned.id}"
                audit.note(session, self._workspace.actor, "import", subject, {"state": outcome.state})


def _key(item: Item) -> tuple[str, str, str]:
    if item.kind == "repository":
        return ("repository", item.sent_as, item.inventory)
    return (item.kind, item.name, "")


def _contents(contents: Collection[tuple[str, str, str]]) -> set[tuple[str, str]]:
    return {(sent, inventory) for _, sent, inventory in contents}
