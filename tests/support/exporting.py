# SPDX-License-Identifier: GPL-3.0-or-later
"""An export that dies at any of its steps towards the disk, and is then asked for again.

python -m tests.support.exporting sweep DIRECTORY FORMAT TIMES   die at so many points, evenly spread over all
"""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator.content.exports import placing
from orchestrator.content.exports.outcome import ExportOutcome
from orchestrator.content.exports.records import all_records
from orchestrator.content.exports.request import ExportRequest
from orchestrator.content.exports.running import export
from orchestrator.content.exports.wish import Wish
from orchestrator.content.signing import server_key
from orchestrator.host import files
from tests.support.killing import Points
from tests.support.snapshot_site import SnapshotSite, snapshot_site

CHUNK = 150_000


def fill(site: SnapshotSite, count: int = 4, size: int = 50_000) -> None:
    """Two repositories with packages that no compression makes smaller."""
    chance = random.Random(7)
    for path in ("tools/base", "tools/extra"):
        packages = {f"pool/main/{path[-1]}{number}.deb": chance.randbytes(size) for number in range(count)}
        index = "".join(f"{name}\n" for name in packages)
        site.publish(path, {"dists/stable/Release": index, **packages}, made="2026-11-20T10:00:00.000Z")
    server_key(site.workspace.settings.key_file)


def request(format_: str, **more: object) -> ExportRequest:
    size = 0 if format_ == "dir" else CHUNK
    return ExportRequest(subject_kind="library", format=format_, chunk_size=size, **more)  # type: ignore[arg-type]


def contents(place: str | Path) -> dict[str, bytes]:
    """Every file below `place`."""
    root = Path(place)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def complete_ones(exports: Path) -> list[Path]:
    """What somebody who looks for exports takes for one."""
    return [path.parent for path in exports.rglob("manifest.json") if ".partial" not in str(path)]


def sweep(directory: Path, format_: str, times: int) -> int:
    """The number of points; AssertionError where something looked complete that was not, or the end was another."""
    # What was written outlives the process without it; there are hundreds, on a disk that others use, too.
    os.fsync = lambda _: None
    placing.sync_file_system = lambda _: None  # type: ignore[attr-defined]
    before, root = directory / "before", directory / "root"
    with snapshot_site(root) as site:
        fill(site)
    root.rename(before)
    expected, total = _undisturbed(before, root, format_)
    for turn in range(times):
        point = 1 + turn * total // times
        _copy(before, root)
        died = _in_child(point, lambda: _export(root, format_))
        where = f"{format_}, killed at point {point} of {total}"
        assert died or point > total, where
        for place in complete_ones(root / "exports"):
            assert contents(place).items() >= expected.items(), where
        _export(root, format_)
        with snapshot_site(root) as site:
            records = all_records(site.workspace)
        assert [record.state for record in records] == ["complete"], where
        assert contents(records[0].place) == expected, where
        assert complete_ones(root / "exports") == [Path(records[0].place)], where
        assert not list((root / "exports").rglob("*.partial")), where
    return total


def _undisturbed(before: Path, root: Path, format_: str) -> tuple[Mapping[str, bytes], int]:
    _copy(before, root)
    count = root.parent / "count"
    _in_child(0, lambda: _export(root, format_), count)
    [place] = complete_ones(root / "exports")
    return contents(place), int(count.read_text())


def _export(root: Path, format_: str) -> ExportOutcome:
    with snapshot_site(root) as site:
        return export(site.workspace, request(format_), Wish())


def _in_child(point: int, work: Callable[[], object], count: Path | None = None) -> bool:
    """Whether it died at `point`."""
    child = os.fork()
    if child == 0:
        points = Points(point, "")
        points.make_deadly(files, placing, sync=lambda path: None)
        work()
        if count is not None:
            count.write_text(str(points.passed))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert died or status == 0, status
    return died


def _copy(root: Path, to: Path) -> None:
    """With its hard links."""
    shutil.rmtree(to, ignore_errors=True)
    subprocess.run(["cp", "-a", root, to], check=True)


if __name__ == "__main__":
    print(sweep(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
