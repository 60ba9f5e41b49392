# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalog's database: opened, brought to the newest form, read and changed in transactions.

Opening one that is up to date costs one SELECT. Any number of processes may open, read and change it at once: of
those that bring it up, or change it, each waits for the one before.
"""

import contextlib
import os
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from orchestrator.content.catalog.connecting import Connections, connections_to
from orchestrator.content.catalog.model import Actor
from orchestrator.errors import NotPermitted, Refused


class Catalog:
    """A context manager. Sessions are for one thread each, the catalog for all."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """What is there at one moment. Nothing can be changed in it."""
        with Session(self._connections.reading, autoflush=False) as session:
            yield session

    @contextlib.contextmanager
    def changing(self, actor: Actor) -> Iterator[Session]:
        """One transaction: all of it is on the disk at the end, or nothing after an exception.

        Raises Busy when another process changes the catalog for longer than `connecting.PATIENCE` seconds, and
        Refused for what the schema does not take.
        """
        with Session(self._connections.changing, info={"actor": actor}) as session:
            try:
                with session.begin():
                    session.connection()  # its turn begins here, not at the first change
                    yield session
            except IntegrityError as error:
                raise Refused(
                    f"the catalog does not take that: {' '.join(str(error.orig).split())}"
                ) from None

    def close(self) -> None:
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_catalog(url: str, organization: str) -> Catalog:
    """The catalog at an SQLAlchemy URL. One that is not there is made, with this organization and its library; an
    older one is brought to the newest form.

    Raises Invalid for an address that is none, Refused when it cannot be reached, is no catalog, or was made by a
    newer version of the program, NotPermitted when it is somebody else's, Busy when another process does not end
    bringing it up.
    """
    from orchestrator.content.catalog.migrations import HEAD

    connections = connections_to(url)
    try:
        with _access(connections):
            if _revision(connections) != HEAD:
                from orchestrator.content.catalog.upgrading import bring_up

                bring_up(connections, organization)
    except BaseException:
        connections.close()
        raise
    return Catalog(connections)


@contextlib.contextmanager
def _access(connections: Connections) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        hint = "run this as its owner, or as root"
        raise NotPermitted(f"{connections.where} cannot be used: {error.strerror}", hint=hint) from None
    except OSError as error:
        raise Refused(f"{connections.where} cannot be used: {error}") from None


def _revision(connections: Connections) -> str | None:
    """None when it does not say, or there is nothing."""
    if connections.file is not None:
        try:
            os.close(os.open(connections.file, os.O_RDONLY))  # SQLite would not say why it cannot
        except FileNotFoundError:
            return None
    try:
        with connections.reading.connect() as connection:
            revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return revision
    except DBAPIError:  # there is no such table; all else was translated
        return None
