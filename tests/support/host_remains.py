# SPDX-License-Identifier: GPL-3.0-or-later
"""What a throw-away host leaves on the machine that made it, and how all of it goes away.

A host is a directory below `PARENT` (a tmpfs with the overlay on it), its cgroups, and processes. The
directory says who made it. `remove` takes a host away in whatever state it is; `remove_stale` those
whose maker is dead; `start_guard` a process that removes one when its maker dies, however it dies.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from orchestrator.host.facts import ProcessId, identify, is_running

PARENT = Path(tempfile.gettempdir()) / "orchestrator-test-hosts"
_CHECKOUT = Path(__file__).resolve().parents[2]


def claim(directory: Path, pid: int) -> None:
    """Say that the process `pid` made the host in `directory`."""
    owner = identify(pid)
    assert owner is not None
    directory.with_suffix(".owner").write_text(json.dumps(owner.to_json()))


def remove_stale() -> None:
    """Remove the hosts of makers that no longer live (killed test runs, an earlier boot)."""
    for record in PARENT.glob("*.owner"):
        try:
            owner = ProcessId.from_json(json.loads(record.read_text()))
        except (OSError, ValueError, KeyError):
            continue
        if not is_running(owner):
            remove(record.with_suffix(""))


def remove(directory: Path) -> None:
    """Take away the host in `directory`: processes, cgroups, mounts, files. Harmless when it is gone."""
    kill_processes(directory.name)
    for mount in _mounts_below(directory):
        subprocess.run(["umount", "--lazy", mount], check=False, stderr=subprocess.DEVNULL)
    shutil.rmtree(directory, ignore_errors=True)
    with contextlib.suppress(OSError):
        Path("/run/systemd/nspawn/propagate", directory.name).rmdir()
    directory.with_suffix(".owner").unlink(missing_ok=True)


def _mounts_below(directory: Path) -> list[str]:
    """Mount points at and below `directory`, the last mounted first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4] for line in lines]
    return [point for point in reversed(points) if Path(point).is_relative_to(directory)]


# Cgroups ------------------------------------------------------------------------------------------


def cgroup_roots() -> list[Path]:
    """Where systemd keeps its groups: the unified hierarchy, or `name=systemd` and the hybrid one."""
    roots = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split()[:3]
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(",")):
            roots.append(Path(left.split()[4]))
    return roots


def kill_processes(name: str) -> None:
    """Kill everything in the host's cgroups at once, PID 1 first, and remove the groups."""
    groups = [root / name for root in cgroup_roots() if (root / name).is_dir()]
    deadline = time.monotonic() + 10
    while any(_kill_members(group) for group in groups) and time.monotonic() < deadline:
        time.sleep(0.005)
    for group in groups:
        for below, _, _ in os.walk(group, topdown=False):
            _remove_group(Path(below), deadline)


def _kill_members(group: Path) -> bool:
    """Whether there was anybody."""
    members = [int(pid) for file in group.rglob("cgroup.procs") for pid in _read(file).split()]
    for pid in sorted(members, key=lambda pid: not is_leader(pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(members)


def _remove_group(group: Path, deadline: float) -> None:
    """A group is busy for a moment after its last process died."""
    while group.is_dir():
        with contextlib.suppress(OSError):
            group.rmdir()
            return
        if time.monotonic() > deadline:
            return
        time.sleep(0.005)


def is_leader(pid: int) -> bool:
    """Whether `pid` is PID 1 of a PID namespace below ours."""
    for line in _read(Path(f"/proc/{pid}/status")).splitlines():
        if line.startswith("NSpid:"):
            numbers = line.split()[1:]
            return len(numbers) > 1 and numbers[-1] == "1"
    return False


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text()
    return ""


# The guard ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def guard(directory: Path) -> Iterator[None]:
    """While this is open, the death of this process removes the host, even by SIGKILL.

    The guard waits for the end of a pipe that only its maker holds open.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.host_remains", str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=_CHECKOUT,
        start_new_session=True,
    )
    try:
        yield
    finally:
        process.terminate()
        process.communicate()


def main() -> None:
    sys.stdin.buffer.read()
    remove(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
