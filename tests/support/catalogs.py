# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases for catalogs: new ones in an instant, by copying one that was made before.

with sqlite_databases(directory) as databases:
    catalog = open_catalog(databases.catalog(), ORGANIZATION)
"""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Protocol

from orchestrator.content.catalog.database import open_catalog
from orchestrator.content.catalog.model import Actor, Product, Repository, Snapshot, ViewVersion
from tests.support.servers import PostgresqlServer, postgresql_server, server_directory

ORGANIZATION = "acme"
ALICE = Actor("alice", "test")
_SHA = "0" * 64


class Databases(Protocol):
    """Addresses of databases that nobody else uses."""

    def empty(self) -> str: ...

    def catalog(self) -> str:
        """One with the first organization, `ORGANIZATION`, and nothing else."""


@dataclass
class SqliteDatabases:
    directory: Path
    numbers: Iterator[int] = field(default_factory=count)

    def empty(self) -> str:
        return f"sqlite:///{self.directory}/{next(self.numbers)}.sqlite"

    def catalog(self) -> str:
        made = self.directory / "template.sqlite"
        if not made.exists():
            open_catalog(f"sqlite:///{made}", ORGANIZATION).close()
        url = self.empty()
        shutil.copy(made, url.removeprefix("sqlite:///"))
        return url


@dataclass
class PostgresqlDatabases:
    server: PostgresqlServer
    numbers: Iterator[int] = field(default_factory=count)
    has_template: bool = False

    def url(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.server.port}/{name}"

    def empty(self) -> str:
        return self._made("template0")

    def catalog(self) -> str:
        if not self.has_template:
            self.server.query("CREATE DATABASE made")
            open_catalog(self.url("made"), ORGANIZATION).close()
            self.has_template = True
        return self._made("made")

    def _made(self, template: str) -> str:
        name = f"catalog{next(self.numbers)}"
        self.server.query(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)


@contextlib.contextmanager
def databases_of(kind: str, directory: Path) -> Iterator[Databases]:
    """Of "sqlite" or "postgresql"; the latter of a server of their own."""
    if kind == "sqlite":
        yield SqliteDatabases(directory)
        return
    with server_directory() as place, postgresql_server(place) as server:
        yield PostgresqlDatabases(server)


def a_product(label: str = "web") -> Product:
    return Product(ORGANIZATION, label)


def a_repository(path: str = "web/main") -> Repository:
    product, _, label = path.partition("/")
    return Repository(ORGANIZATION, product, label, "deb", upstream={"baseurl": "https://deb.example/"})


def a_snapshot(path: str = "web/main", number: int = 1, *, inventory: str = _SHA, day: int = 1) -> Snapshot:
    product, _, label = path.partition("/")
    made = f"2026-11-{day:02}T12:00:00.000Z"
    return Snapshot(ORGANIZATION, product, label, number, inventory, 10, 7, 5_000_000_000, made)


def a_version(view: str, number: int, *snapshots: Snapshot) -> ViewVersion:
    contents = tuple((f"{each.product}/{each.repository}", each) for each in snapshots)
    return ViewVersion(ORGANIZATION, view, number, f"2026-11-{number:02}T13:00:00Z", contents)
