# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory as a medium: a mounted image, an unpacked archive, an export of the form `dir`.

Only what a medium has is looked at; a stick has other things, too. Links are never followed: a file that is one, or
that is no file, is refused.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestrator.content.exports.manifest import MANIFEST, README, SIGNATURE, SUMS
from orchestrator.content.exports.media import Member
from orchestrator.content.model import safe_path
from orchestrator.errors import BadContent

_FILES = (MANIFEST, SIGNATURE, README, SUMS)
# In the order in which they are read.
_DIRECTORIES = ("inventories", "chunks", "objects", "content")


class TreeReader:
    """A `MediumReader` of the directory `path`: files by name, those before the objects first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open_file: _File | None = None

    @property
    def name(self) -> str:
        return str(self.path)

    def members(self, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[Member]:
        try:
            for path, status in self._files():
                if wanted(path):
                    self.close()
                    self._open_file = _File(f"{self.path}/{path}", status.st_size)
                    yield Member(path, status.st_size, self._open_file.read)
        finally:
            self.close()

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        for name in _FILES:
            with contextlib.suppress(FileNotFoundError):
                status = os.lstat(self.path / name)
                self._check_file(name, status)
                yield name, status
        for name in _DIRECTORIES:
            with contextlib.suppress(FileNotFoundError):
                if not stat.S_ISDIR(os.lstat(self.path / name).st_mode):
                    raise BadContent(f"{self.path}/{name} is no directory")
                yield from self._below(name)

    def _below(self, top: str) -> Iterator[tuple[str, os.stat_result]]:
        left = [top]
        while left:
            directory = left.pop()
            with os.scandir(self.path / directory) as found:
                entries = sorted(found, key=lambda entry: entry.name)
            below = []
            for entry in entries:
                path = f"{directory}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    below.append(path)
                else:
                    status = entry.stat(follow_symlinks=False)
                    self._check_file(path, status)
                    yield path, status
            left += reversed(below)

    def _check_file(self, path: str, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            kind = "a link" if stat.S_ISLNK(status.st_mode) else "not a file"
            raise BadContent(f"{self.path}/{path} is {kind}: no medium has that")
        try:
            safe_path(path)
        except ValueError as error:
            raise BadContent(f"{self.path}: a file has no name that a medium has: {error}") from None

    def close(self) -> None:
        if self._open_file is not None:
            self._open_file.close()
            self._open_file = None


class _File:
    """A file, opened when its first bytes are read."""

    def __init__(self, path: str, size: int) -> None:
        self._path, self._left = path, size
        self._descriptor = -1

    def read(self, most: int) -> bytes:
        if self._left <= 0 or most <= 0:
            return b""
        try:
            if self._descriptor < 0:
                self._descriptor = os.open(
                    self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
                )
            data = os.read(self._descriptor, min(most, self._left))
        except OSError as error:
            error.filename = error.filename or self._path
            raise
        if not data:
            raise BadContent(f"{self._path} is cut off: {self._left} bytes of it are missing")
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._left = 0
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
