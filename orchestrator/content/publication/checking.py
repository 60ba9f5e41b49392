# SPDX-License-Identifier: GPL-3.0-or-later
"""A published tree, and what of it is in the pool, against its inventory."""

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
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

    @property
    def to_fetch(self) -> tuple[StoredFile, ...]:
        """Files whose bytes are nowhere in good order; each content once."""
        nowhere = {
            damage.expected.sha256: damage.expected
            for damage in self.damaged
            if damage.expected is not None and damage.expected.sha256 in self.bad_in_pool
        }
        for file in self.tree_only:
            nowhere.pop(file.sha256, None)
        return tuple(nowhere.values())


@dataclass(slots=True)
class _Findings:
    damaged: list[Damage] = field(default_factory=list)
    good: dict[str, tuple[StoredFile, os.stat_result]] = field(default_factory=dict)

    def add(self, file: StoredFile, fault: Fault, detail: str = "") -> None:
        self.damaged.append(Damage(file.path, fault, file, detail))


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
    findings = _look(tree, files)
    if not full:
        return _report(files, findings, *_pool_by_size(findings, pool))
    findings.damaged += _foreign(tree, files)
    hashes = _Hashes(threads, tell)
    hashes.read((f"{tree}/{file.path}", status) for file, status in findings.good.values())
    for file, status in list(findings.good.values()):
        problem = hashes.problem(status, file.sha256)
        if problem:
            findings.add(file, Fault.UNREADABLE if hashes.is_error(status) else Fault.DIGEST, problem)
            del findings.good[file.path]
    return _report(files, findings, *_pool_by_digest(files, findings, pool, hashes), hashes.bytes)


def _report(
    files: Sequence[StoredFile],
    findings: _Findings,
    bad: set[str],
    tree_only: list[StoredFile],
    hashed: int = 0,
) -> CheckReport:
    hidden = bad - {damage.expected.sha256 for damage in findings.damaged if damage.expected}
    for file, _ in findings.good.values():
        if file.sha256 in hidden:
            findings.add(file, Fault.POOL)
            hidden.discard(file.sha256)
    return CheckReport(len(files), hashed, tuple(findings.damaged), tuple(sorted(bad)), tuple(tree_only))


def _look(tree: Path, files: Iterable[StoredFile]) -> _Findings:
    """What the file system says without reading a file."""
    findings, base, look = _Findings(), str(tree), os.lstat
    good = findings.good
    for file in files:
        try:
            status = look(f"{base}/{file.path}")
        except OSError as error:
            gone = isinstance(error, FileNotFoundError | NotADirectoryError)
            findings.add(file, Fault.MISSING if gone else Fault.UNREADABLE, "" if gone else str(error))
            continue
        if status.st_size == file.size and stat.S_ISREG(status.st_mode):
            good[file.path] = (file, status)
        elif stat.S_ISREG(status.st_mode):
            findings.add(file, Fault.SIZE, f"{status.st_size} bytes instead of {file.size}")
        else:
            findings.add(file, Fault.KIND)
    return findings


def _pool_by_size(findings: _Findings, pool: Pool) -> tuple[set[str], list[StoredFile]]:
    """What of the pool is bad, and what only the tree has. A file of the tree with more than one link is the
    pool's; the rest is few."""
    bad: set[str] = set()
    for damage in findings.damaged:
        if damage.expected and _size(pool, damage.expected.sha256) != damage.expected.size:
            bad.add(damage.expected.sha256)
    alone = [file for file, status in findings.good.values() if status.st_nlink == 1]
    return bad, [file for file in alone if _size(pool, file.sha256) is None]


def _size(pool: Pool, sha256: str) -> int | None:
    status = _status(pool, sha256)
    return status.st_size if status else None


def _status(pool: Pool, sha256: str) -> os.stat_result | None:
    try:
        return os.stat(pool.object(sha256))
    except FileNotFoundError:
        return None


def _pool_by_digest(
    files: Sequence[StoredFile], findings: _Findings, pool: Pool, hashes: "_Hashes"
) -> tuple[set[str], list[StoredFile]]:
    there = {sha256: _status(pool, sha256) for sha256 in {file.sha256 for file in files}}
    hashes.read((str(pool.object(sha256)), status) for sha256, status in there.items() if status)
    bad = {sha256 for sha256, status in there.items() if not status or hashes.problem(status, sha256)}
    in_tree = {file.sha256: file for file, _ in findings.good.values()}
    absent = {sha256 for sha256, status in there.items() if not status}
    tree_only = [file for sha256, file in in_tree.items() if sha256 in bad]
    # What is merely absent from the pool, and good in the tree, is no damage.
    return bad - (absent & in_tree.keys()), tree_only


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

    def problem(self, status: os.stat_result, sha256: str) -> str:
        """Why the file is not the one with this digest; empty when it is."""
        found = self._found[status.st_dev, status.st_ino]
        if isinstance(found, OSError):
            return found.strerror or str(found)
        return "" if found == sha256 else f"SHA-256 {found}"

    def is_error(self, status: os.stat_result) -> bool:
        return isinstance(self._found[status.st_dev, status.st_ino], OSError)


def _hash_task(
    task: Sequence[tuple[tuple[int, int], str]],
) -> tuple[dict[tuple[int, int], str | OSError], int]:
    found: dict[tuple[int, int], str | OSError] = {}
    total = 0
    for inode, path in task:
        try:
            found[inode], size = hash_file(Path(path))
            total += size
        except OSError as error:
            found[inode] = error
    return found, total
