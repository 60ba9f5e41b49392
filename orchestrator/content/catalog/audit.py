# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit trail: who did what to what, when. Written in the transaction of the deed itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator.content.catalog.model import Actor
from orchestrator.content.catalog.tables import AuditRow
from orchestrator.host import clock


@dataclass(frozen=True, slots=True)
class Deed:
    """`action` is like "view.publish", `subject` like "acme/web 3"."""

    number: int
    time: str
    actor: Actor
    action: str
    subject: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "time": self.time,
            "actor": self.actor.name,
            "via": self.actor.via,
            "action": self.action,
            "subject": self.subject,
            "details": dict(self.details),
        }


def note(
    session: Session, actor: Actor, action: str, subject: str, details: Mapping[str, Any] | None = None
) -> None:
    """`details` is data for JSON; what JSON has no form for is written as text."""
    session.add(
        AuditRow(
            time=clock.timestamp(),
            actor=actor.name,
            via=actor.via,
            action=action,
            subject=subject,
            details=json.loads(json.dumps(dict(details or {}), default=str)),
        )
    )
    session.flush()


def all(session: Session, limit: int = 100) -> list[Deed]:
    """The last `limit` of them, the last first."""
    rows = session.scalars(select(AuditRow).order_by(AuditRow.number.desc()).limit(limit))
    return [
        Deed(row.number, row.time, Actor(row.actor, row.via), row.action, row.subject, dict(row.details))
        for row in rows
    ]
