# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an export has room: the quota of all exports, and the file system it goes to. Decided before the first byte."""

import os
from collections.abc import Iterable
from pathlib import Path

from orchestrator.config.quantities import show_size
from orchestrator.content.engine import free_space
from orchestrator.errors import Refused

# For directories, the notes of what is done, and what a file system itself needs for that.
_BESIDE = 1 << 20
_BLOCK = 4096


def needed(sizes: Iterable[int]) -> int:
    """Bytes on the disk of files of these sizes: each takes whole blocks."""
    return _BESIDE + sum(-(-size // _BLOCK) * _BLOCK for size in sizes)


def existing(path: Path) -> Path:
    """`path`, or the nearest directory above it that is there."""
    while not path.exists():
        path = path.parent
    return path


def on_one_file_system(one: Path, other: Path) -> bool:
    return os.stat(existing(one)).st_dev == os.stat(existing(other)).st_dev


def free_below(path: Path) -> int:
    return free_space(existing(path))


def refuse_lack_of_space(need: int, place: Path) -> None:
    """Raises Refused when `need` bytes do not fit where `place` is, or will be."""
    free = free_below(place)
    if need > free:
        raise Refused(
            f"the export takes {show_size(need)} ({need} bytes), and {show_size(free)} ({free}) are free"
            f" below {existing(place)}",
            hint="make room there (`orchestrator export prune`, df), or name another place: --to DIR",
        )


def refuse_beyond_quota(size: int, taken: int, quota: int) -> None:
    """Raises Refused when `size` more bytes would make exports take more than `quota` (0: there is none)."""
    if quota and taken + size > quota:
        raise Refused(
            f"the export has {show_size(size)}, the others take {show_size(taken)}, and all may take"
            f" {show_size(quota)}",
            hint="`orchestrator export list` and `delete`, or raise content.export_rules.quota",
        )
