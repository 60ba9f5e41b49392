# SPDX-License-Identifier: GPL-3.0-or-later
"""Views and their versions. A view is of repositories, or composed of other views, never of itself by any way."""

from collections.abc import Sequence
from itertools import groupby

from sqlalchemy import Select, select
from sqlalchemy import delete as delete_rows
from sqlalchemy.orm import Session

from orchestrator.content.catalog import organizations, repositories, snapshots
from orchestrator.content.catalog.loops import loop_through
from orchestrator.content.catalog.model import DEFAULT_VIEW, Snapshot, View, ViewVersion, check_label
from orchestrator.content.catalog.refusals import already_there, in_use, insert, not_there
from orchestrator.content.catalog.tables import (
    EnvironmentRow,
    ProductRow,
    RepositoryRow,
    ShownRow,
    SnapshotRow,
    VersionContentRow,
    ViewComponentRow,
    ViewRepositoryRow,
    ViewRow,
    ViewVersionRow,
)
from orchestrator.errors import Invalid, Refused


def row(session: Session, organization: str, label: str) -> ViewRow:
    """Raises Refused when there is none."""
    owner = organizations.row(session, organization)
    found = session.scalar(select(ViewRow).where(ViewRow.organization_id == owner.id, ViewRow.label == label))
    if found is None:
        known = session.scalars(select(ViewRow.label).where(ViewRow.organization_id == owner.id))
        make = f"orchestrator view create {label}"
        raise not_there(f"the organization {organization} has no view", label, known, make)
    return found


def create(session: Session, view: View) -> None:
    """Raises Refused when it is there already, or what it is composed of is not; Invalid for wrong values."""
    label = check_label(view.label, "a view")
    if label == DEFAULT_VIEW:
        raise Invalid(
            f"no view can be called {DEFAULT_VIEW!r}: that is every repository's newest snapshot, in the library"
        )
    owner = organizations.row(session, view.organization)
    taken = already_there(f"the view {label}", f"orchestrator view update {label}")
    if session.scalar(select(ViewRow.id).where(ViewRow.organization_id == owner.id, ViewRow.label == label)):
        raise taken
    made = ViewRow(organization_id=owner.id, label=label, name=view.name, last=0)
    insert(session, made, taken)
    _compose(session, made, view)


def get(session: Session, organization: str, label: str) -> View:
    found = row(session, organization, label)
    return _value(session, organization, found)


def all(session: Session, organization: str) -> list[View]:
    """By label."""
    owner = organizations.row(session, organization)
    rows = session.scalars(select(ViewRow).where(ViewRow.organization_id == owner.id).order_by(ViewRow.label))
    return [_value(session, organization, found) for found in rows.all()]


def update(session: Session, view: View) -> None:
    """Its name and what it is of; its versions stay as they are. Raises as `create` does, and Refused for a loop."""
    found = row(session, view.organization, view.label)
    found.name = view.name
    _compose(session, found, view)


def _compose(session: Session, found: ViewRow, view: View) -> None:
    if view.repositories and view.views:
        raise Invalid(f"the view {view.label} can be of repositories, or of other views, not of both")
    if doubled := _doubled(view.repositories) or _doubled(view.views):
        raise Invalid(f"the view {view.label} names {doubled} twice")
    _check_loops(session, view)
    members = repositories.numbers(session, view.organization, view.repositories)
    parts = [row(session, view.organization, label).id for label in view.views]
    session.execute(delete_rows(ViewRepositoryRow).where(ViewRepositoryRow.view_id == found.id))
    session.execute(delete_rows(ViewComponentRow).where(ViewComponentRow.view_id == found.id))
    session.add_all(
        ViewRepositoryRow(view_id=found.id, repository_id=id_, position=position)
        for position, id_ in enumerate(members)
    )
    session.add_all(
        ViewComponentRow(view_id=found.id, component_id=id_, position=position)
        for position, id_ in enumerate(parts)
    )
    session.flush()


def _doubled(names: Sequence[str]) -> str:
    return next((name for name in names if names.count(name) > 1), "")


