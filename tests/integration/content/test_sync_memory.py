# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports and imports of tens of thousands of packages in little memory."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.content.model import StoredFile
from orchestrator.content.signing import PublicKey, server_key
from tests.support.snapshot_site import SnapshotSite, in_memory, snapshot_site
from tests.support.two_servers import ContentServer

COUNTS = {"many": 60_000, "fewer": 8_000}
# MiB. The first holds for all that a process takes of its own, whether it is used or not; the second is what is asked.
LIMIT, MOST = 300, 200
MEASURED = f"""
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_DATA, ({LIMIT} << 20, {LIMIT} << 20))
from orchestrator.cli.app import main
sys.argv[0] = "orchestrator"
try:
    main()
finally:
    lines = Path("/proc/self/status").read_text().splitlines()
    [peak] = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    print("peak", int(peak) >> 10, file=sys.stderr)
"""


def fill(site: SnapshotSite) -> None:
    """Two repositories of packages of a few bytes, put where the pool has them once it is settled."""
    pool = site.workspace.pool
    for number in range(256):
        (pool.objects / f"{number:02x}").mkdir(exist_ok=True)
    packages, index = [], []
    for number in range(max(COUNTS.values())):
        data = b"package %d\n" % number
        sha256 = hashlib.sha256(data).hexdigest()
        with open(f"{pool.objects}/{sha256[:2]}/{sha256}", "wb", buffering=0) as stream:
            stream.write(data)
        path = f"pool/main/p/package-{number}/package-{number}_1.0-1_amd64.deb"
        packages.append(StoredFile(path, len(data), sha256))
        index.append(f"Filename: {path}\nSHA256: {sha256}\n")
    for name, count in COUNTS.items():
        files = packages[:count]
        for path in ("dists/stable/Release", "dists/stable/main/binary-amd64/Packages"):
            data = (path + "\n\n" + "\n".join(index[:count])).encode()
            files.append(StoredFile(path, len(data), pool.add_bytes(data)))
        pool.settle()
        site.publish_files(f"tools/{name}", files)


def measured(server: ContentServer, *words: str | Path) -> int:
    """The peak of a command's memory, in MiB."""
    argv = [sys.executable, "-c", MEASURED, *map(str, words)]
    done = subprocess.run(
        argv, env=server.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return int(done.stderr.rpartition("peak ")[2])


@dataclass(frozen=True)
class Place:
    """A sender with `tools/many` and `tools/fewer`."""

    path: Path
    sender: ContentServer
    key: PublicKey

    @contextmanager
    def receiver(self) -> Iterator[ContentServer]:
        server = ContentServer(self.path / "receiver")
        trusted = server.root / "identity" / "trusted"
        trusted.mkdir(parents=True)
        (trusted / f"{self.key.id}.pem").write_bytes(self.key.pem)
        yield server
        shutil.rmtree(server.place)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with in_memory() as path:
        sender = ContentServer(path / "sender")
        with snapshot_site(sender.root) as site:
            fill(site)
            public = server_key(site.workspace.settings.key_file).public
        yield Place(path, sender, public)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format_", "name"), [("tar", "many"), ("iso", "fewer"), ("tgz", "fewer"), ("dir", "fewer")]
)
def test_tens_of_thousands_of_packages_take_little_memory(place: Place, format_: str, name: str) -> None:
    asked = ["repository", f"tools/{name}", "--format", format_]
    exported = measured(place.sender, "export", "complete", *asked)
    [manifest] = place.sender.exports.rglob("manifest.json")
    with place.receiver() as receiver:
        imported = measured(receiver, "import", "run", manifest.parent)
        assert sum(1 for _ in receiver.tree(f"tools/{name}").rglob("*.deb")) == COUNTS[name]
    shutil.rmtree(place.sender.exports)
    assert max(exported, imported) < MOST
