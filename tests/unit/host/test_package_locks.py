# SPDX-License-Identifier: GPL-3.0-or-later
"""Who installs packages, told by real locks of real processes; and waiting for them."""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.errors import Busy
from orchestrator.host import package_locks
from orchestrator.host.package_locks import holders, strangers, wait_until_free
from tests.support.requirements import require

HOLD = (
    "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, {}); print(flush=True); sys.stdin.read()"
)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "lock"
    path.touch()
    return path


@contextmanager
def held(path: Path, kind: str = "fcntl.LOCK_EX") -> Iterator[subprocess.Popen[bytes]]:
    """Another process has the lock until its input ends."""
    argv = [sys.executable, "-c", HOLD.format(kind), str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


def test_whoever_holds_a_lock_is_named(lock: Path, tmp_path: Path) -> None:
    assert holders([lock, tmp_path / "missing"]) == ()
    with held(lock) as process:
        (holder,) = holders([tmp_path / "missing", lock])
        assert (holder.pid, holder.lock) == (process.pid, lock)
        assert f"(pid {process.pid}) holds {lock}" in str(holder)
        assert strangers([lock]) == (holder,)
    assert holders([lock]) == ()


def test_a_reader_is_in_nobodys_way(lock: Path) -> None:
    with held(lock, "fcntl.LOCK_SH"):
        assert holders([lock]) == ()


def test_looking_takes_nothing_away(lock: Path) -> None:
    with held(lock) as process:
        holders([lock])
        assert holders([lock])[0].pid == process.pid
    before = lock.stat()
    holders([lock])
    assert lock.stat() == before


def test_inside_a_transaction_its_holder_is_no_stranger(lock: Path) -> None:
    look = f"""
import pathlib
from orchestrator.host.package_locks import holders, strangers
lock = pathlib.Path({str(lock)!r})
print(len(holders([lock])), len(strangers([lock])))
"""
    with lock.open("r+") as stream:
        fcntl.lockf(stream, fcntl.LOCK_EX)
        seen = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert seen.stdout.split() == ["1", "0"]


def test_a_wait_ends_with_the_transaction(lock: Path) -> None:
    told: list[str] = []
    with held(lock) as process:
        assert process.stdin is not None

        def end_it(text: str) -> None:
            told.append(text)
            assert process.stdin is not None
            process.stdin.close()

        wait_until_free(20, end_it, [lock])
    assert told == [told[0]]
    assert told[0].endswith(f"(pid {process.pid}), which holds {lock},")


def test_a_wait_with_nobody_to_wait_for_says_nothing(lock: Path) -> None:
    wait_until_free(0, pytest.fail, [lock])


def test_a_wait_ends_at_its_limit_and_names_the_holder(lock: Path) -> None:
    began = time.monotonic()
    with held(lock) as process, pytest.raises(Busy) as caught:
        wait_until_free(0.3, locks=[lock])
    assert 0.2 < time.monotonic() - began < 5
    assert f"(pid {process.pid}) holds {lock}" in caught.value.message
    assert "--wait-packages" in caught.value.hint


def test_what_this_user_may_not_open_counts_as_free(lock: Path) -> None:
    require(os.geteuid() == 0, "another user to become")
    lock.chmod(0o600)
    with held(lock):
        pid = os.fork()
        if pid == 0:
            os.setuid(65534)
            os._exit(len(holders([lock])))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_the_locks_are_those_of_dpkg_and_rpm() -> None:
    names = [str(path) for path in package_locks.LOCKS]
    assert [name for name in names if "dpkg" in name] == ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"]
    assert all(name.endswith("/rpm/.rpm.lock") for name in names[2:])
