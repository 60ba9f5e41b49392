# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments: the library of each organization, and below it a tree along which versions are promoted."""

from collections.abc import Mapping

from sqlalchemy import delete as delete_rows
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator.content.catalog import organizations, views
from orchestrator.content.catalog.loops import loop_through
from orchestrator.content.catalog.model import LIBRARY, Environment, check_label
from orchestrator.content.catalog.refusals import already_there, in_use, insert, not_there
from orchestrator.content.catalog.tables import EnvironmentRow, ShownRow, ViewRow
from orchestrator.errors import Invalid, Refused


def row(session: Session, organization: str, label: str) -> EnvironmentRow:
    """Raises Refused when there is none."""
    owner = organizations.row(session, organization)
    found = session.scalar(
        select(EnvironmentRow).where(
            EnvironmentRow.organization_id == owner.id, EnvironmentRow.label == label
        )
    )
    if found is None:
        known = session.scalars(
            select(EnvironmentRow.label).where(EnvironmentRow.organization_id == owner.id)
        )
        raise not_there(f"the organization {organization} has no environment", label, known)
    return found


def create(session: Session, environment: Environment) -> None:
    """With what it shows. Raises Refused when it is there already, or what it is after is not; Invalid for wrong
    values."""
    label = check_label(environment.label, "an environment")
    owner = organizations.row(session, environment.organization)
    taken = already_there(f"the environment {label}", f"orchestrator environment update {label}")
    if session.scalar(
        select(EnvironmentRow.id).where(
            EnvironmentRow.organization_id == owner.id, EnvironmentRow.label == label
        )
    ):
        raise taken
    _check_after(environment)
    after = row(session, environment.organization, environment.after)
    made = EnvironmentRow(organization_id=owner.id, label=label, name=environment.name, after_id=after.id)
    insert(session, made, taken)
    for view, number in environment.shows.items():
        show(session, environment.organization, label, view, number)


def _check_after(environment: Environment) -> None:
    if (environment.label == LIBRARY) == bool(environment.after):
        raise Invalid(
            f"the environment {environment.label} must be after another, as all but the {LIBRARY} are"
            if environment.label != LIBRARY
            else f"the {LIBRARY} is the first environment: it is after none"
        )


def get(session: Session, organization: str, label: str) -> Environment:
    row(session, organization, label)
    return next(each for each in all(session, organization) if each.label == label)


def all(session: Session, organization: str) -> list[Environment]:
    """The library first, each before those that are after it, by label otherwise."""
    owner = organizations.row(session, organization)
    rows = session.scalars(select(EnvironmentRow).where(EnvironmentRow.organization_id == owner.id)).all()
    labels: Mapping[int | None, str] = {found.id: found.label for found in rows}
    shown = session.execute(
        select(ShownRow.environment_id, ViewRow.label, ShownRow.number)
        .join(ViewRow, ViewRow.id == ShownRow.view_id)
        .where(ViewRow.organization_id == owner.id)
        .order_by(ViewRow.label)
    )
    shows: dict[int, dict[str, int]] = {found.id: {} for found in rows}
    for id_, view, number in shown:
        shows[id_][view] = number
    return _along_the_path(
        [
            Environment(
                organization, found.label, found.name, labels.get(found.after_id, ""), shows[found.id]
            )
            for found in rows
        ]
    )


def _along_the_path(environments: list[Environment]) -> list[Environment]:
    found: list[Environment] = []
    waiting = [each for each in environments if not each.after]
    while waiting:
        found.append(waiting.pop())
        following = [each for each in environments if each.after == found[-1].label]
        waiting += sorted(following, key=lambda each: each.label, reverse=True)
    return found


def update(session: Session, environment: Environment) -> None:
    """Its name and what it is after; `show` and `hide` change what it shows. Raises Refused for a loop."""
    found = row(session, environment.organization, environment.label)
    _check_after(environment)
    found.name = environment.name
    if environment.after:
        after = row(session, environment.organization, environment.after)
        parts = {each.label: (each.after,) for each in all(session, environment.organization)}
        loop = loop_through(environment.label, {**parts, environment.label: (environment.after,)})
        if loop:
            raise Refused(
                f"the environment {environment.label} would be after itself: {' after '.join(loop)}"
            )
        found.after_id = after.id
    session.flush()


def delete(session: Session, organization: str, label: str) -> None:
    """Raises Refused for the library, and, naming them, when others are after it or it shows views."""
    found = row(session, organization, label)
    if label == LIBRARY:
        raise Refused(f"the {LIBRARY} stays: it goes with its organization")
    there = all(session, organization)
    users = [(f"the environment {each.label}", "is after it") for each in there if each.after == label]
    users += [
        (f"the view {view}", f"version {number} is shown in it")
        for each in there
        if each.label == label
        for view, number in each.shows.items()
    ]
    if users:
        raise in_use(f"the environment {label}", users, "take these away first")
    session.delete(found)
    session.flush()


def show(session: Session, organization: str, environment: str, view: str, number: int) -> None:
    """Let it show version `number` of `view`, in the place of the one it showed. Raises Refused for a version that
    is not there."""
    found = row(session, organization, environment)
    views.version(session, organization, view, number)
    view_id = views.row(session, organization, view).id
    shown = session.get(ShownRow, (found.id, view_id))
    if shown is None:
        session.add(ShownRow(environment_id=found.id, view_id=view_id, number=number))
    else:
        shown.number = number
    session.flush()


def hide(session: Session, organization: str, environment: str, view: str) -> None:
    """Let it show no version of `view` any more; nothing when it shows none."""
    found = row(session, organization, environment)
    view_id = views.row(session, organization, view).id
    session.execute(
        delete_rows(ShownRow).where(ShownRow.environment_id == found.id, ShownRow.view_id == view_id)
    )
