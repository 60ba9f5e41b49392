# SPDX-License-Identifier: GPL-3.0-or-later
"""The run lock: who may have it, and what is said of who has it."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import Busy, NotPermitted, StateUnwritable
from orchestrator.host import files
from orchestrator.upgrade import lock
from tests.support.nobody import as_nobody, public_directory


@pytest.mark.parametrize(
    ("holder", "told"),
    [
        ({}, "another process"),
        (
            {"pid": 812, "run": "0003-x", "user": "root", "since": "10:02:11", "step": "upgrade/0120_x.sh"},
            "run 0003-x (pid 812, root, since 10:02:11, at upgrade/0120_x.sh)",
        ),
        ({"pid": 812, "user": "root", "since": "10:02:11", "purpose": "history"}, "orchestrator history (pid 812, root, since 10:02:11)"),
        ({"pid": 5}, "orchestrator (pid 5, ?, since None)"),
    ],
)  # fmt: skip
def test_the_holder_is_described(holder: dict[str, Any], told: str) -> None:
    assert lock.describe_holder(holder) == told


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "\0\0"])
def test_a_lock_file_that_says_nothing_is_held_by_another_process(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock").write_text(text)
    assert lock.describe_holder(lock.read_holder(tmp_path)) == "another process"


def test_who_has_it_is_named_to_who_comes_second(tmp_path: Path) -> None:
    with lock.acquire(tmp_path, purpose="upgrade"):
        assert lock.is_held(tmp_path)
        with pytest.raises(
            Busy, match=rf"orchestrator upgrade \(pid {os.getpid()}, .* holds the lock {tmp_path}/lock"
        ):
            lock.acquire(tmp_path, purpose="upgrade")
    assert not lock.is_held(tmp_path)


def test_one_look_at_it_does_not_count_as_holding_it(tmp_path: Path) -> None:
    lock.acquire(tmp_path, purpose="upgrade").release()
    descriptor = os.open(tmp_path / "lock", os.O_RDONLY)
    for _ in range(50):
        assert not files.lock_is_held(tmp_path / "lock")
    os.close(descriptor)
    with lock.acquire(tmp_path, purpose="upgrade"):
        pass


def test_it_waits_as_long_as_it_is_told_to(tmp_path: Path) -> None:
    with lock.acquire(tmp_path, purpose="upgrade"):
        began = time.monotonic()
        with pytest.raises(Busy):
            lock.acquire(tmp_path, purpose="upgrade", wait=0.5)
        assert 0.5 <= time.monotonic() - began < 2


def test_a_state_directory_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises((NotPermitted, StateUnwritable), match="lock: Is a directory"):
        lock.acquire(tmp_path, purpose="upgrade")
    with (
        public_directory() as directory,
        as_nobody(),
        pytest.raises(NotPermitted, match="lock: Permission denied"),
    ):
        lock.acquire(directory, purpose="upgrade")
