# SPDX-License-Identifier: GPL-3.0-or-later
"""Views: publish a version of what their repositories hold now, and promote versions from environment to environment.

The catalog says what is shown where; the links on the disk follow it. A run that ends between the two is mended by
the next one: `mend_links` compares them, and changes nothing when they agree.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.content import links, snapshotting
from orchestrator.content.adopting import adopt_mirrors
from orchestrator.content.catalog import audit, environments, views
from orchestrator.content.catalog.model import LIBRARY, Snapshot, View, ViewVersion
from orchestrator.content.events import Name
from orchestrator.content.workspace import Workspace
from orchestrator.errors import OrchestratorError, Problem, Refused, UsageError
from orchestrator.host import clock

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Shown:
    """What became of a publication or promotion. `changed`: clients see something else than before. `made`: the
    version is new."""

    version: ViewVersion
    environment: str
    path: Path
    changed: bool
    made: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "organization": self.version.organization,
            "view": self.version.view,
            "version": self.version.number,
            "environment": self.environment,
            "path": str(self.path),
            "changed": self.changed,
            "made": self.made,
            "repositories": {path: snapshot.number for path, snapshot in self.version.contents},
        }


def publish(workspace: Workspace, organization: str, label: str, *, description: str = "") -> Shown:
    """A new version of a view, of what its repositories show now (composed views: of the newest versions of their
    parts), shown in the library. The newest version stays the newest when it holds just that.

    Raises Refused naming every repository without content, and two parts that hold different snapshots of one.
    """
    adopt_mirrors(workspace)
    mend_links(workspace, organization)
    with workspace.catalog.reading() as session:
        view = views.get(session, organization, label)
        before = views.versions(session, organization, label)
    contents = _composed(workspace, view) if view.views else _current(workspace, view)
    newest = max(before, key=lambda each: each.number, default=None)
    if newest is None or newest.contents != contents:
        with workspace.catalog.changing(workspace.actor) as session:
            number = views.next_number(session, organization, label)
            made = ViewVersion(organization, label, number, clock.timestamp(), contents, description)
            views.add_version(session, made)
            _note(workspace, session, "view.publish", made, {"repositories": len(contents)})
    else:
        made = newest
    return show(workspace, made, LIBRARY, made=made is not newest)


def _current(workspace: Workspace, view: View) -> tuple[tuple[str, Snapshot], ...]:
    found, problems = [], []
    for path in sorted(view.repositories):
        workspace.check_stop()
        try:
            found.append((path, snapshotting.newest(workspace, view.organization, path)))
        except OrchestratorError as error:
            problems.append(Problem(path, error.message, error.hint))
    if problems:
        raise Refused(f"the view {view.label} cannot be published", problems=problems)
    if not found:
        raise Refused(
            f"the view {view.label} has no repositories", hint="name some: orchestrator view update"
        )
    return tuple(found)


def _composed(workspace: Workspace, view: View) -> tuple[tuple[str, Snapshot], ...]:
    merged: dict[str, tuple[str, Snapshot]] = {}
    problems = []
    for part in view.views:
        with workspace.catalog.reading() as session:
            there = views.versions(session, view.organization, part)
        if not there:
            problems.append(Problem(part, "has no version yet", f"orchestrator view publish {part}"))
            continue
        for path, snapshot in max(there, key=lambda each: each.number).contents:
            other, held = merged.setdefault(path, (part, snapshot))
            if held != snapshot:
                what = f"{other} holds snapshot {held.number} of {path}, {part} holds {snapshot.number}"
                problems.append(Problem(path, what, f"publish {other} and {part} again"))
    if problems:
        raise Refused(f"the view {view.label} cannot be composed", problems=problems)
    return tuple((path, snapshot) for path, (_, snapshot) in sorted(merged.items()))


def promote(
    workspace: Workspace,
    organization: str,
    view: str,
    to: str,
    *,
    number: int | None = None,
    force: bool = False,
) -> Shown:
    """Show a version of a view in the environment `to`: `number`, or what the environment before it shows. With
    `force` also one that the environment before does not show. Raises Refused, UsageError for the library."""
    mend_links(workspace, organization)
    with workspace.catalog.reading() as session:
        environment = environments.get(session, organization, to)
        if not environment.after:
            raise UsageError(
                f"nothing is promoted into {to}: it shows what was published",
                hint=f"orchestrator view publish {view}",
            )
        views.get(session, organization, view)
        before = environments.get(session, organization, environment.after).shows.get(view)
        number = before if number is None else number
        if number is None:
            raise Refused(
                f"{environment.after}, from which {to} takes, shows no version of {view}",
                hint=f"orchestrator environment promote {view} --to {environment.after}",
            )
        version = views.version(session, organization, view, number)
    if number not in (before, environment.shows.get(view)) and not force:
        raise Refused(
            f"{environment.after} shows {f'version {before}' if before else 'no version'} of {view}, "
            f"not version {number}",
            hint=f"promote it to {environment.after} first, or say --force",
        )
    return show(workspace, version, to)


def show(workspace: Workspace, version: ViewVersion, environment: str, *, made: bool = False) -> Shown:
    """Show a version of a view in an environment, whatever the path says."""
    make_links(workspace, version)
    with workspace.catalog.changing(workspace.actor) as session:
        environments.show(session, version.organization, environment, version.view, version.number)
        _note(workspace, session, "environment.show", version, {"environment": environment})
    place = workspace.shown(version.organization, environment, version.view)
    changed = links.switch(place, version_place(workspace, version))
    fields = {"view": version.view, "version": version.number, "environment": environment, "path": str(place)}
    workspace.tell(Name.SHOWN, f"{version.view} {version.number}", changed=changed, **fields)
    return Shown(version, environment, place, changed, made)


def _note(
    workspace: Workspace, session: "Session", action: str, version: ViewVersion, details: dict[str, Any]
) -> None:
    subject = f"{version.organization}/{version.view} {version.number}"
    audit.note(session, workspace.actor, action, subject, details)


def version_place(workspace: Workspace, version: ViewVersion) -> Path:
    return workspace.root / "views" / version.organization / version.view / str(version.number)


def make_links(workspace: Workspace, version: ViewVersion) -> None:
    """The directory of a version's links, if it is not there."""
    from orchestrator.content.catalog import repositories

    with workspace.catalog.reading() as session:
        trees = {
            path: workspace.store(
                repositories.get(session, version.organization, f"{each.product}/{each.repository}")
            ).path
            / str(each.number)
            for path, each in version.contents
        }
    gone = [path for path, tree in trees.items() if not tree.is_dir()]
    if gone:
        raise Refused(
            f"version {version.number} of {version.view} cannot be shown: snapshots are gone",
            problems=[Problem(path, f"{trees[path]} is not there") for path in gone],
            hint=f"orchestrator view publish {version.view}",
        )
    links.make_version(version_place(workspace, version), trees)


