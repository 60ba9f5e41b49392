# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing of the catalog made, changed or deleted: the same changes that a declaration leads to, with the same
checks and the same record."""

from collections.abc import Sequence

from orchestrator.content.adopting import adopt_mirrors
from orchestrator.content.catalog import environments, organizations, products, repositories, views
from orchestrator.content.catalog.model import Environment, Key, Organization, Product, Repository, View
from orchestrator.content.declaration.applying import apply
from orchestrator.content.declaration.state import Action, Change, Item, differing, kind_of, name_of
from orchestrator.content.workspace import Workspace


def create(workspace: Workspace, item: Item, *, keys: Sequence[Key] = ()) -> None:
    """Make `item`; a repository with the keys that verify it. Raises Refused, Invalid."""
    adopt_mirrors(workspace)  # it cannot have the name of one
    names = tuple(key.name for key in keys) if isinstance(item, Repository) else None
    apply(workspace, [*_known(keys), Change(Action.CREATE, kind_of(item), name_of(item), item, keys=names)])


def update(workspace: Workspace, before: Item, after: Item, *, keys: Sequence[Key] = ()) -> None:
    """Make `before` what `after` is; without `keys` a repository keeps its own. Raises Refused, Invalid."""
    names = tuple(key.name for key in keys) or None
    fields = differing(before, after)
    apply(
        workspace,
        [*_known(keys), Change(Action.UPDATE, kind_of(after), name_of(after), after, fields, names)],
    )


def delete(workspace: Workspace, item: Organization | Product) -> None:
    """What holds nothing any more. Raises Refused. (Repositories, views and environments have files, and those who
    see them: `remove_repository`, `remove_view`, `remove_environment`.)"""
    apply(workspace, [Change(Action.DELETE, kind_of(item), name_of(item), item)])


def organization(workspace: Workspace, label: str) -> Organization:
    with workspace.catalog.reading() as session:
        return organizations.get(session, label)


def product(workspace: Workspace, whose: str, label: str) -> Product:
    with workspace.catalog.reading() as session:
        return products.get(session, whose, label)


def repository(workspace: Workspace, whose: str, path: str) -> Repository:
    with workspace.catalog.reading() as session:
        return repositories.get(session, whose, path)


def view(workspace: Workspace, whose: str, label: str) -> View:
    adopt_mirrors(workspace)  # what it is to hold may be one
    with workspace.catalog.reading() as session:
        return views.get(session, whose, label)


def environment(workspace: Workspace, whose: str, label: str) -> Environment:
    with workspace.catalog.reading() as session:
        return environments.get(session, whose, label)


def _known(keys: Sequence[Key]) -> list[Change]:
    """The catalog knows them, or takes them in."""
    return [Change(Action.CREATE, kind_of(key), name_of(key), key) for key in keys]
