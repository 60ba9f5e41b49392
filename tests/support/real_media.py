# SPDX-License-Identifier: GPL-3.0-or-later
"""Media as the real writers make them, of a server whose content changed; and the server that is to read them.

    with made_chain(directory) as chain:
        chain.media("iso")                   several media, one object of them in segments
        with chain.receiver(place) as here:  it has what the sender had before the change

Everything lies in memory: what is asked is which bytes arrive, not when.
"""

import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.content.catalog.model import Actor
from orchestrator.content.exports.media import MediumReader
from orchestrator.content.imports.deciding import Wish
from orchestrator.content.imports.opening import open_media
from orchestrator.content.imports.outcome import ImportOutcome
from orchestrator.content.imports.running import run
from orchestrator.content.settings import ContentSettings
from orchestrator.content.signing import server_key
from orchestrator.content.workspace import Workspace
from orchestrator.errors import ExitCode
from tests.support.export_site import copy_tree, do, request
from tests.support.snapshot_site import SnapshotSite, catalog_template, in_memory, snapshot_site

ORGANIZATION = "acme"
FORMATS = ("dir", "tar", "tgz", "iso")
# Three or four media of each, with the largest object in segments.
CHUNKS = {"dir": 0, "tar": 120_000, "tgz": 120_000, "iso": 480_000}
FIRST, SECOND = "2026-11-18T10:00:00.000Z", "2026-11-19T10:00:00.000Z"
Trees = Mapping[str, bytes]


def noise(name: str, size: int) -> bytes:
    """Bytes that no compression makes smaller, the same each time."""
    return random.Random(name).randbytes(size)


def repository(*names: str, size: int = 9_000, **more: int) -> dict[str, str | bytes]:
    """Packages of `size` bytes, or of as many as is said of them, and metadata that names them all."""
    sizes = dict.fromkeys(names, size) | more
    packages: dict[str, str | bytes] = {f"pool/{name}.deb": noise(name, sizes[name]) for name in sizes}
    index = "".join(
        f"{hashlib.sha256(data if isinstance(data, bytes) else b'').hexdigest()} {path}\n"
        for path, data in packages.items()
    )
    return {"dists/stable/Release": f"Suite: stable\n{index}", **packages}


def publish_first(site: SnapshotSite) -> None:
    site.publish("tools/base", repository("a", "b"), made=FIRST)
    site.publish("tools/more", repository("x", "y"), made=FIRST)
    site.view("web", "tools/base", "tools/more")
    site.show("testing", "web", 1)
    server_key(site.workspace.settings.key_file)


def publish_second(site: SnapshotSite) -> None:
    """Something is added, something goes, there is one repository more, and something does not fit on a medium."""
    site.publish("tools/base", repository("b", "c", "d"), made=SECOND)
    site.publish("tools/more", repository("x", "z", big=200_000), made=SECOND)
    site.publish("tools/late", repository("l", size=5_000), made=SECOND)
    site.view("web")
    site.show("testing", "web", 2)


def served(root: Path) -> dict[str, bytes]:
    """What clients get of a server, by the place below published/."""
    published = root / "published"
    found = {}
    for directory, _, names in os.walk(published, followlinks=True):
        for name in names:
            path = Path(directory, name)
            found[str(path.relative_to(published))] = path.read_bytes()
    return found


def trees_of(found: Trees) -> dict[str, dict[str, bytes]]:
    """By repository and view: what is switched at once. What is hidden is on its way to its name."""
    trees: dict[str, dict[str, bytes]] = {}
    for path, data in found.items():
        parts = path.split("/")
        # <organization>/<environment>/<view>, and in the default view of the library <product>/<repository> more
        depth = 5 if parts[1:3] == ["library", "default"] else 3
        if any(part.startswith(".") for part in parts[:depth]):
            continue
        trees.setdefault("/".join(parts[:depth]), {})["/".join(parts[depth:])] = data
    return trees