def _check_loops(session: Session, view: View) -> None:
    others = {each.label: each.views for each in all(session, view.organization)} if view.views else {}
    loop = loop_through(view.label, {**others, view.label: view.views})
    if loop:
        raise Refused(f"the view {view.label} would be composed of itself: {' -> '.join(loop)}")


def delete(session: Session, organization: str, label: str) -> None:
    """With its versions. Raises Refused, naming them, when environments show it or views are composed of it."""
    found = row(session, organization, label)
    users = [
        *((f"the environment {name}", f"shows version {number}") for name, number in _shown(session, found)),
        *((f"the view {name}", "is composed of it") for name in _composed_of(session, found)),
    ]
    if users:
        hint = f"take it out of these first: orchestrator environment hide {label} --from ENVIRONMENT"
        raise in_use(f"the view {label}", users, hint)
    ids = select(ViewVersionRow.id).where(ViewVersionRow.view_id == found.id)
    session.execute(delete_rows(VersionContentRow).where(VersionContentRow.version_id.in_(ids)))
    session.execute(delete_rows(ViewVersionRow).where(ViewVersionRow.view_id == found.id))
    session.delete(found)
    session.flush()


def _shown(session: Session, found: ViewRow) -> list[tuple[str, int]]:
    rows = session.execute(
        select(EnvironmentRow.label, ShownRow.number)
        .join(ShownRow, ShownRow.environment_id == EnvironmentRow.id)
        .where(ShownRow.view_id == found.id)
        .order_by(EnvironmentRow.label)
    )
    return [(label, number) for label, number in rows]


def _composed_of(session: Session, found: ViewRow) -> list[str]:
    return list(
        session.scalars(
            select(ViewRow.label)
            .join(ViewComponentRow, ViewComponentRow.view_id == ViewRow.id)
            .where(ViewComponentRow.component_id == found.id)
            .order_by(ViewRow.label)
        )
    )


def next_number(session: Session, organization: str, view: str) -> int:
    """The number of its next version: one that none ever had, also none that was removed."""
    return row(session, organization, view).last + 1


def add_version(session: Session, version: ViewVersion) -> None:
    """Raises Refused when that number, or a snapshot that is not there, is in it; Invalid for wrong values."""
    snapshots.moment(version.made)
    if version.number < 1:
        raise Invalid(f"{version.number} is no number of a version: they begin at 1")
    found = row(session, version.organization, version.view)
    taken = already_there(f"version {version.number} of the view {version.view}")
    if session.scalar(
        select(ViewVersionRow.id).where(
            ViewVersionRow.view_id == found.id, ViewVersionRow.number == version.number
        )
    ):
        raise taken
    ids = _snapshot_ids(session, version)
    made = ViewVersionRow(
        view_id=found.id, number=version.number, made=version.made, description=version.description
    )
    insert(session, made, taken)
    session.add_all(
        VersionContentRow(version_id=made.id, path=path, snapshot_id=id_) for path, id_ in ids.items()
    )
    found.last = max(found.last, version.number)
    session.flush()


def _snapshot_ids(session: Session, version: ViewVersion) -> dict[str, int]:
    known = snapshots.numbers(session, version.organization, [each for _, each in version.contents])
    ids: dict[str, int] = {}
    for path, snapshot in version.contents:
        if snapshot.organization != version.organization:
            raise Invalid(f"{path} of the view {version.view} is of the organization {snapshot.organization}")
        if path in ids:
            raise Invalid(f"the view {version.view} has two things at {path}")
        key = (snapshot.product, snapshot.repository, snapshot.number)
        ids[path] = known[key] if key in known else _no_snapshot(session, snapshot)
    return ids


def _no_snapshot(session: Session, snapshot: Snapshot) -> int:
    """Raises Refused, saying what of it is not there."""
    path = f"{snapshot.product}/{snapshot.repository}"
    repository = repositories.get(session, snapshot.organization, path)
    return snapshots.row(session, repository, snapshot.number).id