def mend_links(workspace: Workspace, organization: str) -> None:
    """Bring the links to what the catalog says: a run may have ended between the two."""
    with workspace.catalog.reading() as session:
        shown = [
            (environment.label, views.version(session, organization, view, number))
            for environment in environments.all(session, organization)
            for view, number in environment.shows.items()
        ]
    for environment, version in shown:
        place = workspace.shown(organization, environment, version.view)
        if not place.is_symlink() or Path(place.readlink()).name != str(version.number):
            make_links(workspace, version)
            links.switch(place, version_place(workspace, version))


def remove_versions(workspace: Workspace, organization: str, view: str, numbers: Iterable[int]) -> None:
    """Forget versions of a view, with what only they kept. Raises Refused for one that an environment shows."""
    import shutil

    with workspace.catalog.changing(workspace.actor) as session:
        versions = [views.version(session, organization, view, number) for number in numbers]
        for version in versions:
            views.remove_version(session, organization, view, version.number)
            _note(workspace, session, "view.remove", version, {})
    for version in versions:
        shutil.rmtree(version_place(workspace, version), ignore_errors=True)


def remove_view(workspace: Workspace, organization: str, label: str) -> None:
    """Forget a view with all its versions. Raises Refused while an environment shows it or a view is composed of
    it."""
    import shutil

    with workspace.catalog.changing(workspace.actor) as session:
        views.delete(session, organization, label)
        audit.note(session, workspace.actor, "view.delete", f"{organization}/{label}", {})
    shutil.rmtree(workspace.root / "views" / organization / label, ignore_errors=True)


def remove_environment(workspace: Workspace, organization: str, label: str) -> None:
    """Forget an environment; clients find nothing there any more. Raises Refused for the library, and while another
    takes from it."""
    import shutil

    with workspace.catalog.changing(workspace.actor) as session:
        for view in environments.get(session, organization, label).shows:
            environments.hide(session, organization, label, view)
        environments.delete(session, organization, label)
        audit.note(session, workspace.actor, "environment.delete", f"{organization}/{label}", {})
    shutil.rmtree(workspace.root / "published" / organization / label, ignore_errors=True)
