# SPDX-License-Identifier: GPL-3.0-or-later
"""An import: objects first, unseen, then each repository by one switch. What is cut off is gone on with by the same
command, and by the next medium; what was imported already changes nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.content.events import Name
from orchestrator.content.exports.media import MediumReader
from orchestrator.content.imports import objects
from orchestrator.content.imports.assembly import Assembly
from orchestrator.content.imports.deciding import Item, Wish
from orchestrator.content.imports.finishing import Finishing
from orchestrator.content.imports.here import has_catalog
from orchestrator.content.imports.objects import Sought
from orchestrator.content.imports.outcome import ExportOutcome, Fate, ImportOutcome
from orchestrator.content.imports.plan import Draft, ExportPlan, draft
from orchestrator.content.imports.publishing import switch
from orchestrator.content.imports.state import ImportState, alone, going_on
from orchestrator.content.imports.taking import Taking
from orchestrator.errors import Refused
from orchestrator.host.refusals import is_refusal, refused_by_system

if TYPE_CHECKING:
    from orchestrator.content.workspace import Workspace

_KEPT = "what has come is kept"


def run(
    workspace: "Workspace",
    media: Sequence[MediumReader],
    wish: Wish | None = None,
    *,
    trust: Sequence[Path] = (),
    wait_lock: float = 0.0,
) -> ImportOutcome:
    """Import what the media hold, and end imports that go on as far as that can be done now.

    Raises BadContent and Refused when none of the media can be imported, or there is no room; Busy when another
    import does not end in `wait_lock` seconds; Interrupted; StateUnwritable when the disk is full or fails. Then
    what has come is kept. A repository that fails keeps what it shows, and the others go on: see the outcome.
    """
    try:
        with alone(workspace.root, wait_lock):
            finish_switches(workspace)
            drafted = draft(workspace, media, wish or Wish(), trust, workspace.pool.size)
            try:
                return _Run(workspace, drafted, wait_lock).run()
            finally:
                drafted.close()
    except OSError as error:
        if is_refusal(error):
            raise refused_by_system(error, workspace.root, _KEPT) from None
        raise


def finish_switches(workspace: "Workspace") -> None:
    """Show what a run that was to show all at once had begun to show. What is not there any more, because somebody
    deleted it meanwhile, is told, and is no reason to end every import from then on."""
    for state in going_on(workspace.root):
        for each in state.switches():
            try:
                switch(workspace, state.organization, each, wait=60.0)
            except Refused as error:
                text = f"what was to be shown is gone: {error.message}"
                workspace.tell(Name.WARNING, state.export[:12], text=text)
        state.forget_switches()


class _Run:
    def __init__(self, workspace: "Workspace", drafted: Draft, wait: float) -> None:
        self._workspace, self._drafted, self._wait = workspace, drafted, wait
        self._plan = drafted.plan
        self._due = [each for each in self._plan.exports if each.due or each.anticipated]
        self._not_done: set[tuple[str, str, str]] = set()  # organization, repository and inventory

    def run(self) -> ImportOutcome:
        self._check_room()
        self._mend_links()
        for planned in self._due:
            state = ImportState(self._workspace.root, planned.id)
            state.begin(planned.found, planned.organization, all_or_nothing=planned.all_or_nothing)
            Finishing(self._workspace, planned, self._wait).record_beginning()
        taking = self._take()
        outcomes = [self._finish(planned) for planned in self._plan.exports]
        told = tuple(each for each in outcomes if self._is_told(each))
        return ImportOutcome(told, self._plan.media, tuple(taking.damaged), taking.objects, taking.bytes)

    def _is_told(self, outcome: ExportOutcome) -> bool:
        """Others that go on are not, when media were given and brought them nothing."""
        waits = outcome.state == "going on" and not any(each.changed for each in outcome.items)
        given = any(report.export == outcome.planned.id for report in self._plan.media)
        return given or not self._plan.media or not waits

    def _mend_links(self) -> None:
        """Of views: the catalog knew what they show before a run that was cut off could show it."""
        from orchestrator.content import showing
        from orchestrator.content.catalog import organizations

        if not has_catalog(self._workspace):
            return
        with self._workspace.catalog.reading() as session:
            there = {each.label for each in organizations.all(session)}
        for organization in sorted(there & {planned.organization for planned in self._plan.exports}):
            try:
                showing.mend_links(self._workspace, organization)
            except Refused as error:
                self._workspace.tell(Name.WARNING, organization, text=error.message)

    def _check_room(self) -> None:
        if not self._plan.fits:
            from orchestrator.config.quantities import show_size

            needed, free = show_size(self._plan.bytes), show_size(self._plan.free)
            raise Refused(
                f"the import needs {needed} below {self._workspace.root}, and {free} are free",
                hint="free some space (orchestrator mirror prune), or import fewer media at a time",
            )

    def _take(self) -> Taking:
        """What is missing of the exports that are not refused as a whole."""
        sizes = self._drafted.sizes
        taking = Taking(self._workspace, Sought(sizes, self._drafted.places), self._plan.bytes)
        if sizes and any(found.media for found in self._drafted.survey.exports):
            self._workspace.tell(Name.TAKING, "import", objects=len(sizes), bytes=self._plan.bytes)
            found = [each for each in self._drafted.survey.exports if each.media]
            taking.take(found, self._drafted.survey.reports.get)
        return taking

    def _finish(self, planned: ExportPlan) -> ExportOutcome:
        """Publish what is whole; what is missing is in `sizes` of the draft."""
        self._workspace.check_stop()
        missing: dict[str, int] = {}
        waiting: set[Item] = set()
        for item in planned.items:
            if item.kind != "repository" or not (item.changes or item in planned.anticipated):
                continue
            lacking = self._lacking(planned, item)
            missing |= lacking
            if lacking or (item in planned.anticipated and self._place(planned, item) in self._not_done):
                waiting.add(item)
        finishing = Finishing(self._workspace, planned, self._wait)
        segments = Assembly(ImportState(self._workspace.root, planned.id).segments)
        outcome = finishing.finish(waiting, objects.lack(planned.found, missing, segments.ranges))
        undone = [each.item for each in outcome.items if each.fate in (Fate.WAITING, Fate.FAILED)]
        self._not_done |= {self._place(planned, item) for item in undone}
        if not self._is_told(outcome):
            return outcome
        self._workspace.tell(
            Name.IMPORTED,
            f"export {planned.id[:12]}",
            export=planned.id,
            organization=planned.organization,
            state=outcome.state,
            missing=outcome.missing.objects,
        )
        return outcome

    def _place(self, planned: ExportPlan, item: Item) -> tuple[str, str, str]:
        return planned.organization, item.name, item.inventory

    def _lacking(self, planned: ExportPlan, item: Item) -> dict[str, int]:
        sizes = self._drafted.sizes
        return {
            file.sha256: file.size for file in planned.found.inventory(item.inventory) if file.sha256 in sizes
        }