def version(session: Session, organization: str, view: str, number: int | None = None) -> ViewVersion:
    """The version `number`, or the newest (highest). Raises Refused when there is none."""
    found = row(session, organization, view)
    query = _versions(found)
    if number is not None:
        query = query.where(ViewVersionRow.number == number)
    one = session.scalars(query.limit(1)).first()
    if one is None and number is None:
        raise Refused(f"the view {view} has no version yet", hint=f"orchestrator view publish {view}")
    if one is None:
        known = session.scalars(select(ViewVersionRow.number).where(ViewVersionRow.view_id == found.id))
        make = f"orchestrator view publish {view}"
        raise not_there(f"the view {view} has no version", str(number), map(str, known), make)
    return _with_contents(session, organization, view, [one])[0]


def versions(session: Session, organization: str, view: str) -> list[ViewVersion]:
    """Newest (highest number) first."""
    found = row(session, organization, view)
    return _with_contents(session, organization, view, session.scalars(_versions(found)).all())


def numbers(session: Session, organization: str) -> dict[str, set[int]]:
    """Those of all versions that there are, by view."""
    owner = organizations.row(session, organization)
    labels = session.scalars(select(ViewRow.label).where(ViewRow.organization_id == owner.id))
    found: dict[str, set[int]] = {label: set() for label in labels}
    rows = session.execute(
        select(ViewRow.label, ViewVersionRow.number)
        .join(ViewVersionRow, ViewVersionRow.view_id == ViewRow.id)
        .where(ViewRow.organization_id == owner.id)
    )
    for label, number in rows:
        found[label].add(number)
    return found


def remove_version(session: Session, organization: str, view: str, number: int) -> None:
    """Raises Refused, naming them, when environments show it. Its number is not given again."""
    version(session, organization, view, number)
    found = row(session, organization, view)
    users = [
        (f"the environment {label}", "shows it") for label, shown in _shown(session, found) if shown == number
    ]
    if users:
        raise in_use(f"version {number} of the view {view}", users, "promote another version there first")
    one = session.scalars(_versions(found).where(ViewVersionRow.number == number)).one()
    session.execute(delete_rows(VersionContentRow).where(VersionContentRow.version_id == one.id))
    session.delete(one)
    session.flush()


def _versions(found: ViewRow) -> Select[ViewVersionRow]:
    return (
        select(ViewVersionRow)
        .where(ViewVersionRow.view_id == found.id)
        .order_by(ViewVersionRow.number.desc())
    )


def _with_contents(
    session: Session, organization: str, view: str, rows: Sequence[ViewVersionRow]
) -> list[ViewVersion]:
    """All of them by one query, whatever their number."""
    found = session.execute(
        select(
            VersionContentRow.version_id,
            VersionContentRow.path,
            SnapshotRow,
            ProductRow.label,
            RepositoryRow.label,
        )
        .join(SnapshotRow, SnapshotRow.id == VersionContentRow.snapshot_id)
        .join(RepositoryRow, RepositoryRow.id == SnapshotRow.repository_id)
        .join(ProductRow, ProductRow.id == RepositoryRow.product_id)
        .where(VersionContentRow.version_id.in_([each.id for each in rows]))
        .order_by(VersionContentRow.version_id)
    )
    contents: dict[int, list[tuple[str, Snapshot]]] = {
        id_: sorted(
            (
                (path, snapshots.value(row_, organization, product, label))
                for _, path, row_, product, label in of
            ),
            key=lambda each: each[0],
        )
        for id_, of in groupby(found, key=lambda each: each[0])
    }
    return [
        ViewVersion(
            organization, view, each.number, each.made, tuple(contents.get(each.id, ())), each.description
        )
        for each in rows
    ]


def _value(session: Session, organization: str, found: ViewRow) -> View:
    members = session.execute(
        select(ProductRow.label, RepositoryRow.label)
        .join(RepositoryRow, RepositoryRow.product_id == ProductRow.id)
        .join(ViewRepositoryRow, ViewRepositoryRow.repository_id == RepositoryRow.id)
        .where(ViewRepositoryRow.view_id == found.id)
        .order_by(ViewRepositoryRow.position)
    )
    parts = session.scalars(
        select(ViewRow.label)
        .join(ViewComponentRow, ViewComponentRow.component_id == ViewRow.id)
        .where(ViewComponentRow.view_id == found.id)
        .order_by(ViewComponentRow.position)
    )
    paths = tuple(f"{product}/{label}" for product, label in members)
    return View(organization, found.label, found.name, paths, tuple(parts))
