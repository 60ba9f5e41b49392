# SPDX-License-Identifier: GPL-3.0-or-later
"""What an export is of: the snapshots, view versions and environments that a request means, out of the catalog."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from orchestrator.content import snapshotting
from orchestrator.content.adopting import adopt_mirrors
from orchestrator.content.catalog import (
    environments,
    keys,
    organizations,
    products,
    repositories,
    snapshots,
    views,
)
from orchestrator.content.catalog.model import (
    Environment,
    Key,
    Organization,
    Product,
    Repository,
    Snapshot,
    View,
    ViewVersion,
)
from orchestrator.content.exports.manifest import Subject
from orchestrator.content.exports.request import ExportRequest
from orchestrator.content.workspace import Workspace
from orchestrator.errors import Problem, Refused

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Item:
    """A snapshot of a repository; `trees` are its places in a `dir` export, `keys` the names of those that verify
    it, `mode` is that of its metadata."""

    repository: Repository
    product: Product
    snapshot: Snapshot
    trees: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    mode: Literal["verbatim", "rebuilt"] = "verbatim"


@dataclass(frozen=True, slots=True)
class Selection:
    """`items` are sorted by path and inventory, each pair there once; a repository may be there with two snapshots.
    `problems` say which repositories have nothing to export."""

    organization: Organization
    subject: Subject
    items: tuple[Item, ...]
    views: tuple[View, ...] = ()
    versions: tuple[ViewVersion, ...] = ()
    environments: tuple[Environment, ...] = ()
    keys: tuple[Key, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _Found:
    """What is collected: each repository's snapshots with the places of their trees."""

    shown: list[tuple[Repository, Snapshot, str]] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    versions: list[ViewVersion] = field(default_factory=list)
    environments: list[Environment] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def select(workspace: Workspace, request: ExportRequest) -> Selection:
    """Of repositories, products and the library the newest snapshot of each repository, or the newest made at or
    before `until`; of a view one version; of an environment every version that it shows. The request is one that was
    `checked`.

    Raises Refused for what is not there, and when no repository has anything to export.
    """
    adopt_mirrors(workspace)
    if request.subject_kind in ("view", "environment"):
        with workspace.catalog.reading() as session:
            found = _of_views(session, request)
    else:
        found = _of_repositories(workspace, request)
    if not found.shown:
        raise Refused("there is nothing to export", problems=found.problems)
    with workspace.catalog.reading() as session:
        selection = _complete(session, request, found)
    return replace(selection, items=tuple(_with_mode(workspace, item) for item in selection.items))


def _of_repositories(workspace: Workspace, request: ExportRequest) -> _Found:
    found = _Found()
    with workspace.catalog.reading() as session:
        wanted = _repositories(session, request)
    for repository in wanted:
        workspace.check_stop()
        try:
            snapshot = _snapshot(workspace, repository, request.until)
        except Refused as error:
            found.problems.append(Problem(repository.path, error.message, error.hint))
        else:
            found.shown.append((repository, snapshot, f"content/{repository.path}"))
    return found


def _repositories(session: "Session", request: ExportRequest) -> list[Repository]:
    """By path, each once."""
    organization = request.organization
    if request.subject_kind == "library":
        return repositories.all(session, organization)
    if request.subject_kind == "repository":
        named = [repositories.get(session, organization, name) for name in request.names]
    else:
        labels = [products.get(session, organization, name).label for name in request.names]
        named = [each for label in labels for each in repositories.all(session, organization, label)]
    return list({each.path: each for each in sorted(named, key=lambda each: each.path)}.values())


def _snapshot(workspace: Workspace, repository: Repository, until: str) -> Snapshot:
    """Raises Refused when there is none."""
    if repository.mirror:
        taken = snapshotting.take(workspace, repository)
        if not until:
            return taken
    with workspace.catalog.reading() as session:
        found = snapshots.at(session, repository, until) if until else snapshots.newest(session, repository)
    if found is None:
        raise Refused(
            f"it has no snapshot of {until} or before" if until else "it has no content yet",
            hint="" if until else f"orchestrator repository sync {repository.path}",
        )
    return found


