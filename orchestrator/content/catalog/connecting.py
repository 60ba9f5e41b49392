# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to a catalog's database, alike for SQLite and PostgreSQL: readers see one moment and can change
nothing, one process changes at a time and the others wait for it."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError

from orchestrator.content.catalog.failures import speak_plainly
from orchestrator.errors import Invalid

# Seconds that one process waits for another that changes the catalog.
PATIENCE = 30
_CONNECT_TIMEOUT = 10
_LOCK = 0x6F7263682E636174  # any number, known to all that change a catalog in the same PostgreSQL database
_EXAMPLES = "sqlite:////var/lib/catalog.sqlite, or postgresql://user@host/database"
_SECRET_PARAMETERS = ("password", "sslpassword")


@dataclass(frozen=True)
class Connections:
    """`file` is SQLite's. Of `upgrading` a connection is made for every use, and foreign keys do not hold in it."""

    where: str
    reading: Engine
    changing: Engine
    upgrading: Engine
    file: Path | None = None

    def close(self) -> None:
        for engine in (self.reading, self.changing, self.upgrading):
            engine.dispose()


def connections_to(url: str) -> Connections:
    """Nothing is connected yet. Raises Invalid for what is no such address, without showing it."""
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):
        raise Invalid(
            "the address of the catalog's database is none", hint=f"write it like {_EXAMPLES}"
        ) from None
    if backend == "sqlite":
        return _to_sqlite(parsed)
    if backend in ("postgresql", "postgres"):
        return _to_postgresql(parsed)
    raise Invalid(f"the catalog cannot be in {backend}", hint=f"take {_EXAMPLES}")


def _to_sqlite(url: URL) -> Connections:
    database = url.database or ""
    if url.query or database in ("", ":memory:") or database.startswith("file:"):
        raise Invalid("the catalog's database must be a plain file", hint="sqlite:////var/lib/catalog.sqlite")
    file = Path(database).absolute()
    address = URL.create("sqlite", database=str(file))
    where = f"the catalog {file}"

    def engine(begin: str, *pragmas: str, **options: Any) -> Engine:
        made = create_engine(address, connect_args={"timeout": PATIENCE}, **options)

        def prepare(connection: sqlite3.Connection, _: Any) -> None:
            connection.isolation_level = None  # transactions begin where we say
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")

        def start(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        event.listen(made, "connect", prepare)
        event.listen(made, "begin", start)
        speak_plainly(made, where)
        return made

    return Connections(
        where,
        engine("BEGIN", "query_only=ON"),
        engine("BEGIN IMMEDIATE", "foreign_keys=ON", "synchronous=FULL"),
        # A table that is made anew must not take with it what refers to it.
        engine("BEGIN IMMEDIATE", "journal_mode=WAL", "synchronous=FULL", poolclass=NullPool),
        file,
    )


def _to_postgresql(url: URL) -> Connections:
    address = url.set(drivername="postgresql+psycopg")
    where = f"the catalog in PostgreSQL, {_server(url)}"
    hidden = [url.password or "", *(str(url.query.get(name, "")) for name in _SECRET_PARAMETERS)]
    arguments: dict[str, Any] = {}
    if "connect_timeout" not in url.query and "PGCONNECT_TIMEOUT" not in os.environ:
        arguments["connect_timeout"] = _CONNECT_TIMEOUT
    if "application_name" not in url.query:
        arguments["application_name"] = "orchestrator"
    # An import may go on for days: a server that was restarted meanwhile is connected to anew.
    changing = create_engine(address, connect_args=arguments, pool_pre_ping=True)
    upgrading = create_engine(address, connect_args=arguments, poolclass=NullPool)
    for engine in (changing, upgrading):
        event.listen(engine, "begin", _take_turns)
        speak_plainly(engine, where, hidden)
    reading = create_engine(
        address,
        connect_args=arguments,
        pool_pre_ping=True,
        isolation_level="REPEATABLE READ",
        execution_options={"postgresql_readonly": True},
    )
    speak_plainly(reading, where, hidden)
    return Connections(where, reading, changing, upgrading)


def _server(url: URL) -> str:
    host = url.host or url.query.get("host") or os.environ.get("PGHOST") or "local"
    port = f":{url.port}" if url.port else ""
    names = host if isinstance(host, str) else ", ".join(host)
    return f"{names}{port}" + (f", database {url.database}" if url.database else "")


def _take_turns(connection: Connection) -> None:
    """SQLite has one that changes at a time; with the same rule here, what was looked up stays true."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}s'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
