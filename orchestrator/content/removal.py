# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories that go: out of the catalog first, then off the disk. What a crash leaves on it the next removal takes."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from orchestrator.content import links
from orchestrator.content.catalog import audit, organizations, repositories
from orchestrator.content.catalog.model import DEFAULT_VIEW, LIBRARY, Repository
from orchestrator.content.generations import MirrorStore, store_names
from orchestrator.content.workspace import Workspace


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


def clear_away(workspace: Workspace, gone: Iterable[Repository]) -> None:
    """Take off the disk what belonged to repositories that are not in the catalog any more."""
    for repository in gone:
        _unlink(workspace, repository)
    _sweep(workspace)


def _unlink(workspace: Workspace, repository: Repository) -> None:
    view = workspace.shown(repository.organization, LIBRARY, DEFAULT_VIEW)
    links.remove(view / repository.product / repository.label)
    if repository.mirror:
        MirrorStore(workspace.pool, repository.mirror).pin(())


def _sweep(workspace: Workspace) -> None:
    """Remove the stores that are named as the catalog names its own, and of which it knows nothing."""
    with workspace.catalog.reading() as session:
        known = {
            repository.store
            for organization in organizations.all(session)
            for repository in repositories.all(session, organization.label)
        }
    for name in store_names(workspace.root):
        if name.count("+") == 2 and name not in known and not _is_shown(workspace.root, name):
            shutil.rmtree(workspace.root / "repositories" / name, ignore_errors=True)


def _is_shown(root: Path, name: str) -> bool:
    """Whether it is a mirror, of whatever name."""
    return (root / "published" / name).is_symlink()