def _of_views(session: "Session", request: ExportRequest) -> _Found:
    found, organization = _Found(), request.organization
    if request.subject_kind == "view":
        for label in dict.fromkeys(request.names):
            number = _number(session, request, label)
            _add_version(
                session, found, views.version(session, organization, label, number), f"content/{label}"
            )
        return found
    for label in dict.fromkeys(request.names):
        environment = environments.get(session, organization, label)
        found.environments.append(environment)
        if not environment.shows:
            hint = f"orchestrator environment promote VIEW --to {label}"
            found.problems.append(Problem(f"environment {label}", "it shows no view", hint))
        for view, number in sorted(environment.shows.items()):
            version = views.version(session, organization, view, number)
            _add_version(session, found, version, f"content/{label}/{view}")
    return found


def _number(session: "Session", request: ExportRequest, view: str) -> int | None:
    """The version of `view` that is asked for, None for the newest."""
    if not request.environment:
        return request.version
    shown = environments.get(session, request.organization, request.environment).shows
    if view not in shown:
        raise Refused(
            f"the environment {request.environment} shows no version of the view {view}",
            hint=f"orchestrator environment promote {view} --to {request.environment}",
        )
    return shown[view]


def _add_version(session: "Session", found: _Found, version: ViewVersion, place: str) -> None:
    if version not in found.versions:
        found.versions.append(version)
        view = views.get(session, version.organization, version.view)
        if view not in found.views:
            found.views.append(view)
    for path, snapshot in version.contents:
        repository = repositories.get(
            session, version.organization, f"{snapshot.product}/{snapshot.repository}"
        )
        found.shown.append((repository, snapshot, f"{place}/{path}"))


def _complete(session: "Session", request: ExportRequest, found: _Found) -> Selection:
    """With what all of it is of, and verified by."""
    organization = organizations.get(session, request.organization)
    of = {each.label: each for each in products.all(session, organization.label)}
    verified_by = {
        repository.path: tuple(keys.of_repository(session, repository)) for repository, _, _ in found.shown
    }
    items = [
        Item(
            repository,
            of[repository.product],
            snapshot,
            trees,
            tuple(k.name for k in verified_by[repository.path]),
        )
        for repository, snapshot, trees in _once(found.shown)
    ]
    used = {key.name: key for some in verified_by.values() for key in some}
    return Selection(
        organization,
        _subject(request, found),
        tuple(items),
        tuple(sorted(found.views, key=lambda each: each.label)),
        tuple(sorted(found.versions, key=lambda each: (each.view, each.number))),
        tuple(found.environments),
        tuple(used[name] for name in sorted(used)),
        tuple(found.problems),
    )


def _once(
    shown: Iterable[tuple[Repository, Snapshot, str]],
) -> list[tuple[Repository, Snapshot, tuple[str, ...]]]:
    """Two snapshots that hold the same are one."""
    trees: dict[tuple[str, str], list[str]] = {}
    values: dict[tuple[str, str], tuple[Repository, Snapshot]] = {}
    for repository, snapshot, tree in shown:
        key = (repository.path, snapshot.inventory)
        values.setdefault(key, (repository, snapshot))
        trees.setdefault(key, []).append(tree)
    return [(*values[key], tuple(sorted(set(trees[key])))) for key in sorted(values)]


def _subject(request: ExportRequest, found: _Found) -> Subject:
    names = sorted(set(request.names))
    single = request.subject_kind == "view" and len(found.versions) == 1
    number = found.versions[0].number if single else 0
    return Subject(request.subject_kind, request.organization, ",".join(names), number)


def _with_mode(workspace: Workspace, item: Item) -> Item:
    """What the record of a generation says that the catalog does not."""
    try:
        record = workspace.store(item.repository).generation(item.snapshot.number).record
    except Refused:
        return item
    return replace(item, mode="rebuilt") if record.mode == "rebuilt" else item
