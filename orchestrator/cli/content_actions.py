# SPDX-License-Identifier: GPL-3.0-or-later
"""The content server as actions of a YAML step: `repository.sync`, `view.publish`, `environment.promote`, `export`,
`import`.

All are safe to repeat: what is synced, published or shown already is looked at and left; an export that was cut off
goes on at its next chunk, and one that the step has made is not made again; an import takes what is still missing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.action_watching import StepWatcher
from orchestrator.errors import Busy, ExitCode, Interrupted, Invalid, OrchestratorError, Problem, StepFailed
from orchestrator.host import files
from orchestrator.upgrade.actions import ActionContext

if TYPE_CHECKING:
    from orchestrator.content.exports.request import ExportRequest
    from orchestrator.content.workspace import Workspace


@dataclass(frozen=True, slots=True)
class _OnContent:
    """What all have: the configuration of the content server, if it is not that of the run."""

    config: Path | None = None
    organization: str = ""
    restarts: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    def refusals(self, environment: Mapping[str, str]) -> Iterable[Problem]:
        """A configuration that cannot be read. Whether the catalog has what is named is seen when it is needed: its
        database may be one of the services."""
        from orchestrator.content.settings import read_settings

        try:
            read_settings(self.config, environment)
        except Invalid as error:
            yield from error.problems or (Problem("content", error.message, error.hint),)

    @contextmanager
    def _workspace(self, context: ActionContext) -> "Iterator[tuple[Workspace, str]]":
        """The content server, which tells the step's log and the run, and the organization."""
        from orchestrator.content.catalog.model import Actor
        from orchestrator.content.settings import read_settings
        from orchestrator.content.workspace import Workspace
        from orchestrator.host.signals import Interrupts

        settings = read_settings(self.config, context.environment)
        run = context.environment.get("ORCHESTRATOR_RUN_ID", "")
        with (
            Interrupts() as interrupts,
            Workspace(
                settings,
                Actor(f"upgrade {run}".strip(), "step"),
                watch=StepWatcher(context),
                stop=lambda: interrupts.stop_requested,
            ) as workspace,
        ):
            yield workspace, self.organization or settings.organization


@dataclass(frozen=True, slots=True)
class Sync(_OnContent):
    names: tuple[str, ...] = ()
    source_url: str = ""
    allow_shrink: bool = False
    allow_stale: bool = False
    wait_lock: float = 0.0

    @property
    def summary(self) -> str:
        return f"repository.sync: {', '.join(self.names) or 'all'}"

    def perform(self, context: ActionContext) -> None:
        from orchestrator.cli.mirror_actions import settle
        from orchestrator.content import syncing

        with self._workspace(context) as (workspace, organization):
            outcomes = syncing.sync_each(
                workspace,
                organization,
                self.names or syncing.syncable(workspace, organization),
                source_url=self.source_url,
                allow_shrink=self.allow_shrink,
                allow_stale=self.allow_stale,
                wait_lock=self.wait_lock,
            )
        settle(context, outcomes, "repositories")


@dataclass(frozen=True, slots=True)
class Publish(_OnContent):
    names: tuple[str, ...] = ()
    description: str = ""

    @property
    def summary(self) -> str:
        return f"view.publish: {', '.join(self.names)}"

    def perform(self, context: ActionContext) -> None:
        from orchestrator.cli.content_wording import shown_line
        from orchestrator.content import views

        with self._workspace(context) as (workspace, organization):
            for name in self.names:
                shown = views.publish(workspace, organization, name, description=self.description)
                context.say(shown_line(shown).text)


@dataclass(frozen=True, slots=True)
class Promote(_OnContent):
    view: str = ""
    to: str = ""
    version: int | None = None
    force: bool = False

    @property
    def summary(self) -> str:
        which = f" {self.version}" if self.version else ""
        return f"environment.promote: {self.view}{which} to {self.to}"

    def perform(self, context: ActionContext) -> None:
        from orchestrator.cli.content_wording import shown_line
        from orchestrator.content import views

        with self._workspace(context) as (workspace, organization):
            shown = views.promote(
                workspace, organization, self.view, self.to, number=self.version, force=self.force
            )
            context.say(shown_line(shown).text)


