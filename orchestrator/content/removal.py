# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories that go: out of the catalog first, then off the disk.

What a crash leaves on the disk is taken away before the next repository is made: one of the same name must not begin
with the content of another.

    root/repositories/.<store>.gone     a store that is being removed
"""

import contextlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from orchestrator.content import links
from orchestrator.content.catalog import audit, organizations, repositories
from orchestrator.content.catalog.model import DEFAULT_VIEW, LIBRARY, Repository
from orchestrator.content.generations import MirrorStore, store_names
from orchestrator.content.workspace import Workspace
from orchestrator.errors import Busy


def remove_repository(workspace: Workspace, organization: str, path: str, *, wait: float = 0.0) -> None:
    """Remove a repository and all its snapshots; of a mirror just the catalog's part, and the next look at the
    mirrors brings it back. Its files leave the pool with the next garbage collection. Raises Refused when a view
    refers to it."""
    with workspace.catalog.reading() as session:
        repository = repositories.get(session, organization, path)
    with workspace.store(repository).lock(wait), workspace.catalog.changing(workspace.actor) as session:
        repositories.delete(session, organization, path)
        audit.note(session, workspace.actor, "repository.delete", f"{organization}/{path}", {})
    clear_away(workspace, [repository])


def clear_away(workspace: Workspace, gone: Iterable[Repository] = ()) -> None:
    """Take off the disk what belonged to repositories that are not in the catalog any more: those that are `gone`, and
    what is left of earlier ones. What another run works in is left for the next time."""
    for repository in gone:
        if repository.mirror:
            links.remove(_place(workspace, repository.organization, repository.path))
            MirrorStore(workspace.pool, repository.mirror).pin(())
    for half in (workspace.root / "repositories").glob(".*.gone"):
        shutil.rmtree(half, ignore_errors=True)
    # In this order: a store that is made meanwhile is not among them, and its repository is in the catalog before it.
    names = [name for name in store_names(workspace.root) if name.count("+") == 2]
    known = _known(workspace) if names else set()
    for name in names:
        if name not in known and not _is_shown(workspace.root, name):
            _remove_store(workspace, name)


def _remove_store(workspace: Workspace, name: str) -> None:
    """That of no repository, with what clients see of it."""
    organization, product, label = name.split("+")
    place = _place(workspace, organization, f"{product}/{label}")
    store = MirrorStore(workspace.pool, name, place)
    gone = store.path.with_name(f".{name}.gone")
    with contextlib.suppress(Busy), store.lock():
        if name not in _known(workspace):  # it was not made again meanwhile
            links.remove(place)
            store.path.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _place(workspace: Workspace, organization: str, path: str) -> Path:
    """In the default view of the library."""
    return workspace.shown(organization, LIBRARY, DEFAULT_VIEW) / path


def _known(workspace: Workspace) -> set[str]:
    """The names of the catalog's stores."""
    with workspace.catalog.reading() as session:
        return {
            repository.store
            for organization in organizations.all(session)
            for repository in repositories.all(session, organization.label)
        }


def _is_shown(root: Path, name: str) -> bool:
    """Whether it is a mirror, of whatever name."""
    return (root / "published" / name).is_symlink()
