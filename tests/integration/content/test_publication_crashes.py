# SPDX-License-Identifier: GPL-3.0-or-later
"""A client never sees a broken tree, and the next run ends as an undisturbed one, whatever cuts a publication off."""

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.disks import small_disk
from tests.support.publishing import (
    NAME,
    bring_up_to,
    contents,
    read_as_client,
    state,
    store,
    version,
)
from tests.support.requirements import require

PROGRAM = [sys.executable, "-m", "tests.support.publishing"]
# What a publication asks of the kernel, as it is called on one machine or another.
CALLS = {
    "link": "?link,?linkat",
    "mkdir": "?mkdir,?mkdirat",
    "rename": "?rename,?renameat,?renameat2",
    "symlink": "?symlink,?symlinkat",
    "unlink": "?unlink,?unlinkat",
    "sync": "?fsync,?syncfs",
}


def test_killed_at_every_point_a_run_continues_to_the_same_end(tmp_path: Path) -> None:
    done = subprocess.run([*PROGRAM, "sweep", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 60, "the sweep would not reach what it is for"


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_killed_at_a_system_call_a_run_continues_to_the_same_end(tmp_path: Path, name: str) -> None:
    require(shutil.which("strace") is not None, "this needs strace")
    undisturbed, root = tmp_path / "undisturbed", tmp_path / "root"
    for number in range(1, 5):
        bring_up_to(undisturbed, number)
    for call in range(1, 40):
        shutil.rmtree(root, ignore_errors=True)
        for number in range(1, 4):
            bring_up_to(root, number)
        inject = f"inject={CALLS[name]}:signal=KILL:when={call}"
        done = subprocess.run(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e", inject, *PROGRAM, "publish", root, "4"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        if done.returncode == 1 and "ptrace" in done.stderr:
            require(condition=False, reason="this needs to trace processes")
        assert read_as_client(root / "published" / NAME) == [], call
        bring_up_to(root, 4)
        assert state(root) == state(undisturbed), f"{name} {call}"
        if done.returncode == 0:
            assert call > 1, "nothing was cut off"
            return
    pytest.fail("it never came to its end")


@contextlib.contextmanager
def client(root: Path) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen([*PROGRAM, "read", root], stdout=subprocess.PIPE, text=True) as reader:
        try:
            yield reader
        finally:
            reader.kill()


def test_a_client_that_reads_all_the_time_never_sees_a_broken_tree(tmp_path: Path) -> None:
    bring_up_to(tmp_path, 1)
    with client(tmp_path) as reader:
        assert reader.stdout is not None
        for number in range(2, 52):
            bring_up_to(tmp_path, number)
            # Packages linger for two more publications: no round of the client is to take longer.
            for _ in range(2):
                assert json.loads(reader.stdout.readline()) == []
    assert read_as_client(tmp_path / "published" / NAME) == []


def room(disk: Path) -> int:
    status = os.statvfs(disk)
    return status.f_bavail * status.f_frsize


def test_a_full_disk_leaves_the_old_generation_and_nothing_else(tmp_path: Path) -> None:
    page, failures = 4096, list[int | None]()
    with small_disk(tmp_path / "disk", "2m") as disk:
        root = disk / "root"
        for number in range(1, 4):
            bring_up_to(root, number)
        for pages in range(40):
            (disk / "filler").write_bytes(b"x" * (room(disk) - pages * page))
            try:
                bring_up_to(root, 4)
            except OSError as error:
                failures.append(error.errno)
            else:
                break
            assert contents(root / "published" / NAME)["dists/number"] == "3"
            assert read_as_client(root / "published" / NAME) == []
            (disk / "filler").unlink()
            with store(root).lock():
                left = {path.name for path in store(root).path.iterdir()}
            assert not {name for name in left if name.lstrip(".").startswith("4")}
        assert len(failures) > 3
        assert set(failures) == {errno.ENOSPC}
        (disk / "filler").unlink(missing_ok=True)
        bring_up_to(root, 4)
        assert version(4).items() <= contents(root / "published" / NAME).items()


def test_a_file_system_without_inodes_left_leaves_the_old_generation(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m,nr_inodes=100") as disk:
        root = disk / "root"
        bring_up_to(root, 1)
        failures = list[int | None]()
        for number in range(100):
            try:
                (disk / f"filler{number}").touch()
            except OSError:
                break
        for number in range(60):
            try:
                bring_up_to(root, 2)
            except OSError as error:
                failures.append(error.errno)
                assert read_as_client(root / "published" / NAME) == []
                assert contents(root / "published" / NAME)["dists/number"] == "1"
                (disk / f"filler{number}").unlink()
            else:
                break
        assert len(failures) > 10
        assert set(failures) == {errno.ENOSPC}
        assert version(2).items() <= contents(root / "published" / NAME).items()
