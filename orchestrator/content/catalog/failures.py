# SPDX-License-Identifier: GPL-3.0-or-later
"""A database's errors in our words: who holds it, that it cannot be reached or written, which value it cannot hold.

What is left as it is are broken constraints, which the functions of the tables know better, and our own mistakes.
Passwords are in no message.
"""

import sqlite3
from collections.abc import Iterable

from sqlalchemy import Engine, event, exc
from sqlalchemy.engine import ExceptionContext

from orchestrator.errors import Busy, Invalid, NotPermitted, OrchestratorError, Refused, StateUnwritable

_LENGTH = 400
# By SQLSTATE, the whole or the first two letters of it.
_HELD = ("55P03", "40001", "40P01")
_FORBIDDEN = ("42501", "25006")
_UNREACHABLE = ("08", "28", "3D", "53", "57", "58", "XX")
_NO_ROOM = ("53100", "53200")


def speak_plainly(engine: Engine, where: str, secrets: Iterable[str] = ()) -> None:
    """Let every error of `engine` be translated. `where` names the database in messages, `secrets` are never in
    them."""
    hidden = tuple(secret for secret in secrets if secret)

    def translate(context: ExceptionContext) -> None:
        if context.is_pre_ping:
            return
        said = _of(context, where)
        if said is not None:
            raise _without(said, hidden) from None

    event.listen(engine, "handle_error", translate)


def _of(context: ExceptionContext, where: str) -> OrchestratorError | None:
    original, wrapped = context.original_exception, context.sqlalchemy_exception
    if isinstance(original, OverflowError | UnicodeEncodeError) or isinstance(wrapped, exc.DataError):
        return Invalid(f"the catalog cannot hold a value: {_reason(original)}")
    if isinstance(original, sqlite3.Error):
        return _of_sqlite(original, where)
    if isinstance(wrapped, exc.DBAPIError) and not isinstance(wrapped, exc.IntegrityError):
        if context.connection is None and isinstance(wrapped, exc.ProgrammingError):
            return Invalid(f"{where} cannot be asked for like that: {_reason(original)}")
        return _of_postgresql(original, getattr(original, "sqlstate", None), where)
    return None


def _of_sqlite(error: sqlite3.Error, where: str) -> OrchestratorError | None:
    kind, reason = getattr(error, "sqlite_errorcode", 0) & 0xFF, _reason(error)
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return _busy(where)
    if kind in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return NotPermitted(f"{where} cannot be written: {reason}", hint="run this as its owner, or as root")
    if kind in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return StateUnwritable(f"{where} cannot be written: {reason}", hint="free some space, and try again")
    unusable = {
        sqlite3.SQLITE_CORRUPT: ("is damaged", "bring a backup of it back"),
        sqlite3.SQLITE_NOTADB: ("is no catalog", "name another file: content.database in orchestrator.yaml"),
        sqlite3.SQLITE_CANTOPEN: ("cannot be opened", ""),
    }
    if kind in unusable:
        what, hint = unusable[kind]
        return Refused(f"{where} {what}: {reason}", hint=hint)
    return None


def _of_postgresql(error: BaseException, state: str | None, where: str) -> OrchestratorError | None:
    reason = _reason(error)
    if state in _HELD:
        return _busy(where)
    if state in _FORBIDDEN:
        return NotPermitted(f"{where} cannot be written: {reason}", hint="give this user the right to")
    if state in _NO_ROOM:
        return StateUnwritable(
            f"{where} cannot be written: {reason}", hint="free some space there, and try again"
        )
    if state is None or state[:2] in _UNREACHABLE:
        return Refused(
            f"{where} cannot be reached: {reason}", hint="see content.database in orchestrator.yaml"
        )
    return None


def _busy(where: str) -> Busy:
    return Busy(f"another process is changing {where}", hint="try again")


def _reason(error: BaseException) -> str:
    """In one line."""
    return " ".join(str(error).split())[:_LENGTH]


def _without(said: OrchestratorError, secrets: tuple[str, ...]) -> OrchestratorError:
    message = said.message
    for secret in secrets:
        message = message.replace(secret, "***")
    return type(said)(message, hint=said.hint)
