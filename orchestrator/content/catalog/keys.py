# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that verify repositories' metadata, kept by name in an organization."""

from collections.abc import Iterable

from sqlalchemy import delete as delete_rows
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator.content.catalog import organizations, repositories
from orchestrator.content.catalog.model import Key, Repository, check_label
from orchestrator.content.catalog.refusals import already_there, in_use, insert, not_there
from orchestrator.content.catalog.tables import KeyRow, ProductRow, RepositoryKeyRow, RepositoryRow


def row(session: Session, organization: str, name: str) -> KeyRow:
    """Raises Refused when there is none."""
    owner = organizations.row(session, organization)
    found = session.scalar(select(KeyRow).where(KeyRow.organization_id == owner.id, KeyRow.name == name))
    if found is None:
        known = session.scalars(select(KeyRow.name).where(KeyRow.organization_id == owner.id))
        raise not_there(f"the organization {organization} has no key", name, known)
    return found


def add(session: Session, key: Key) -> None:
    """Nothing changes when it is there. Raises Refused when that name is another key's: what repositories are
    trusted by does not change by the way (`replace` changes it)."""
    check_label(key.name, "a key")
    owner = organizations.row(session, key.organization)
    hint = "give it another name, or replace that key where you declare it"
    taken = already_there(f"another key {key.name}", hint)
    found = session.scalar(select(KeyRow).where(KeyRow.organization_id == owner.id, KeyRow.name == key.name))
    if found is None:
        insert(session, KeyRow(organization_id=owner.id, name=key.name, armoured=key.armoured), taken)
    elif found.armoured != key.armoured:
        raise taken


def replace(session: Session, key: Key) -> None:
    """Give a key that is there other certificates."""
    row(session, key.organization, key.name).armoured = key.armoured
    session.flush()


def all(session: Session, organization: str) -> list[Key]:
    """By name."""
    owner = organizations.row(session, organization)
    rows = session.scalars(select(KeyRow).where(KeyRow.organization_id == owner.id).order_by(KeyRow.name))
    return [Key(organization, found.name, found.armoured) for found in rows]


def get(session: Session, organization: str, name: str) -> Key:
    found = row(session, organization, name)
    return Key(organization, found.name, found.armoured)


def remove(session: Session, organization: str, name: str) -> None:
    """Raises Refused, naming them, when repositories are verified by it."""
    found = row(session, organization, name)
    owners = session.execute(
        select(ProductRow.label, RepositoryRow.label)
        .join(RepositoryRow, RepositoryRow.product_id == ProductRow.id)
        .join(RepositoryKeyRow, RepositoryKeyRow.repository_id == RepositoryRow.id)
        .where(RepositoryKeyRow.key_id == found.id)
        .order_by(ProductRow.label, RepositoryRow.label)
    )
    users = [(f"{product}/{label}", "is verified by it") for product, label in owners]
    if users:
        raise in_use(f"the key {name}", users, "give these repositories other keys first")
    session.delete(found)
    session.flush()


def of_repository(session: Session, repository: Repository) -> list[Key]:
    """The keys that verify it, by name."""
    owner = repositories.row(session, repository.organization, repository.path)
    rows = session.scalars(
        select(KeyRow)
        .join(RepositoryKeyRow, RepositoryKeyRow.key_id == KeyRow.id)
        .where(RepositoryKeyRow.repository_id == owner.id)
        .order_by(KeyRow.name)
    )
    return [Key(repository.organization, found.name, found.armoured) for found in rows]


def set_of_repository(session: Session, repository: Repository, names: Iterable[str]) -> None:
    """Let exactly these keys verify it. Raises Refused for one that is not there."""
    owner = repositories.row(session, repository.organization, repository.path)
    ids = {row(session, repository.organization, name).id for name in names}
    session.execute(delete_rows(RepositoryKeyRow).where(RepositoryKeyRow.repository_id == owner.id))
    session.add_all(RepositoryKeyRow(repository_id=owner.id, key_id=id_) for id_ in sorted(ids))
    session.flush()
