# SPDX-License-Identifier: GPL-3.0-or-later
"""A content server whose repositories are filled from mappings of paths and texts: real pool, real trees, real
catalog, and no package in it."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator.content import snapshotting
from orchestrator.content.catalog import environments, products, repositories, snapshots, views
from orchestrator.content.catalog.database import open_catalog
from orchestrator.content.catalog.model import (
    Actor,
    Environment,
    Product,
    ProductKind,
    Repository,
    RepositoryType,
    Snapshot,
    View,
    ViewVersion,
)
from orchestrator.content.events import Event
from orchestrator.content.generations import Record
from orchestrator.content.model import StoredFile
from orchestrator.content.settings import ContentSettings
from orchestrator.content.workspace import Workspace

ORGANIZATION = "acme"
TESTER = Actor("tester", "test")


def lasts(path: str) -> bool:
    return path.startswith("pool/")


def deb(*names: str, note: str = "") -> dict[str, str | bytes]:
    """The files of a repository with these packages, whose metadata name them."""
    packages: dict[str, str | bytes] = {f"pool/main/{name}.deb": f"package {name}\n" for name in names}
    index = "".join(f"Package: {name}\n" for name in names) + note
    return {
        "dists/stable/Release": f"Suite: stable\n{index}",
        "dists/stable/main/binary-amd64/Packages": index,
        "KEY.asc": "key\n",
        **packages,
    }


@dataclass
class SnapshotSite:
    workspace: Workspace
    events: list[Event] = field(default_factory=list)

    def repository(self, path: str, type_: RepositoryType = "deb", *, vendor: str = "") -> Repository:
        """Made, with its product, when it is not there."""
        product, _, label = path.partition("/")
        kind = ProductKind.VENDOR if vendor else ProductKind.CUSTOM
        with self.workspace.catalog.changing(TESTER) as session:
            if product not in {each.label for each in products.all(session, ORGANIZATION)}:
                made = Product(
                    ORGANIZATION, product, kind, vendor=vendor, content_id=vendor and f"{vendor}-1"
                )
                products.create(session, made)
            if path not in {each.path for each in repositories.all(session, ORGANIZATION)}:
                repositories.create(
                    session, Repository(ORGANIZATION, product, label, type_, name=f"The {label}")
                )
            return repositories.get(session, ORGANIZATION, path)

    def publish(
        self,
        path: str,
        contents: Mapping[str, str | bytes],
        *,
        type_: RepositoryType = "deb",
        made: str = "",
        mode: str = "verbatim",
    ) -> Snapshot:
        """The next snapshot of a repository; `made` is its time in the catalog."""
        pool = self.workspace.pool
        files = []
        for place, content in contents.items():
            data = content.encode() if isinstance(content, str) else content
            files.append(StoredFile(place, len(data), pool.add_bytes(data)))
        return self.publish_files(path, files, type_=type_, made=made, mode=mode)

    def publish_files(
        self,
        path: str,
        files: list[StoredFile],
        *,
        type_: RepositoryType = "deb",
        made: str = "",
        mode: str = "verbatim",
    ) -> Snapshot:
        """The same, of files that are in the pool."""
        repository = self.repository(path, type_)
        store = self.workspace.store(repository)
        record = Record(store.name, type_, mode, packages=sum(file.path.endswith(".deb") for file in files))
        with store.lock():
            generation = store.publish(files, record, names_that_last=lasts, keep=9)
            if not made:
                return snapshotting.add(self.workspace, repository, generation, "sync")
            timed = replace(generation, record=replace(generation.record, time=made))
            # The inventory is read from the tree, whatever the record says.
            return snapshotting.add(self.workspace, repository, timed, "sync")

    def view(self, label: str, *paths: str) -> ViewVersion:
        """A version of what these repositories (those of the last version, when none is named) hold now; shown in
        the library."""
        with self.workspace.catalog.changing(TESTER) as session:
            if label not in {each.label for each in views.all(session, ORGANIZATION)}:
                views.create(session, View(ORGANIZATION, label, f"The {label}", tuple(sorted(paths))))
            there = views.get(session, ORGANIZATION, label).repositories
            contents = []
            for path in there:
                newest = snapshots.newest(session, repositories.get(session, ORGANIZATION, path))
                assert newest is not None
                contents.append((path, newest))
            number = views.next_number(session, ORGANIZATION, label)
            version = ViewVersion(ORGANIZATION, label, number, contents[0][1].made, tuple(contents))
            views.add_version(session, version)
            environments.show(session, ORGANIZATION, "library", label, number)
            return version

    def show(self, environment: str, view: str, number: int) -> None:
        with self.workspace.catalog.changing(TESTER) as session:
            if environment not in {each.label for each in environments.all(session, ORGANIZATION)}:
                environments.create(session, Environment(ORGANIZATION, environment))
            environments.show(session, ORGANIZATION, environment, view, number)

    @property
    def warnings(self) -> list[str]:
        return [str(each.fields["text"]) for each in self.events if each.name == "warning"]


@contextmanager
def snapshot_site(root: Path, template: Path | None = None, **settings: Any) -> Iterator[SnapshotSite]:
    """`template` is a new catalog of `ORGANIZATION` that was made before, which saves half a second."""
    chosen = ContentSettings(root=root, exports=root / "exports", organization=ORGANIZATION, **settings)
    root.mkdir(parents=True, exist_ok=True)
    if template is not None and not (root / "catalog.sqlite").exists():
        shutil.copy(template, root / "catalog.sqlite")
    events: list[Event] = []
    with Workspace(chosen, TESTER, watch=events.append) as workspace:
        yield SnapshotSite(workspace, events)


@contextmanager
def in_memory() -> Iterator[Path]:
    """A directory that no disk is waited for, where there is such a place: what is tested is no durability."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(
        prefix="content-", dir=memory if os.access(memory, os.W_OK) else None
    ) as directory:
        yield Path(directory)


def catalog_template(directory: Path) -> Path:
    """A new catalog, to be copied."""
    path = directory / "template.sqlite"
    open_catalog(f"sqlite:///{path}", ORGANIZATION).close()
    return path
