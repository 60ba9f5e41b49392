# SPDX-License-Identifier: GPL-3.0-or-later
"""Receipts that came back: what a destination says it has."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator.content.catalog.refusals import listed, not_there
from orchestrator.content.catalog.tables import ReceiptRow
from orchestrator.errors import Refused

_FEW = 6  # letters of a digest, at least, name a receipt


@dataclass(frozen=True, slots=True)
class Receipt:
    """`digest` is that of `document`, the receipt's text, `received` when it came (ISO 8601)."""

    destination: str
    digest: str
    document: str
    received: str = ""


def put(session: Session, receipt: Receipt) -> None:
    """The newest of its destination from now on, also when it is known."""
    known = session.scalar(
        select(ReceiptRow).where(
            ReceiptRow.destination == receipt.destination, ReceiptRow.digest == receipt.digest
        )
    )
    if known is not None:
        session.delete(known)
        session.flush()
    session.add(
        ReceiptRow(
            destination=receipt.destination,
            digest=receipt.digest,
            document=receipt.document,
            received=receipt.received,
        )
    )
    session.flush()


def get(session: Session, digest: str) -> Receipt:
    """By the first letters of its digest. Raises Refused when there is none, or several are meant."""
    rows = session.scalars(
        select(ReceiptRow)
        .where(ReceiptRow.digest.startswith(digest.lower(), autoescape=True))
        .order_by(ReceiptRow.id.desc())
    ).all()
    if not rows or len(digest) < _FEW:
        known = [found[:12] for found in session.scalars(select(ReceiptRow.digest))]
        raise not_there("there is no receipt", digest, known, "name the receipt's file")
    if len(rows) > 1:
        raise Refused(f"several receipts begin with {digest}: {listed(row.digest for row in rows)}")
    return _value(rows[0])


def latest(session: Session, destination: str) -> Receipt | None:
    """The last that came from a destination."""
    row = session.scalars(
        select(ReceiptRow)
        .where(ReceiptRow.destination == destination)
        .order_by(ReceiptRow.id.desc())
        .limit(1)
    ).first()
    return None if row is None else _value(row)


def all(session: Session) -> list[Receipt]:
    """The last that came first."""
    return [_value(row) for row in session.scalars(select(ReceiptRow).order_by(ReceiptRow.id.desc()))]


def _value(row: ReceiptRow) -> Receipt:
    return Receipt(row.destination, row.digest, row.document, row.received)