@dataclass(frozen=True, slots=True)
class Export(_OnContent):
    """`kind` "auto" is an increment where there is something to build on, and nothing where nothing has changed since.
    `options` are the others of an `ExportRequest`."""

    subject_kind: str = "library"
    names: tuple[str, ...] = ()
    kind: str = "complete"
    options: tuple[tuple[str, Any], ...] = ()
    to: str = ""
    fetch_missing: bool = False
    wait_lock: float = 0.0

    @property
    def summary(self) -> str:
        what = f"{self.subject_kind} {', '.join(self.names)}".rstrip()
        return f"export: {self.kind} {what}"

    def perform(self, context: ActionContext) -> None:
        from orchestrator.cli.export_wording import outcome_lines
        from orchestrator.content.exports.running import export
        from orchestrator.content.exports.wish import Wish

        note = Path(context.environment["ORCHESTRATOR_SCRATCH_DIR"]) / f"export.{self.subject_kind}.json"
        with self._workspace(context) as (workspace, organization):
            kind = _noted(note, lambda: self._kind(workspace, organization))
            request = self._request(organization, kind)
            wish = Wish(to=self.to, fetch_missing=self.fetch_missing, wait_lock=self.wait_lock)
            if self.kind == "auto" and kind == "increment":
                planned = export(workspace, request, replace(wish, dry_run=True))
                if not planned.objects and planned.exit_code is ExitCode.DONE:
                    context.say("nothing has changed since the last export: there is nothing to send")
                    return
            outcome = export(workspace, request, wish)
        for line in outcome_lines(outcome):
            context.say(line.text)
        if outcome.exit_code is not ExitCode.DONE:
            raise StepFailed(f"the export was not made: {outcome.refused or 'something is missing'}")

    def _kind(self, workspace: "Workspace", organization: str) -> str:
        from orchestrator.content.exports.bases import has_base

        if self.kind != "auto":
            return self.kind
        request = self._request(organization, "increment")
        return "increment" if has_base(workspace, request) else "complete"

    def _request(self, organization: str, kind: str) -> "ExportRequest":
        from orchestrator.content.exports.request import ExportRequest

        return ExportRequest(
            kind=kind,  # type: ignore[arg-type]
            subject_kind=self.subject_kind,  # type: ignore[arg-type]
            names=self.names,
            organization=organization,
            **dict(self.options),
        )


def _noted(note: Path, decide: Callable[[], str]) -> str:
    """What was decided when this step was first tried; a repeated step decides the same."""
    noted = files.read_json(note)
    if isinstance(noted, str):
        return noted
    decided = decide()
    files.replace_json(note, decided)
    return decided


@dataclass(frozen=True, slots=True)
class Import(_OnContent):
    paths: tuple[Path, ...] = ()
    trust: tuple[Path, ...] = ()
    create: bool = True
    all_or_nothing: bool = False
    allow_missing: bool = False
    wait_lock: float = 0.0

    @property
    def summary(self) -> str:
        return f"import: {', '.join(map(str, self.paths))}"

    def perform(self, context: ActionContext) -> None:
        from orchestrator.cli.import_wording import outcome_lines
        from orchestrator.content.imports.deciding import Wish
        from orchestrator.content.imports.opening import open_media
        from orchestrator.content.imports.running import run

        wish = Wish(create=self.create, all_or_nothing=self.all_or_nothing, organization=self.organization)
        with self._workspace(context) as (workspace, _):
            outcome = run(
                workspace,
                open_media([str(path) for path in self.paths]),
                wish,
                trust=self.trust,
                wait_lock=self.wait_lock,
            )
        for line in outcome_lines(outcome):
            context.say(line.text)
        code = outcome.exit_code
        if code is ExitCode.LOSSES and self.allow_missing:
            return
        if code is not ExitCode.DONE:
            kinds: dict[ExitCode, type[OrchestratorError]] = {
                ExitCode.BUSY: Busy,
                ExitCode.INTERRUPTED: Interrupted,
            }
            raise kinds.get(code, StepFailed)("the import is not complete: see above")
