# SPDX-License-Identifier: GPL-3.0-or-later
"""A source on a server that misbehaves, its mirror, and a client that looks all the time.

    with mirrored("rpm", tmp_path, partial=True) as mirror:
        mirror.offer(1)
        assert mirror.clone().status is Status.PUBLISHED
        mirror.offer(2)
        mirror.server.faults[mirror.address("db")] = always(status(404))
        with mirror.watched():
            outcome = mirror.clone()

The archive has `web`, which needs `db`; `other` and `extra`, which need nothing. All of them change with every
version. A partial mirror is asked for `web` and `other`.
"""

import contextlib
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from atexit import register
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from orchestrator import content
from orchestrator.content.outcome import Outcome
from tests.support import mirror_walk
from tests.support.deb_repository import Deb, DebRepository
from tests.support.fault_server import FaultServer, fault_server
from tests.support.openpgp import Key, key
from tests.support.rpm_repository import Rpm, RpmRepository

Kind = Literal["deb", "rpm"]
KINDS: tuple[Kind, ...] = ("deb", "rpm")
NAMES = ("web", "db", "other", "extra")
REPOSITORY = {"deb": "stable main", "rpm": "os"}
ENTRY = {"deb": "dists/stable/InRelease", "rpm": "os/repodata/repomd.xml"}
_DAY = 86400
_FIRST = 1_700_000_000
# Quick to give up, and quick to try again.
QUICK = {
    "retries": 3,
    "retry_delay": "10ms",
    "stall_timeout": "1s",
    "connect_timeout": "2s",
    "connections": 4,
    "ignore_error_count": 2,
    "threads": 2,
}


def _filler(name: str, version: int) -> bytes:
    """Some KiB that cannot be compressed."""
    import random

    return random.Random(f"{name} {version}").randbytes(6000)


def debs(version: int, names: Sequence[str] = NAMES) -> list[Deb]:
    return [
        Deb(name, f"{version}.0", depends="db" if name == "web" else "", filler=_filler(name, version))
        for name in names
    ]


def rpms(version: int, names: Sequence[str] = NAMES) -> list[Rpm]:
    return [Rpm(name, f"{version}-1", requires=("db",) if name == "web" else ()) for name in names]


def deb_archive(
    root: Path, version: int = 1, *, names: Sequence[str] = NAMES, **options: Any
) -> DebRepository:
    date = _FIRST + version * _DAY
    archive = DebRepository(root, **{"key": key(), "date": date, "compressions": ("gz",), **options})
    archive.publish(*debs(version, names))
    return archive


def rpm_archive(
    root: Path, version: int = 1, *, names: Sequence[str] = NAMES, **options: Any
) -> RpmRepository:
    archive = RpmRepository(root / "os", **{"key": key(), **options})
    return archive.write(rpms(version, names), time=_FIRST + version * _DAY)


@functools.cache
def archive(kind: Kind, version: int, names: tuple[str, ...] = NAMES) -> Path:
    """An archive that others use too: not to be changed."""
    root = Path(tempfile.mkdtemp(prefix="archive-"))
    register(shutil.rmtree, root, True)
    (deb_archive if kind == "deb" else rpm_archive)(root, version, names=names)
    # What servers tell by it: no two versions of a file have the same.
    for path in root.rglob("*"):
        if path.is_file() and not path.name.endswith(".rpm"):
            os.utime(path, (_FIRST + version * _DAY, _FIRST + version * _DAY))
    return root


def package_path(kind: Kind, name: str, version: int) -> str:
    if kind == "deb":
        return next(deb.path for deb in debs(version) if deb.name == name)
    rpm = next(rpm for rpm in rpms(version) if rpm.name == name)
    return f"os/Packages/{name[0]}/{rpm.file_name}"


def index_paths(kind: Kind, version: int) -> list[str]:
    """All the addresses of the list of packages."""
    root = archive(kind, version)
    if kind == "rpm":
        return [str(path.relative_to(root)) for path in root.glob("os/repodata/*primary.xml*")]
    found = [path for path in root.rglob("Packages*") if path.is_file()]
    found += root.rglob("binary-amd64/by-hash/*/*")
    return [str(path.relative_to(root)) for path in found]


