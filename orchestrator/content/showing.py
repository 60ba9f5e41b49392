# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients see of views: the catalog says which version is shown where, and the links on the disk follow it.

Both change under one lock for each organization, so that of two runs at once the later one is seen, and stands in the
catalog. What a run that ended between the two left is mended by the next one: `mend_links` compares them.

    root/views/<organization>/.lock     held while the one or the other changes
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.content import links
from orchestrator.content.catalog import audit, environments, repositories, views
from orchestrator.content.catalog.model import ViewVersion
from orchestrator.content.events import Name
from orchestrator.content.pool import make_public_directory
from orchestrator.content.workspace import Workspace
from orchestrator.errors import Busy, Problem, Refused
from orchestrator.host import clock
from orchestrator.host.files import FileLock

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

# Seconds to wait for another run: it makes some links.
_PATIENCE, _POLL = 60.0, 0.05


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


def show(workspace: Workspace, version: ViewVersion, environment: str, *, made: bool = False) -> Shown:
    """Show a version of a view in an environment, whatever the path says. Raises Refused when its snapshots are gone,
    and Busy."""
    with alone(workspace, version.organization):
        return show_alone(workspace, version, environment, made=made)


def show_alone(workspace: Workspace, version: ViewVersion, environment: str, *, made: bool = False) -> Shown:
    """`show` by who is `alone`."""
    place = workspace.shown(version.organization, environment, version.view)
    _make_links(workspace, version)
    with workspace.catalog.changing(workspace.actor) as session:
        environments.show(session, version.organization, environment, version.view, version.number)
        note(workspace, session, "environment.show", version, {"environment": environment})
    changed = links.switch(place, _place_of(workspace, version))
    fields = {"view": version.view, "version": version.number, "environment": environment, "path": str(place)}
    workspace.tell(Name.SHOWN, f"{version.view} {version.number}", changed=changed, **fields)
    return Shown(version, environment, place, changed, made)


def hide(workspace: Workspace, organization: str, view: str, environment: str) -> None:
    """Show no version of a view in an environment any more. Raises Refused when it shows none, and Busy."""
    with alone(workspace, organization):
        with workspace.catalog.changing(workspace.actor) as session:
            views.get(session, organization, view)
            number = environments.get(session, organization, environment).shows.get(view)
            if number is None:
                raise Refused(f"the environment {environment} shows no version of the view {view}")
            environments.hide(session, organization, environment, view)
            details = {"environment": environment}
            audit.note(
                session, workspace.actor, "environment.hide", f"{organization}/{view} {number}", details
            )
        links.remove(workspace.shown(organization, environment, view))


def mend_links(workspace: Workspace, organization: str) -> None:
    """Bring the links to what the catalog says: a run may have ended between the two. Raises Refused when snapshots
    of a version that is shown are gone, and Busy."""
    with alone(workspace, organization):
        with workspace.catalog.reading() as session:
            shown = {
                environment.label: {
                    view: views.version(session, organization, view, number)
                    for view, number in environment.shows.items()
                }
                for environment in environments.all(session, organization)
            }
            known = views.numbers(session, organization)
        for environment, versions in shown.items():
            for version in versions.values():
                place = workspace.shown(organization, environment, version.view)
                if not place.is_symlink() or Path(place.readlink()).name != str(version.number):
                    _make_links(workspace, version)
                    links.switch(place, _place_of(workspace, version))
        directory = _views_of(workspace, organization)
        links.sweep_shown(workspace.root / "published" / organization, shown, directory)
        links.sweep_versions(directory, known)


@contextlib.contextmanager
def alone(workspace: Workspace, organization: str) -> Iterator[None]:
    """Be the only run that changes what clients see of an organization's views. Raises Busy."""
    directory = _views_of(workspace, organization)
    make_public_directory(directory)
    lock, until = FileLock(directory / ".lock"), clock.monotonic() + _PATIENCE
    while not lock.try_acquire():
        if clock.monotonic() >= until:
            raise Busy(
                f"another run is changing what is shown of {organization}",
                hint="try again when it is through",
            )
        clock.sleep(_POLL)
    with lock:
        lock.describe({"pid": os.getpid(), "since": clock.timestamp()})
        yield


def note(
    workspace: Workspace, session: "Session", action: str, version: ViewVersion, details: dict[str, Any]
) -> None:
    """What is done with a version, in the audit trail."""
    subject = f"{version.organization}/{version.view} {version.number}"
    audit.note(session, workspace.actor, action, subject, details)


def _views_of(workspace: Workspace, organization: str) -> Path:
    return workspace.root / "views" / organization


def _place_of(workspace: Workspace, version: ViewVersion) -> Path:
    return _views_of(workspace, version.organization) / version.view / str(version.number)


def _make_links(workspace: Workspace, version: ViewVersion) -> None:
    """The directory of a version's links, if it is not there."""
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
    links.make_version(_place_of(workspace, version), trees)
