# SPDX-License-Identifier: GPL-3.0-or-later
"""Small file systems, read-only ones and unchangeable files, for tests that run as root."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.requirements import require


def _run(*argv: str | Path) -> bool:
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def small_disk(directory: Path, size: str) -> Iterator[Path]:
    """`directory`, made and with a file system of `size` of its own in memory."""
    directory.mkdir()
    mounted = _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory)
    require(mounted, "this needs to mount a tmpfs: root")
    try:
        yield directory
    finally:
        _run("umount", "--lazy", directory)


@contextlib.contextmanager
def read_only(path: Path) -> Iterator[None]:
    """A file or directory through a read-only mount of itself."""
    mounted = _run("mount", "--bind", path, path)
    require(mounted, "this needs a bind mount: root")
    try:
        assert _run("mount", "-o", "remount,bind,ro", path)
        yield
    finally:
        _run("umount", "--lazy", path)


@contextlib.contextmanager
def unchangeable(path: Path) -> Iterator[None]:
    """A file that even root cannot change (chattr +i)."""
    require(can_be_unchangeable(path), "this needs chattr +i: root, and a file system that has it")
    try:
        yield
    finally:
        _run("chattr", "-i", path)


def can_be_unchangeable(path: Path) -> bool:
    """Make it so; whether that worked."""
    return shutil.which("chattr") is not None and _run("chattr", "+i", path)


def fill(directory: Path) -> str:
    """Shell that leaves not a byte on the file system of `directory`."""
    return f"cat /dev/zero >{directory}/filler 2>/dev/null || true"