def dump(root: Path) -> str:
    """All that the catalog says."""
    catalog = root / "catalog.sqlite"
    if not catalog.exists():
        return ""
    with closing(sqlite3.connect(catalog)) as connection:
        return "\n".join(connection.iterdump())


@dataclass(frozen=True)
class Receiver:
    place: Path
    workspace: Workspace

    @property
    def root(self) -> Path:
        return self.workspace.root

    def take(self, *paths: Path, **wish: Any) -> ImportOutcome:
        """Import what is on these media. Raises what that raises."""
        media: list[MediumReader] = open_media(paths)
        try:
            return run(self.workspace, media, Wish(**wish))
        finally:
            for medium in media:
                medium.close()

    def served(self) -> dict[str, bytes]:
        return served(self.root)

    def state(self) -> tuple[dict[str, bytes], str, list[str], list[str]]:
        """All that must be as it was after something was refused: trees, catalog, pool, imports that go on."""
        pooled = sorted(path.name for path in (self.root / "pool").glob("??/*"))
        going_on = sorted(path.name for path in (self.root / "imports").glob("*/"))
        return self.served(), dump(self.root), pooled, going_on

    def leftovers(self) -> list[str]:
        """What a run that came to its end leaves nowhere."""
        found = [*(self.root / "imports").glob("*/"), *(self.root / "incoming").iterdir()]
        found += [
            path for path in self.root.rglob(".*") if path.suffix in (".new", ".part", ".partial", ".gone")
        ]
        return sorted(str(path.relative_to(self.root)) for path in found)


@dataclass(frozen=True)
class Chain:
    """`before` and `after` are what the sender's clients saw of each tree of the library."""

    place: Path
    before: Mapping[str, Trees]
    after: Mapping[str, Trees]

    def media(self, format_: str) -> list[Path]:
        """Those of the increment."""
        directory = self.place / "media" / format_
        return [directory] if format_ == "dir" else sorted(directory.glob(f"*.{format_}"))

    @contextmanager
    def receiver(self, place: Path, template: str = "receiver") -> Iterator[Receiver]:
        """A copy; the one in `place` is opened if there is one."""
        if not place.exists():
            copy_tree(self.place / template, place)
        with receiving(place) as found:
            yield found


@contextmanager
def receiving(place: Path) -> Iterator[Receiver]:
    settings = ContentSettings(
        root=place / "content",
        exports=place / "exports",
        organization="default",
        trusted_keys=place / "trusted",
    )
    with Workspace(settings, Actor("tester")) as workspace:
        yield Receiver(place, workspace)


@contextmanager
def made_chain() -> Iterator[Chain]:
    with in_memory() as place:
        (place / "media").mkdir()
        with snapshot_site(place / "sender", catalog_template(place)) as site:
            publish_first(site)
            before = trees_of(served(site.workspace.root))
            first = Path(do(site, request("tar", chunk_size=0)).place)
            publish_second(site)
            after = trees_of(served(site.workspace.root))
            for format_ in FORMATS:
                wished = request(format_, chunk_size=CHUNKS[format_], kind="increment", base="1")
                made = Path(do(site, wished).place)
                shutil.copytree(made, place / "media" / format_)
            (place / "empty" / "trusted").mkdir(parents=True)
            public = server_key(site.workspace.settings.key_file).public
            (place / "empty" / "trusted" / f"{public.id}.pem").write_bytes(public.pem)
        subprocess.run(["cp", "-a", place / "empty", place / "receiver"], check=True)
        with receiving(place / "receiver") as receiver:
            assert receiver.take(first).exit_code is ExitCode.DONE
        yield Chain(place, of_library(before), of_library(after))


def of_library(trees: Mapping[str, Trees]) -> dict[str, Trees]:
    return {path: tree for path, tree in trees.items() if path.startswith(f"{ORGANIZATION}/library/default/")}
