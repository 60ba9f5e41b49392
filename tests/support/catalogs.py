# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases for catalogs, of every kind that there may be.

with sqlite_databases(directory) as databases:
    catalog = open_catalog(databases.catalog(), ORGANIZATION)
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Protocol

from orchestrator.content.catalog import audit, organizations, products
from orchestrator.content.catalog.database import open_catalog
from orchestrator.content.catalog.model import Actor, Product, Repository, Snapshot, ViewVersion
from orchestrator.errors import Refused
from tests.support.servers import PostgresqlServer

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
        url = self.empty()
        open_catalog(url, ORGANIZATION).close()
        return url


@dataclass
class PostgresqlDatabases:
    """Each is a schema of one database: a new database costs a second."""

    server: PostgresqlServer
    numbers: Iterator[int] = field(default_factory=count)

    def empty(self) -> str:
        name = f"catalog{next(self.numbers)}"
        self.server.query(f"CREATE SCHEMA {name}")
        return f"postgresql://postgres@127.0.0.1:{self.server.port}/postgres?options=-csearch_path%3D{name}"

    def catalog(self) -> str:
        url = self.empty()
        open_catalog(url, ORGANIZATION).close()
        return url


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


# What another process does ------------------------------------------------------------------------


def open_it(url: str) -> list[str]:
    """The labels of its organizations."""
    with open_catalog(url, ORGANIZATION) as catalog, catalog.reading() as session:
        return [each.label for each in organizations.all(session)]


def create_products(url: str) -> str:
    """Twenty in one transaction: why not, or nothing."""
    with open_catalog(url, ORGANIZATION) as catalog:
        try:
            with catalog.changing(ALICE) as session:
                for number in range(20):
                    products.create(session, a_product(f"p{number}"))
        except Refused as error:
            return error.message
    return ""


def create_one_by_one(url: str, prefix: str) -> None:
    """Five, each in a transaction, with a note in the audit trail."""
    with open_catalog(url, ORGANIZATION) as catalog:
        for number in range(5):
            with catalog.changing(ALICE) as session:
                products.create(session, a_product(f"{prefix}{number}"))
                audit.note(session, ALICE, "product.create", f"{prefix}{number}")
