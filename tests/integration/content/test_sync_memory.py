# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports and imports of tens of thousands of packages in little memory."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.content.model import StoredFile
from orchestrator.content.signing import server_key
from tests.support.snapshot_site import SnapshotSite, in_memory, snapshot_site
from tests.support.two_servers import ContentServer

MANY, FEWER = 60_000, 20_000
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
_ = json, re


def fill(site: SnapshotSite, count: int) -> None:
    """One repository of so many packages of a few bytes, put where the pool has them once it is settled."""
    pool = site.workspace.pool
    for number in range(256):
        (pool.objects / f"{number:02x}").mkdir(exist_ok=True)
    files, index = [], []
    for number in range(count):
        data = b"package %d\n" % number
        sha256 = hashlib.sha256(data).hexdigest()
        with open(f"{pool.objects}/{sha256[:2]}/{sha256}", "wb", buffering=0) as stream:
            stream.write(data)
        path = f"pool/main/p/package-{number}/package-{number}_1.0-1_amd64.deb"
        files.append(StoredFile(path, len(data), sha256))
        index.append(f"Filename: {path}\nSHA256: {sha256}\n")
    for path in ("dists/stable/Release", "dists/stable/main/binary-amd64/Packages"):
        data = (path + "\n\n" + "\n".join(index)).encode()
        files.append(StoredFile(path, len(data), pool.add_bytes(data)))
    pool.settle()
    site.publish_files("tools/many", files)


def measured(server: ContentServer, *words: str | Path) -> int:
    """The peak of a command's memory, in MiB."""
    argv = [sys.executable, "-c", MEASURED, *map(str, words)]
    done = subprocess.run(
        argv, env=server.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return int(done.stderr.rpartition("peak ")[2])


@pytest.fixture
def place() -> Iterator[Path]:
    with in_memory() as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format_", "count"), [("tar", MANY), ("iso", FEWER), ("tgz", FEWER), ("dir", FEWER)]
)
def test_thousands_of_packages_take_little_memory(place: Path, format_: str, count: int) -> None:
    sender, receiver = ContentServer(place / "sender"), ContentServer(place / "receiver")
    with snapshot_site(sender.root) as site:
        fill(site, count)
        public = server_key(site.workspace.settings.key_file).public
    trusted = receiver.root / "identity" / "trusted"
    trusted.mkdir(parents=True)
    (trusted / f"{public.id}.pem").write_bytes(public.pem)
    exported = measured(sender, "export", "complete", "library", "--format", format_)
    [manifest] = sender.exports.rglob("manifest.json")
    imported = measured(receiver, "import", "run", manifest.parent)
    tree = receiver.tree("tools/many")
    assert sum(1 for path in tree.rglob("*.deb")) == count
    print(format_, exported, imported)
    assert max(exported, imported) < MOST
