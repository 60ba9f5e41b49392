# SPDX-License-Identifier: GPL-3.0-or-later
"""A published tree, and what of it is in the pool, against its inventory."""

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

from orchestrator.content.model import StoredFile
from orchestrator.content.pool import Pool, hash_file

# Files for one task of a thread: tasks cost more than small files do.
_TASK = 64


class Fault(StrEnum):
    MISSING = "is missing"
    KIND = "is not a regular file"
    SIZE = "has the wrong size"
    DIGEST = "does not have the digest it was published with"
    UNREADABLE = "cannot be read"
    POOL = "is damaged in the pool"
    FOREIGN = "was not published with the tree"


@dataclass(frozen=True, slots=True)
class Damage:
    """One file that is not what it was published as; `expected` is None for a foreign one."""

    path: str
    fault: Fault
    expected: StoredFile | None = None
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.path} {self.fault}" + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True, slots=True)
class CheckReport:
    """`files` were looked at, `bytes` hashed. `bad_in_pool` are files of the pool (SHA-256) with wrong bytes;
    `tree_only` are good files of the tree that the pool does not have (any more, or not in good order)."""

    files: int
    bytes: int
    damaged: tuple[Damage, ...]
    bad_in_pool: tuple[str, ...] = ()
    tree_only: tuple[StoredFile, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.damaged


# A file of the tree that is as large as it must be, with its status.
_Good = tuple[StoredFile, os.stat_result]


def check(
    tree: Path,
    files: Sequence[StoredFile],
    pool: Pool,
    *,
    full: bool,
    threads: int,
    tell: Callable[[int], None] = lambda _: None,
) -> CheckReport:
    """Sizes, or (`full`) the digest of every byte, of the tree and of the pool, and what is foreign in the tree.

    `tell` is called in this thread with the bytes hashed since it was called last; what it raises ends the
    check. No file is read twice, however many names it has.
    """
    return (
        _check_bytes(tree, files, pool, _Hashes(threads, tell)) if full else _check_sizes(tree, files, pool)
    )


def _check_sizes(tree: Path, files: Sequence[StoredFile], pool: Pool) -> CheckReport:
    damaged: list[Damage] = []
    # A file of the tree with more than one link is the pool's; the rest is few.
    alone = [file for file, status in _look(tree, files, damaged) if status.st_nlink == 1]
    expected = {damage.expected for damage in damaged if damage.expected}
    bad = {file.sha256 for file in expected if _size(pool, file.sha256) != file.size}
    tree_only = [file for file in alone if _size(pool, file.sha256) is None]
    return CheckReport(len(files), 0, tuple(damaged), tuple(sorted(bad)), tuple(tree_only))


def _check_bytes(tree: Path, files: Sequence[StoredFile], pool: Pool, hashes: "_Hashes") -> CheckReport:
    damaged: list[Damage] = []
    sized = list(_look(tree, files, damaged))
    hashes.read((f"{tree}/{file.path}", status) for file, status in sized)
    good: dict[str, StoredFile] = {}
    for file, status in sized:
        problem = hashes.problem(status, file.sha256)
        if problem is None:
            good[file.sha256] = file
        else:
            damaged.append(Damage(file.path, problem[0], file, problem[1]))
    there = {sha256: _status(pool, sha256) for sha256 in {file.sha256 for file in files}}
    hashes.read((str(pool.object(sha256)), status) for sha256, status in there.items() if status)
    absent = {sha256 for sha256, status in there.items() if status is None}
    bad = {sha256 for sha256, status in there.items() if status and hashes.problem(status, sha256)}
    tree_only = [file for sha256, file in good.items() if sha256 in absent or sha256 in bad]
    told = {damage.expected.sha256 for damage in damaged if damage.expected}
    damaged += [Damage(good[sha256].path, Fault.POOL, good[sha256]) for sha256 in (bad & good.keys()) - told]
    # What is merely absent from the pool, and good in the tree, is no damage.
    bad |= absent - good.keys()
    damaged += _foreign(tree, files)
    return CheckReport(len(files), hashes.bytes, tuple(damaged), tuple(sorted(bad)), tuple(tree_only))


def _look(tree: Path, files: Iterable[StoredFile], damaged: list[Damage]) -> Iterator[_Good]:
    """What the file system says without reading a file; the rest goes to `damaged`."""
    base, look = str(tree), os.lstat
    for file in files:
        try:
            status = look(f"{base}/{file.path}")
        except (FileNotFoundError, NotADirectoryError):
            damaged.append(Damage(file.path, Fault.MISSING, file))
            continue
        except OSError as error:
            damaged.append(Damage(file.path, Fault.UNREADABLE, file, error.strerror or str(error)))
            continue
        if not stat.S_ISREG(status.st_mode):
            damaged.append(Damage(file.path, Fault.KIND, file))
        elif status.st_size != file.size:
            detail = f"{status.st_size} bytes instead of {file.size}"
            damaged.append(Damage(file.path, Fault.SIZE, file, detail))
        else:
            yield file, status


def _size(pool: Pool, sha256: str) -> int | None:
    status = _status(pool, sha256)
    return status.st_size if status else None


def _status(pool: Pool, sha256: str) -> os.stat_result | None:
    try:
        return os.stat(pool.object(sha256))
    except FileNotFoundError:
        return None


def _foreign(tree: Path, files: Iterable[StoredFile]) -> list[Damage]:
    known = {file.path for file in files}
    found: list[Damage] = []
    directories = [""]
    for directory in directories:
        with contextlib.suppress(FileNotFoundError), os.scandir(tree / directory) as entries:
            for entry in entries:
                path = f"{directory}/{entry.name}" if directory else entry.name
                if entry.is_dir(follow_symlinks=False):
                    directories.append(path)
                elif path not in known:
                    found.append(Damage(path, Fault.FOREIGN))
    return found


class _Hashes:
    """Digests by inode, made by several threads."""

    def __init__(self, threads: int, tell: Callable[[int], None]) -> None:
        self.bytes = 0
        self._threads, self._tell = max(1, threads), tell
        self._found: dict[tuple[int, int], str | OSError] = {}

    def read(self, files: Iterable[tuple[str, os.stat_result]]) -> None:
        """Hash each file that was not hashed yet."""
        from concurrent.futures import ThreadPoolExecutor

        paths = {
            (status.st_dev, status.st_ino): path
            for path, status in files
            if (status.st_dev, status.st_ino) not in self._found
        }
        tasks, rest = [], iter(paths.items())
        while task := list(islice(rest, _TASK)):
            tasks.append(task)
        executor = ThreadPoolExecutor(self._threads)
        try:
            for found, size in executor.map(_hash_task, tasks):
                self._found |= found
                self.bytes += size
                self._tell(size)
        finally:
            executor.shutdown(cancel_futures=True)

    def problem(self, status: os.stat_result, sha256: str) -> tuple[Fault, str] | None:
        """What is wrong with the file, if it is not the one with this digest."""
        found = self._found[status.st_dev, status.st_ino]
        if isinstance(found, OSError):
            return Fault.UNREADABLE, found.strerror or str(found)
        return None if found == sha256 else (Fault.DIGEST, f"SHA-256 {found}")


def _hash_task(
    task: Sequence[tuple[tuple[int, int], str]],
) -> tuple[dict[tuple[int, int], str | OSError], int]:
    found: dict[tuple[int, int], str | OSError] = {}
    total = 0
    for inode, path in task:
        try:
            found[inode], size = hash_file(path)
            total += size
        except OSError as error:
            found[inode] = error
    return found, total
