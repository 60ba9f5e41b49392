# SPDX-License-Identifier: GPL-3.0-or-later
"""A content server for tests: its workspace, products and repositories, and what is shown of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.content.catalog import keys, products, repositories
from orchestrator.content.catalog.model import Actor, Key, Product, ProductKind, Repository, split_path
from orchestrator.content.events import Event
from orchestrator.content.exports.manifest import (
    ChunkEntry,
    Manifest,
    ProductEntry,
    RepositoryEntry,
    Subject,
    to_bytes,
    with_id,
)
from orchestrator.content.settings import ContentSettings
from orchestrator.content.sourcing import check_repository
from orchestrator.content.syncing import Synced, sync
from orchestrator.content.workspace import Workspace

ORGANIZATION = "acme"


@dataclass
class CatalogSite:
    workspace: Workspace
    events: list[Event] = field(default_factory=list)

    def product(
        self, label: str, *, vendor: str = "", content_id: str = "", baseurl: str = "", organization: str = ""
    ) -> Product:
        kind = ProductKind.VENDOR if vendor else ProductKind.CUSTOM
        owner = organization or ORGANIZATION
        made = Product(owner, label, kind, vendor=vendor, content_id=content_id, baseurl=baseurl)
        with self.workspace.catalog.changing(self.workspace.actor) as session:
            products.create(session, made)
        return made

    def repository(
        self, path: str, type_: Any, upstream: Mapping[str, Any], certificates: Sequence[bytes] = ()
    ) -> Repository:
        """Made and checked as the command does it."""
        product, _, label = path.partition("/")
        made = Repository(ORGANIZATION, product, label, type_, upstream=upstream)
        with self.workspace.catalog.changing(self.workspace.actor) as session:
            repositories.create(session, made)
            names = [f"{product}-{label}-{number}" for number in range(len(certificates))]
            for name, data in zip(names, certificates, strict=True):
                keys.add(session, Key(ORGANIZATION, name, data.decode()))
            keys.set_of_repository(session, made, names)
            check_repository(self.workspace, session, made)
        return made

    def get(self, path: str) -> Repository:
        with self.workspace.catalog.reading() as session:
            return repositories.get(session, ORGANIZATION, path)

    def sync(self, path: str, **options: Any) -> Synced:
        """Raises the error of a sync that failed."""
        done = sync(self.workspace, ORGANIZATION, path, **options)
        if done.outcome.error is not None:
            raise done.outcome.error
        return done

    def shown(self, path: str) -> dict[str, bytes]:
        """The files of what clients see, by path."""
        tree = self.workspace.place(self.get(path)).resolve()
        return {str(p.relative_to(tree)): p.read_bytes() for p in tree.rglob("*") if p.is_file()}


@contextmanager
def catalog_site(root: Path, **settings: Any) -> Iterator[CatalogSite]:
    chosen = ContentSettings(root=root, exports=root / "exports", organization=ORGANIZATION, **settings)
    events: list[Event] = []
    with Workspace(chosen, Actor("tester"), watch=events.append) as workspace:
        yield CatalogSite(workspace, events)


def custom(label: str) -> ProductEntry:
    return ProductEntry(label, "custom")


def write_export(
    place: Path,
    entries: Sequence[ProductEntry],
    trees: Mapping[str, tuple[str, ...]],
    *,
    format_: Any = "dir",
    version: str = "1.0",
) -> None:
    """The manifest of an export of these products, whose repositories (by path) have these trees."""
    repositories = tuple(
        RepositoryEntry(*split_path(path), "file", "0" * 64, 1, 1, 1, "2026-01-01T00:00:00.000Z", trees=found)
        for path, found in trees.items()
    )
    made = Manifest(
        "complete",
        format_,
        Subject("library", ORGANIZATION),
        "2026-01-01T00:00:00.000Z",
        repositories,
        tuple(entries),
        chunks=() if format_ == "dir" else (ChunkEntry(1, "0" * 64, 0, 0),),
        version=version,
    )
    place.mkdir(parents=True, exist_ok=True)
    (place / "manifest.json").write_bytes(to_bytes(with_id(made)))
