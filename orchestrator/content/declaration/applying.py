# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the catalog to what a file declares: all of it in one transaction, files after that."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.content.adopting import adopt_mirrors
from orchestrator.content.catalog import (
    audit,
    environments,
    keys,
    organizations,
    products,
    repositories,
    views,
)
from orchestrator.content.catalog.model import Environment, Key, Organization, Product, Repository, View
from orchestrator.content.declaration.state import Action, Change, Item, State, difference, state_of
from orchestrator.content.workspace import Workspace

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def found_state(session: "Session") -> State:
    """What the catalog holds now."""
    items: list[Any] = []
    names: dict[str, tuple[str, ...]] = {}
    for organization in organizations.all(session):
        label = organization.label
        items += [organization, *products.all(session, label), *keys.all(session, label)]
        for repository in repositories.all(session, label):
            items.append(repository)
            names[f"{label}/{repository.path}"] = tuple(
                key.name for key in keys.of_repository(session, repository)
            )
        items += [*views.all(session, label), *environments.all(session, label)]
    return state_of(items, names)


def changes_to(workspace: Workspace, declared: State, *, prune: bool = False) -> list[Change]:
    """What `apply` would do."""
    adopt_mirrors(workspace)
    with workspace.catalog.reading() as session:
        return difference(declared, found_state(session), prune=prune)


def apply(workspace: Workspace, changes: Sequence[Change]) -> None:
    """Do it, all or nothing; then take away what belonged to what is gone, and let clients see no more of it. Raises
    Refused as the catalog's functions do."""
    from orchestrator.content import removal, showing, sourcing

    deleted = [change.item for change in changes if change.action is Action.DELETE]
    if any(c.action is Action.CREATE and isinstance(c.item, Repository) for c in changes):
        removal.clear_away(workspace)
    with workspace.catalog.changing(workspace.actor) as session:
        for change in changes:
            _do(session, change)
            audit.note(
                session,
                workspace.actor,
                f"{change.kind}.{change.action}",
                change.name,
                change.to_json()["fields"],
            )
        for repository in _with_upstreams_to_check(session, changes):
            sourcing.check_repository(workspace, session, repository)
    for organization in sorted(
        {each.organization for each in deleted if isinstance(each, View | Environment)}
    ):
        showing.mend_links(workspace, organization)
    removal.clear_away(workspace, [each for each in deleted if isinstance(each, Repository)])


def _with_upstreams_to_check(session: "Session", changes: Sequence[Change]) -> list[Repository]:
    """Repositories that were made or changed, and those of products whose base address was."""
    found: dict[str, Repository] = {}
    for change in changes:
        item = change.item
        if change.action is Action.DELETE:
            continue
        if isinstance(item, Repository):
            found[change.name] = item
        elif isinstance(item, Product) and any(name == "baseurl" for name, _, _ in change.fields):
            there = repositories.all(session, item.organization, item.label)
            found |= {f"{item.organization}/{each.path}": each for each in there}
    return list(found.values())


# By what is made or changed: the functions that do it.
_DEEDS: Mapping[type[Item], tuple[Callable[["Session", Any], None], Callable[["Session", Any], None]]] = {
    Organization: (organizations.create, organizations.update),
    Product: (products.create, products.update),
    Key: (keys.add, keys.replace),
    Repository: (repositories.create, repositories.update),
    View: (views.create, views.update),
    Environment: (environments.create, environments.update),
}


def _do(session: "Session", change: Change) -> None:
    item = change.item
    create, update = _DEEDS[type(item)]
    if change.action is Action.DELETE:
        _delete(session, item)
    elif change.action is Action.CREATE:
        create(session, item)
    else:
        update(session, item)
    if isinstance(item, Repository) and change.keys is not None:
        keys.set_of_repository(session, item, change.keys)


def _delete(session: "Session", item: Any) -> None:
    if isinstance(item, Organization):
        organizations.delete(session, item.label)
    elif isinstance(item, Product):
        products.delete(session, item.organization, item.label)
    elif isinstance(item, Key):
        keys.remove(session, item.organization, item.name)
    elif isinstance(item, Repository):
        repositories.delete(session, item.organization, item.path)
    elif isinstance(item, View):
        for environment in environments.all(session, item.organization):
            environments.hide(session, item.organization, environment.label, item.label)
        views.delete(session, item.organization, item.label)
    elif isinstance(item, Environment):
        for view in environments.get(session, item.organization, item.label).shows:
            environments.hide(session, item.organization, item.label, view)
        environments.delete(session, item.organization, item.label)
