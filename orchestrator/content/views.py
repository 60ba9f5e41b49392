# SPDX-License-Identifier: GPL-3.0-or-later
"""Views: publish a version of what their repositories hold now, promote versions from environment to environment, and
let them go. What clients see of that is `showing`."""

from collections.abc import Iterable

from orchestrator.content import snapshotting
from orchestrator.content.adopting import adopt_mirrors
from orchestrator.content.catalog import audit, environments, views
from orchestrator.content.catalog.model import LIBRARY, Snapshot, View, ViewVersion
from orchestrator.content.showing import Shown, alone, mend_links, note, show, show_alone
from orchestrator.content.workspace import Workspace
from orchestrator.errors import Busy, OrchestratorError, Problem, Refused, UsageError
from orchestrator.host import clock

# So often other runs may publish the same view between the look at its repositories and the version.
_TRIES = 5


def publish(workspace: Workspace, organization: str, label: str, *, description: str = "") -> Shown:
    """A new version of a view, of what its repositories show now (composed views: of the newest versions of their
    parts), shown in the library. The newest version stays the newest when it holds just that.

    Raises Refused naming every repository without content, and two parts that hold different snapshots of one; Busy.
    """
    adopt_mirrors(workspace)
    mend_links(workspace, organization)
    for _ in range(_TRIES):
        with workspace.catalog.reading() as session:
            view = views.get(session, organization, label)
            last = views.numbers(session, organization)[label]
        contents = _composed(workspace, view) if view.views else _current(workspace, view)
        with alone(workspace, organization):
            with workspace.catalog.reading() as session:
                now = views.numbers(session, organization).get(label)
            if now == last:
                version, made = _version(workspace, view, contents, description)
                return show_alone(workspace, version, LIBRARY, made=made)
        # Another run has published it meanwhile, of what may be newer than what was found here.
    raise Busy(f"other runs publish the view {label} again and again", hint="try again when they are through")


def _version(
    workspace: Workspace, view: View, contents: tuple[tuple[str, Snapshot], ...], description: str
) -> tuple[ViewVersion, bool]:
    """The newest version of the view, when it holds these contents, else a new one; and whether it is new."""
    with workspace.catalog.changing(workspace.actor) as session:
        before = views.versions(session, view.organization, view.label)
        if before and before[0].contents == contents:
            return before[0], False
        number = views.next_number(session, view.organization, view.label)
        made = ViewVersion(view.organization, view.label, number, clock.timestamp(), contents, description)
        views.add_version(session, made)
        note(workspace, session, "view.publish", made, {"repositories": len(contents)})
    return made, True


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
                hint=f"orchestrator view publish {view}"
                if environment.after == LIBRARY
                else f"orchestrator environment promote {view} --to {environment.after}",
            )
        version = views.version(session, organization, view, number)
    if number not in (before, environment.shows.get(view)) and not force:
        raise Refused(
            f"{environment.after} shows {f'version {before}' if before else 'no version'} of {view}, "
            f"not version {number}",
            hint=f"promote it to {environment.after} first, or say --force",
        )
    return show(workspace, version, to)


def remove_versions(workspace: Workspace, organization: str, view: str, numbers: Iterable[int]) -> None:
    """Forget versions of a view, with what only they kept. Raises Refused for one that an environment shows."""
    with workspace.catalog.changing(workspace.actor) as session:
        versions = [views.version(session, organization, view, number) for number in numbers]
        for version in versions:
            views.remove_version(session, organization, view, version.number)
            note(workspace, session, "view.remove", version, {})
    mend_links(workspace, organization)


def remove_view(workspace: Workspace, organization: str, label: str) -> None:
    """Forget a view with all its versions. Raises Refused while an environment shows it or a view is composed of
    it."""
    with workspace.catalog.changing(workspace.actor) as session:
        views.delete(session, organization, label)
        audit.note(session, workspace.actor, "view.delete", f"{organization}/{label}", {})
    mend_links(workspace, organization)


def remove_environment(workspace: Workspace, organization: str, label: str) -> None:
    """Forget an environment; clients find nothing there any more. Raises Refused for the library, and while another
    takes from it."""
    with workspace.catalog.changing(workspace.actor) as session:
        for view in environments.get(session, organization, label).shows:
            environments.hide(session, organization, label, view)
        environments.delete(session, organization, label)
        audit.note(session, workspace.actor, "environment.delete", f"{organization}/{label}", {})
    mend_links(workspace, organization)
