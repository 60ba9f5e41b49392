# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of repositories: by number, by moment, by what they hold. They never change."""

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator.content.catalog import repositories
from orchestrator.content.catalog.model import Repository, Snapshot
from orchestrator.content.catalog.refusals import already_there, in_use, insert, not_there
from orchestrator.content.catalog.tables import (
    OrganizationRow,
    ProductRow,
    RepositoryRow,
    SnapshotRow,
    VersionContentRow,
    ViewRow,
    ViewVersionRow,
)
from orchestrator.errors import Invalid


def row(session: Session, repository: Repository, number: int) -> SnapshotRow:
    """Raises Refused when there is none."""
    owner = repositories.row(session, repository.organization, repository.path)
    found = session.scalar(
        select(SnapshotRow).where(SnapshotRow.repository_id == owner.id, SnapshotRow.number == number)
    )
    if found is None:
        known = session.scalars(select(SnapshotRow.number).where(SnapshotRow.repository_id == owner.id))
        make = f"orchestrator repository sync {repository.path}"
        raise not_there(f"{repository.path} has no snapshot", str(number), map(str, known), make)
    return found


def numbers(
    session: Session, organization: str, wanted: Iterable[Snapshot]
) -> dict[tuple[str, str, int], int]:
    """Of those that are there the rows' numbers, by product, repository and number."""
    products = {each.product for each in wanted}
    rows = session.execute(
        select(ProductRow.label, RepositoryRow.label, SnapshotRow.number, SnapshotRow.id)
        .join(RepositoryRow, RepositoryRow.id == SnapshotRow.repository_id)
        .join(ProductRow, ProductRow.id == RepositoryRow.product_id)
        .join(OrganizationRow, OrganizationRow.id == ProductRow.organization_id)
        .where(OrganizationRow.label == organization, ProductRow.label.in_(products))
    )
    return {(product, repository, number): id_ for product, repository, number, id_ in rows}


def get(session: Session, repository: Repository, number: int) -> Snapshot:
    found = row(session, repository, number)
    return value(found, repository.organization, repository.product, repository.label)


def add(session: Session, snapshot: Snapshot) -> None:
    """Raises Refused when the repository has that number already, Invalid when `made` is no time."""
    moment(snapshot.made)
    path = f"{snapshot.product}/{snapshot.repository}"
    owner = repositories.row(session, snapshot.organization, path)
    taken = already_there(f"snapshot {snapshot.number} of {path}")
    if session.scalar(
        select(SnapshotRow.id).where(
            SnapshotRow.repository_id == owner.id, SnapshotRow.number == snapshot.number
        )
    ):
        raise taken
    made = SnapshotRow(
        repository_id=owner.id,
        number=snapshot.number,
        inventory=snapshot.inventory,
        files=snapshot.files,
        packages=snapshot.packages,
        bytes=snapshot.bytes,
        made=snapshot.made,
        origin=snapshot.origin,
    )
    insert(session, made, taken)


def all(session: Session, repository: Repository) -> list[Snapshot]:
    """Newest (highest number) first."""
    owner = repositories.row(session, repository.organization, repository.path)
    rows = session.scalars(
        select(SnapshotRow).where(SnapshotRow.repository_id == owner.id).order_by(SnapshotRow.number.desc())
    )
    return [value(found, repository.organization, repository.product, repository.label) for found in rows]


def newest(session: Session, repository: Repository) -> Snapshot | None:
    """The one with the highest number."""
    return next(iter(all(session, repository)), None)


def at(session: Session, repository: Repository, time: str) -> Snapshot | None:
    """The newest that was made at or before `time` (ISO 8601; UTC where it does not say). Raises Invalid."""
    until = moment(time)
    return next((each for each in all(session, repository) if moment(each.made) <= until), None)


def with_inventory(session: Session, repository: Repository, digest: str) -> Snapshot | None:
    """The newest that holds exactly that."""
    return next((each for each in all(session, repository) if each.inventory == digest), None)


def used(session: Session, repository: Repository) -> set[int]:
    """The numbers that view versions refer to."""
    owner = repositories.row(session, repository.organization, repository.path)
    return set(
        session.scalars(
            select(SnapshotRow.number)
            .join(VersionContentRow, VersionContentRow.snapshot_id == SnapshotRow.id)
            .where(SnapshotRow.repository_id == owner.id)
        )
    )


def remove(session: Session, repository: Repository, number: int) -> None:
    """Raises Refused, naming them, when view versions show it."""
    found = row(session, repository, number)
    versions = session.execute(
        select(ViewRow.label, ViewVersionRow.number)
        .join(ViewVersionRow, ViewVersionRow.view_id == ViewRow.id)
        .join(VersionContentRow, VersionContentRow.version_id == ViewVersionRow.id)
        .where(VersionContentRow.snapshot_id == found.id)
        .order_by(ViewRow.label, ViewVersionRow.number)
    )
    users = [(f"the view {view}", f"version {version} shows it") for view, version in versions]
    if users:
        raise in_use(f"snapshot {number} of {repository.path}", users, "remove these versions first")
    session.delete(found)
    session.flush()


def moment(time: str) -> datetime:
    """The moment that an ISO 8601 text names, UTC where it does not say. Raises Invalid."""
    try:
        found = datetime.fromisoformat(time)
    except ValueError:
        raise Invalid(f"{time!r} is no time", hint="write it like 2026-01-31T12:00:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def value(found: SnapshotRow, organization: str, product: str, repository: str) -> Snapshot:
    return Snapshot(
        organization,
        product,
        repository,
        found.number,
        found.inventory,
        found.files,
        found.packages,
        found.bytes,
        found.made,
        found.origin,
    )


def inventories(session: Session) -> set[str]:
    """What all snapshots of all repositories hold."""
    return set(session.scalars(select(SnapshotRow.inventory)))