@dataclass
class Mirror:
    kind: Kind
    place: Path
    server: FaultServer
    common: dict[str, Any] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
    version: int = 0

    # What there is

    @property
    def root(self) -> Path:
        return self.place / "content"

    @property
    def config(self) -> Path:
        return self.place / "mirrors.yaml"

    @property
    def published(self) -> Path:
        return self.root / "published" / "up"

    @property
    def repository(self) -> str:
        return REPOSITORY[self.kind]

    @property
    def rebuilt(self) -> bool:
        return bool(self.source.get("requirements")) or self.source.get("mode") == "rebuilt"

    @property
    def signer(self) -> Key:
        """Whose signature clients look for."""
        return key("ours") if self.rebuilt else key()

    @property
    def generation(self) -> int:
        return int(os.readlink(self.published).rpartition("/")[2]) if self.published.is_symlink() else 0

    def address(self, name: str) -> str:
        """The path of a package of the version that is offered, as the server sees it."""
        return "/" + package_path(self.kind, name, self.version)

    # What is done

    def offer(self, version: int, names: tuple[str, ...] = NAMES) -> None:
        """From now on the upstream is this."""
        self.version = version
        self.server.root = archive(self.kind, version, names)

    def configure(self, **common: Any) -> None:
        self.common |= common
        document = {"common": {**QUICK, "destination": "content", **self.common}, "sources": [self.source]}
        self.config.write_text(yaml.safe_dump(document))

    def clone(self, **wish: Any) -> Outcome:
        """One run, through the library."""
        self.configure()
        mirrors = content.load_mirrors(self.config)
        with content.Engine(mirrors) as engine:
            (outcome,) = content.clone(engine, mirrors.sources, (), content.Wish(**wish))
        return outcome

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "orchestrator", "mirror", *words, "--config", str(self.config)]

    def run(self, *words: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        """One run of the command line: `clone` without words."""
        self.configure()
        argv = self.command(*(words or ("clone",)))
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, **options)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        self.configure()
        argv = self.command(*(words or ("clone",)))
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    # What is to be seen

    def wrong(self) -> list[str]:
        """What the judge says of the published tree."""
        return mirror_walk.walk(self.kind, self.published, self.repository, self.signer.public)

    def packages(self) -> set[str]:
        """The names of the packages that the published metadata names."""
        found = mirror_walk.packages(self.kind, self.published, self.repository)
        return {Path(path).name.replace("_", "-").partition("-")[0] for path in found}

    def snapshot(self) -> dict[str, str]:
        return mirror_walk.snapshot(self.published.resolve())

    def incoming(self) -> list[str]:
        """What has not come in yet."""
        return sorted(path.name for path in (self.root / "incoming").iterdir())

    @contextlib.contextmanager
    def watched(self) -> Iterator["Poller"]:
        """A client polls meanwhile, and must never fail."""
        with polling(self.kind, self.published, self.repository) as poller:
            yield poller
        assert poller.wrong == []
        assert poller.rounds > 0


class Poller:
    """Reads what the published metadata names, again and again."""

    def __init__(self, kind: Kind, published: Path, repository: str) -> None:
        self.rounds = 0
        self.wrong: list[str] = []
        self.entries: set[bytes] = set()
        self.stopping = threading.Event()
        self._seen = kind, published, repository

    def run(self) -> None:
        kind, published, repository = self._seen
        while not self.rounds or not self.stopping.wait(0.02):
            self.wrong += mirror_walk.visit(kind, published, repository)
            self.rounds += 1


@contextlib.contextmanager
def polling(kind: Kind, published: Path, repository: str) -> Iterator[Poller]:
    poller = Poller(kind, published, repository)
    thread = threading.Thread(target=poller.run, name="poller", daemon=True)
    thread.start()
    try:
        yield poller
    finally:
        poller.stopping.set()
        thread.join()


@contextlib.contextmanager
def mirrored(kind: Kind, place: Path, *, partial: bool = False, **source: Any) -> Iterator[Mirror]:
    """A mirror that is yet to be made. `source` are further keys of it."""
    place.mkdir(parents=True, exist_ok=True)
    with fault_server(place / "www") as server:
        told: dict[str, Any] = {
            "name": "up",
            "type": kind,
            "baseurl": server.url,
            "repositories": [REPOSITORY[kind]],
            "keys": [str(key().public_file)],
        }
        if kind == "deb":
            told |= {"architectures": ["amd64"], "translations": []}
        if partial:
            told["requirements"] = ["web", "other"]
        if partial or source.get("mode") == "rebuilt":
            told["sign_with"] = str(key("ours").secret_file)
        yield Mirror(kind, place, server, source=told | source)
