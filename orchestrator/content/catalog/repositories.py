# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories, by "product/label" in their organization."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Row, Select, select
from sqlalchemy import delete as delete_rows
from sqlalchemy.orm import Session

from orchestrator.content.catalog import organizations, products
from orchestrator.content.catalog.model import Repository, RepositoryType, check_label, split_path
from orchestrator.content.catalog.refusals import already_there, in_use, insert, not_there
from orchestrator.content.catalog.tables import (
    OrganizationRow,
    ProductRow,
    RepositoryRow,
    SnapshotRow,
    VersionContentRow,
    ViewRepositoryRow,
    ViewRow,
    ViewVersionRow,
)
from orchestrator.errors import Invalid, Refused

_Row = Row[RepositoryRow, str, str]


def row(session: Session, organization: str, path: str) -> RepositoryRow:
    """Raises Refused when there is none, Invalid when `path` is not "product/label"."""
    product, label = split_path(path)
    owner = products.row(session, organization, product)
    found = session.scalar(
        select(RepositoryRow).where(RepositoryRow.product_id == owner.id, RepositoryRow.label == label)
    )
    if found is None:
        known = [each.path for each in all(session, organization)]
        make = f"orchestrator repository create {path}"
        raise not_there(f"the organization {organization} has no repository", path, known, make)
    return found


def numbers(session: Session, organization: str, paths: Iterable[str]) -> list[int]:
    """Those of their rows, in this order. Raises Refused for one that is not there, Invalid for what is no path."""
    known = {f"{product}/{found.label}": found.id for found, _, product in _found(session, organization)}
    return [known[path] if path in known else row(session, organization, path).id for path in paths]


def create(session: Session, repository: Repository) -> None:
    """Raises Refused when it, or one of the same mirror, is there already; Invalid for wrong values."""
    label = check_label(repository.label, "a repository")
    upstream = _upstream(repository)
    owner = products.row(session, repository.organization, repository.product)
    taken = already_there(
        f"the repository {repository.path}", f"orchestrator repository update {repository.path}"
    )
    if session.scalar(
        select(RepositoryRow.id).where(RepositoryRow.product_id == owner.id, RepositoryRow.label == label)
    ):
        raise taken
    _check_mirror(session, repository)
    made = RepositoryRow(
        product_id=owner.id,
        label=label,
        type=repository.type,
        name=repository.name,
        upstream=upstream,
        mirror=repository.mirror or None,
        source_url=repository.source_url,
    )
    insert(session, made, taken)


def _upstream(repository: Repository) -> dict[str, Any]:
    """As JSON has it. Raises Invalid."""
    if repository.type not in ("deb", "rpm", "file"):
        raise Invalid(f"{repository.path} is of the type {repository.type!r}", hint="take deb, rpm or file")
    try:
        return cast("dict[str, Any]", json.loads(json.dumps(dict(repository.upstream), allow_nan=False)))
    except (TypeError, ValueError) as error:
        raise Invalid(f"the upstream of {repository.path} cannot be stored: {error}") from None


def _check_mirror(session: Session, repository: Repository) -> None:
    if not repository.mirror:
        return
    same = by_mirror(session, repository.mirror)
    if same is not None:
        raise Refused(f"the mirror {repository.mirror} is {same.path} of {same.organization} already")
    # Both would be published at published/<name>.
    if any(each.label == repository.mirror for each in organizations.all(session)):
        raise Refused(
            f"the mirror {repository.mirror} cannot be in the catalog: an organization has its name",
            hint="give the mirror another name in mirrors.yaml",
        )


def get(session: Session, organization: str, path: str) -> Repository:
    product, _ = split_path(path)
    return _value(row(session, organization, path), organization, product)


def all(session: Session, organization: str, product: str = "") -> list[Repository]:
    """By product and label; those of one product when `product` is one."""
    if product:
        products.row(session, organization, product)
    return [_of(each) for each in _found(session, organization) if product in ("", each[2])]


def _found(session: Session, organization: str) -> Sequence[_Row]:
    owner = organizations.row(session, organization)
    query = _selected().where(ProductRow.organization_id == owner.id)
    return session.execute(query.order_by(ProductRow.label, RepositoryRow.label)).all()


def by_mirror(session: Session, mirror: str) -> Repository | None:
    """The repository that is this mirror of `mirror clone`, in whatever organization."""
    if not mirror:
        return None
    found = session.execute(_selected().where(RepositoryRow.mirror == mirror)).first()
    return None if found is None else _of(found)


def update(session: Session, repository: Repository) -> None:
    """Raises Refused when its type or mirror would change: its store holds just these."""
    found = row(session, repository.organization, repository.path)
    upstream = _upstream(repository)
    if found.type != repository.type:
        raise Refused(
            f"{repository.path} stays {found.type}: it cannot become {repository.type}",
            hint="make another repository",
        )
    if (found.mirror or "") != repository.mirror:
        raise Refused(f"which mirror {repository.path} is cannot change", hint="make another repository")
    found.name, found.source_url = repository.name, repository.source_url
    found.upstream = upstream
    session.flush()


def delete(session: Session, organization: str, path: str) -> None:
    """With its snapshots. Raises Refused, naming them, when views or view versions refer to it."""
    found = row(session, organization, path)
    users = _users(session, found)
    if users:
        raise in_use(
            f"the repository {path}",
            users,
            "take it out of the views, and remove the versions: orchestrator view update, view delete",
        )
    session.execute(delete_rows(SnapshotRow).where(SnapshotRow.repository_id == found.id))
    session.delete(found)
    session.flush()


def _users(session: Session, found: RepositoryRow) -> list[tuple[str, str]]:
    named = session.scalars(
        select(ViewRow.label)
        .join(ViewRepositoryRow, ViewRepositoryRow.view_id == ViewRow.id)
        .where(ViewRepositoryRow.repository_id == found.id)
        .order_by(ViewRow.label)
    )
    shown = session.execute(
        select(ViewRow.label, ViewVersionRow.number, SnapshotRow.number)
        .join(ViewVersionRow, ViewVersionRow.view_id == ViewRow.id)
        .join(VersionContentRow, VersionContentRow.version_id == ViewVersionRow.id)
        .join(SnapshotRow, SnapshotRow.id == VersionContentRow.snapshot_id)
        .where(SnapshotRow.repository_id == found.id)
        .order_by(ViewRow.label, ViewVersionRow.number)
    )
    return [
        *((f"the view {label}", "is composed of it") for label in named),
        *((f"the view {label}", f"version {version} has its snapshot {n}") for label, version, n in shown),
    ]


def _selected() -> Select[RepositoryRow, str, str]:
    return (
        select(RepositoryRow, OrganizationRow.label, ProductRow.label)
        .join(ProductRow, ProductRow.id == RepositoryRow.product_id)
        .join(OrganizationRow, OrganizationRow.id == ProductRow.organization_id)
    )


def _of(found: _Row) -> Repository:
    return _value(found[0], found[1], found[2])


def _value(found: RepositoryRow, organization: str, product: str) -> Repository:
    upstream: Mapping[str, Any] = dict(found.upstream)
    type_ = cast("RepositoryType", found.type)
    return Repository(
        organization, product, found.label, type_, found.name, upstream, found.mirror or "", found.source_url
    )
