# SPDX-License-Identifier: GPL-3.0-or-later
"""A content server with one repository of packages that do not compress, made once and kept: what is exported."""

import json
import os
import random
from dataclasses import dataclass
from pathlib import Path

from orchestrator.content import snapshotting
from orchestrator.content.catalog import products, repositories
from orchestrator.content.catalog.model import Actor, Product, Repository
from orchestrator.content.generations import Record
from orchestrator.content.model import StoredFile
from orchestrator.content.settings import ContentSettings
from orchestrator.content.workspace import Workspace

_ORGANIZATION = "bench"
_SEED = 7
_DONE = "made.json"


@dataclass(frozen=True, slots=True)
class ContentSize:
    """`count` packages whose sizes are spread around `median` bytes as those of a distribution are."""

    count: int
    median: int
    largest: int = 5_000_000


@dataclass(frozen=True, slots=True)
class ContentRoot:
    """`tree` is what clients see of it."""

    config: Path
    tree: Path
    root: Path
    objects: int
    bytes: int


def provide(directory: Path, size: ContentSize) -> ContentRoot:
    """Made in `directory` when it is not there. Catalog, pool and tree are on one file system."""
    place = directory / f"content-{size.count}-{size.median}"
    config = write_config(place)
    if not (place / _DONE).exists():
        total, count = _make(place, size)
        (place / _DONE).write_text(json.dumps([total, count]))
    total, count = json.loads((place / _DONE).read_text())
    tree = place / "root" / "published" / _ORGANIZATION / "library" / "default" / "all" / "packages"
    return ContentRoot(config, tree.resolve(), place / "root", count, total)


def write_config(place: Path) -> Path:
    """The configuration of a server in `place`, which may be new."""
    place.mkdir(parents=True, exist_ok=True)
    config = place / "orchestrator.yaml"
    config.write_text(
        f"content: {{root: {place}/root, exports: {place}/exports, organization: {_ORGANIZATION}}}\n"
    )
    return config


def _make(place: Path, size: ContentSize) -> tuple[int, int]:
    chance = random.Random(_SEED)
    settings = ContentSettings(root=place / "root", exports=place / "exports", organization=_ORGANIZATION)
    with Workspace(settings, Actor("benchmark")) as workspace:
        repository = Repository(_ORGANIZATION, "all", "packages", "deb")
        with workspace.catalog.changing(workspace.actor) as session:
            products.create(session, Product(_ORGANIZATION, "all"))
            repositories.create(session, repository)
        files = []
        for number in range(size.count):
            length = min(size.largest, int(chance.lognormvariate(0, 1.75) * size.median) + 16)
            data = b"!<arch>\n" + os.urandom(length)
            name = f"pool/main/{number % 100:02d}/package-{number}_1.0_amd64.deb"
            files.append(StoredFile(name, len(data), workspace.pool.add_bytes(data)))
        index = "".join(f"{file.sha256} {file.size} {file.path}\n" for file in files).encode()
        for name in ("dists/stable/Release", "dists/stable/main/binary-amd64/Packages"):
            data = name.encode() + b"\n" + index
            files.append(StoredFile(name, len(data), workspace.pool.add_bytes(data)))
        store = workspace.store(repository)
        with store.lock():
            record = Record(store.name, "deb", "verbatim", packages=size.count)
            store.publish(files, record, names_that_last=lambda _: False, keep=3)
        snapshotting.take(workspace, repository)
    return sum(file.size for file in files), len(files)
