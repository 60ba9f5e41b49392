# SPDX-License-Identifier: GPL-3.0-or-later
"""An export that dies at any of its steps towards the disk, and is then asked for again.

python -m tests.support.exporting sweep DIRECTORY FORMAT TIMES   die at so many points, evenly spread over all
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator.content.exports import placing
from orchestrator.content.exports.records import all_records
from orchestrator.host import files
from tests.support.export_site import complete_ones, contents, copy_tree, do, fill, request
from tests.support.killing import Points
from tests.support.snapshot_site import snapshot_site

# The last steps may be a few more or less.
_SPARE = 5


def sweep(directory: Path, format_: str, times: int) -> int:
    """The number of points; AssertionError where something looked complete that was not, or the end was another."""
    # What was written outlives the process without it; there are hundreds, on a disk that others use, too.
    for module, name in ((os, "fsync"), (placing, "sync_file_system")):
        setattr(module, name, _look_away)
    before, root = directory / "before", directory / "root"
    with snapshot_site(root) as site:
        fill(site)
    root.rename(before)
    expected, total = _undisturbed(before, root, format_)
    for turn in range(times):
        point = 1 + turn * total // times
        copy_tree(before, root)
        died = _in_child(point, lambda: _export(root, format_))
        where = f"{format_}, killed at point {point} of {total}"
        assert died or point > total - _SPARE, where
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


def _look_away(_: object) -> None:
    pass


def _undisturbed(before: Path, root: Path, format_: str) -> tuple[Mapping[str, bytes], int]:
    copy_tree(before, root)
    count = root.parent / "count"
    _in_child(0, lambda: _export(root, format_), count)
    [place] = complete_ones(root / "exports")
    return contents(place), int(count.read_text())


def _export(root: Path, format_: str) -> None:
    with snapshot_site(root) as site:
        do(site, request(format_))


def _in_child(point: int, work: Callable[[], object], count: Path | None = None) -> bool:
    """Whether it died at `point`."""
    child = os.fork()
    if child == 0:
        points = Points(point, "")
        points.make_deadly(files, placing, sync=_look_away)
        work()
        if count is not None:
            count.write_text(str(points.passed))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert died or status == 0, status
    return died


if __name__ == "__main__":
    print(sweep(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
