# SPDX-License-Identifier: GPL-3.0-or-later
"""What the catalog says when a name is not there, is there already, or is in use: one wording for all tables."""

import difflib
from collections.abc import Iterable, Sequence

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from orchestrator.content.catalog.tables import Base
from orchestrator.errors import Problem, Refused

_MANY = 8


def not_there(what: str, name: str, known: Iterable[str], make: str = "") -> Refused:
    """`what` begins the sentence ("the organization acme has no product"), `known` are the names there are, `make`
    is the command that makes one."""
    there = sorted(known)
    near = difflib.get_close_matches(name, there, 1, 0.6)
    if near:
        hint = f"did you mean {near[0]}?"
    elif there and len(there) <= _MANY:
        hint = f"there is {listed(there)}"
    else:
        hint = make
    return Refused(f"{what} {name!r}", hint=hint)


def already_there(what: str, hint: str = "") -> Refused:
    return Refused(f"{what} is there already", hint=hint)


def in_use(what: str, users: Sequence[tuple[str, str]], hint: str) -> Refused:
    """`users`: who, and what for."""
    problems = [Problem(who, how) for who, how in users]
    return Refused(f"{what} is in use", hint=hint, problems=problems)


def listed(names: Iterable[str]) -> str:
    """ "a, b and c"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def insert(session: Session, row: Base, refused: Refused) -> None:
    """Add `row` now. Raises `refused` when the schema does not take it."""
    session.add(row)
    try:
        session.flush()
    except IntegrityError:
        raise refused from None
