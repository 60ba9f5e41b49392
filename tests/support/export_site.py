# SPDX-License-Identifier: GPL-3.0-or-later
"""A content server with something to export, made once and copied for each test; and ways to look at exports."""

import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.content.exports.outcome import ExportOutcome
from orchestrator.content.exports.records import all_records
from orchestrator.content.exports.request import ExportRequest
from orchestrator.content.exports.running import export
from orchestrator.content.exports.wish import Wish
from orchestrator.content.signing import server_key
from tests.support.snapshot_site import SnapshotSite, snapshot_site

# Of these sizes, the library needs three.
CHUNKS = {"tar": 185_000, "tgz": 185_000, "iso": 620_000, "dir": 0}
MADE = "2026-11-20T10:00:00.000Z"


def packages(path: str, count: int = 4, size: int = 50_000) -> dict[str, str | bytes]:
    """A repository of files that no compression makes smaller, the same each time."""
    chance = random.Random(path)
    return {f"pool/main/{path[-4:]}{number}.deb": chance.randbytes(size) for number in range(count)}


def fill(site: SnapshotSite) -> None:
    for path in ("tools/base", "tools/more"):
        contents = packages(path)
        site.publish(path, {"dists/stable/Release": "\n".join(contents), **contents}, made=MADE)
    server_key(site.workspace.settings.key_file)


@contextmanager
def copied_site(template: Path, root: Path, **settings: Any) -> Iterator[SnapshotSite]:
    """A site of its own like the one that was made in `template`."""
    if not root.exists():
        copy_tree(template, root)
    with snapshot_site(root, **settings) as site:
        yield site


def copy_tree(root: Path, to: Path) -> None:
    """With its hard links."""
    shutil.rmtree(to, ignore_errors=True)
    subprocess.run(["cp", "-a", root, to], check=True)


def request(format_: str = "tar", *, chunk_size: int = -1, **more: Any) -> ExportRequest:
    """Of the library, in chunks."""
    size = chunk_size if chunk_size >= 0 else CHUNKS[format_]
    return ExportRequest(**{"subject_kind": "library", "format": format_, "chunk_size": size, **more})


def do(site: SnapshotSite, asked: ExportRequest, **wish: Any) -> ExportOutcome:
    return export(site.workspace, asked, Wish(**wish))


def contents(place: str | Path) -> dict[str, bytes]:
    """Every file below `place`."""
    root = Path(place)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def complete_ones(exports: Path) -> list[Path]:
    """What somebody who looks for exports takes for one."""
    return [path.parent for path in exports.rglob("manifest.json") if ".partial" not in str(path)]


def states(site: SnapshotSite) -> list[str]:
    """Of all records, the newest first."""
    return [each.state for each in all_records(site.workspace)]
