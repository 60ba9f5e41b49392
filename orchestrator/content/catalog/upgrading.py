# SPDX-License-Identifier: GPL-3.0-or-later
"""A database becomes a catalog of the newest form: looked at again under a lock, then changed in one transaction."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.orm import Session

from orchestrator.content.catalog import organizations
from orchestrator.content.catalog.connecting import Connections
from orchestrator.content.catalog.migrations import HEAD, knows, upgrade
from orchestrator.content.catalog.model import Organization
from orchestrator.errors import Busy, Refused
from orchestrator.host import clock
from orchestrator.host.files import FileLock, fsync_directory, make_directory

# Seconds that one process waits for another that brings the catalog up.
_PATIENCE = 300.0
_VERSION = "alembic_version"
_OURS = {"organization", "product", "repository", "snapshot", "view", "environment"}


def bring_up(connections: Connections, organization: str) -> None:
    """Make, or bring to the newest form, what is there; a new one begins with `organization`. Raises Refused for
    what is no catalog, or one of a newer version, and OSError."""
    with _alone(connections.file), connections.upgrading.begin() as connection:
        tables = set(inspect(connection).get_table_names())
        revision = _revision(connection) if _VERSION in tables else None
        if revision == HEAD:
            return  # by another process, meanwhile
        _check(connections.where, tables, revision)
        upgrade(connection)
        _check_references(connections.where, connection)
        if revision is None:
            with Session(connection, join_transaction_mode="create_savepoint") as session:
                organizations.create(session, Organization(organization))
                session.commit()


def _revision(connection: Connection) -> str | None:
    """None when the table is another program's."""
    if [each["name"] for each in inspect(connection).get_columns(_VERSION)] != ["version_num"]:
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _check(where: str, tables: set[str], revision: str | None) -> None:
    if revision is not None and knows(revision):
        return
    if revision is not None and tables >= _OURS:
        raise Refused(
            f"{where} was made by a newer version of the program (revision {revision}, this one knows {HEAD})",
            hint="install that version here, or take another database",
        )
    if tables:
        raise Refused(
            f"{where} is no catalog: it has the tables {', '.join(sorted(tables)[:5])}",
            hint="give the catalog a database of its own",
        )


def _check_references(where: str, connection: Connection) -> None:
    """Foreign keys do not hold while SQLite's tables are changed: whether they do at the end."""
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise Refused(f"{where} cannot be brought to its new form: {len(broken)} rows refer to nothing")


@contextlib.contextmanager
def _alone(file: Path | None) -> Iterator[None]:
    """With SQLite's file made, for its owner alone, and no other process here. PostgreSQL has locks for that."""
    if file is None:
        yield
        return
    make_directory(file.parent)
    with FileLock(file.with_name(f"{file.name}.lock")) as lock:
        until = clock.monotonic() + _PATIENCE
        while not lock.try_acquire():
            if clock.monotonic() > until:
                raise Busy(
                    f"another process is bringing the catalog {file} up", hint="try again when it is done"
                )
            clock.sleep(0.02)
        if not file.exists():
            os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
            fsync_directory(file.parent)
        yield
