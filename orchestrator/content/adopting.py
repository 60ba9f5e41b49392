# SPDX-License-Identifier: GPL-3.0-or-later
"""Mirrors of `mirror clone` as repositories of the catalog: all there are, in a product of their own.

A mirror stays what it is, published where it was; the catalog refers to it, and the default view of the library
leads to the mirror's own link.
"""

import re
from pathlib import Path

from orchestrator.content import links
from orchestrator.content.catalog import organizations, products, repositories
from orchestrator.content.catalog.model import DEFAULT_VIEW, LIBRARY, Product, Repository, RepositoryType
from orchestrator.content.events import Name
from orchestrator.content.generations import MirrorStore, store_names
from orchestrator.content.workspace import Workspace
from orchestrator.errors import Refused

PRODUCT = "mirrors"


def adopt_mirrors(workspace: Workspace) -> list[Repository]:
    """Make every mirror that is published, and that the catalog does not know, one of its repositories: the new
    ones. A look at directories when there is none."""
    names = [name for name in store_names(workspace.root) if _is_mirror(workspace.root, name)]
    if not names:
        return []
    organization = workspace.settings.organization
    with workspace.catalog.reading() as session:
        known = repositories.all(session, organization)
        names = [name for name in names if repositories.by_mirror(session, name) is None]
        # Both would be at published/NAME.
        claimed = {each.label for each in organizations.all(session)}
        has_product = any(each.label == PRODUCT for each in products.all(session, organization))
    for name in claimed & set(names):
        text = f"the mirror {name} is no repository of the catalog: an organization has its name"
        workspace.tell(Name.WARNING, name, text=text)
    names = [name for name in names if name not in claimed]
    if not names:
        return []
    taken = {each.label for each in known if each.product == PRODUCT}
    adopted = []
    with workspace.catalog.changing(workspace.actor) as session:
        if not has_product:
            products.create(session, Product(organization, PRODUCT, name="Mirrors of mirrors.yaml"))
        for name in names:
            type_ = _type(workspace, name)
            if type_ is not None:
                label = _label(name, taken)
                repository = Repository(organization, PRODUCT, label, type_, name=name, mirror=name)
                repositories.create(session, repository)
                adopted.append(repository)
    for repository in adopted:
        show_mirror(workspace, repository)
    return adopted


def show_mirror(workspace: Workspace, repository: Repository) -> None:
    """Let the default view of the library lead to a mirror."""
    view = workspace.shown(repository.organization, LIBRARY, DEFAULT_VIEW)
    links.switch(view / repository.product / repository.label, workspace.place(repository))


def _is_mirror(root: Path, name: str) -> bool:
    return (root / "published" / name).is_symlink()


def _type(workspace: Workspace, name: str) -> RepositoryType | None:
    try:
        current = MirrorStore(workspace.pool, name).current()
    except Refused:
        return None  # something else than a mirror of ours is at that place
    if current is None:
        return None
    types: dict[str, RepositoryType] = {"deb": "deb", "rpm": "rpm", "file": "file"}
    return types.get(current.record.type)


def _label(name: str, taken: set[str]) -> str:
    """A label like the mirror's name, which may hold more kinds of characters and be longer."""
    plain = base = re.sub(r"[^A-Za-z0-9._-]", "-", name)[:50]
    number = 1
    while plain in taken:
        number += 1
        plain = f"{base}-{number}"
    taken.add(plain)
    return plain
