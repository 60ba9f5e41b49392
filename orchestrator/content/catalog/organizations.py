# SPDX-License-Identifier: GPL-3.0-or-later
"""Organizations: each with a library, nothing shared between them but the pool."""

from sqlalchemy import delete as delete_rows
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator.content.catalog.model import LIBRARY, Organization, check_label
from orchestrator.content.catalog.refusals import already_there, in_use, insert, not_there
from orchestrator.content.catalog.tables import (
    EnvironmentRow,
    KeyRow,
    OrganizationRow,
    ProductRow,
    RepositoryRow,
    ViewRow,
)
from orchestrator.errors import Refused


def row(session: Session, label: str) -> OrganizationRow:
    """Raises Refused when there is none."""
    found = session.scalar(select(OrganizationRow).where(OrganizationRow.label == label))
    if found is None:
        known = session.scalars(select(OrganizationRow.label))
        raise not_there("there is no organization", label, known, "orchestrator organization create LABEL")
    return found


def create(session: Session, organization: Organization) -> None:
    """With its library. Raises Refused when it is there already, Invalid for a label that cannot be one."""
    label = check_label(organization.label, "an organization")
    taken = already_there(f"the organization {label}", f"orchestrator organization update {label}")
    if session.scalar(select(OrganizationRow.id).where(OrganizationRow.label == label)) is not None:
        raise taken
    # Both would be published at published/<label>.
    if session.scalar(select(RepositoryRow.id).where(RepositoryRow.mirror == label)) is not None:
        raise Refused(f"{label} cannot be an organization: a mirror of that name is published in its place")
    made = OrganizationRow(label=label, name=organization.name, source_url=organization.source_url)
    insert(session, made, taken)
    insert(session, EnvironmentRow(organization_id=made.id, label=LIBRARY, name="", after_id=None), taken)


def get(session: Session, label: str) -> Organization:
    return _value(row(session, label))


def all(session: Session) -> list[Organization]:
    """By label."""
    return [
        _value(found) for found in session.scalars(select(OrganizationRow).order_by(OrganizationRow.label))
    ]


def update(session: Session, organization: Organization) -> None:
    found = row(session, organization.label)
    found.name, found.source_url = organization.name, organization.source_url
    session.flush()


def delete(session: Session, label: str) -> None:
    """With its library and its keys. Raises Refused, naming them, when it has products, views or further
    environments."""
    found = row(session, label)
    users = [
        (name, what)
        for what, table in (("product", ProductRow), ("view", ViewRow), ("environment", EnvironmentRow))
        for name in session.scalars(
            select(table.label).where(table.organization_id == found.id).order_by(table.label)
        )
        if (name, what) != (LIBRARY, "environment")
    ]
    if users:
        raise in_use(f"the organization {label}", users, "delete these first")
    for table in (EnvironmentRow, KeyRow):
        session.execute(delete_rows(table).where(table.organization_id == found.id))
    session.delete(found)
    session.flush()


def _value(found: OrganizationRow) -> Organization:
    return Organization(found.label, found.name, found.source_url)
