# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that came in segments, each on a medium of its own: put together in one file, in any order, over days.

    segments/<sha256>           the object, with holes
    segments/<sha256>.ranges    a line `<start> <length>` for what is in it, written when that is on the disk
    segments/<sha256>.doubtful  all of it came, and was not the object: each segment that comes now may be the cure

Whether the bytes are right shows when all of them are there: only the digest of the whole object is known.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from orchestrator.content.pool import Pool, hash_file, make_public_directory
from orchestrator.host.files import DurableLog, sync_file_system

_PIECE = 1 << 20
Range = tuple[int, int]  # start and length


class Assembly:
    """The segments in `directory`, which is made when the first comes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def _file(self, sha256: str) -> Path:
        return self.directory / sha256

    def _note(self, sha256: str) -> Path:
        return self.directory / f"{sha256}.ranges"

    def _doubt(self, sha256: str) -> Path:
        return self.directory / f"{sha256}.doubtful"

    def ranges(self, sha256: str) -> list[Range]:
        """What is there of an object."""
        try:
            lines = self._note(sha256).read_text().splitlines()
        except FileNotFoundError:
            return []
        if not self._file(sha256).exists():
            return []
        found = []
        for line in lines:
            words = line.split(" ")
            if len(words) == 2 and all(word.isdecimal() for word in words):
                found.append((int(words[0]), int(words[1])))
        return found

    def has(self, sha256: str, start: int, length: int) -> bool:
        return covers(self.ranges(sha256), start, length)

    def take(
        self, sha256: str, start: int, length: int, read: Callable[[int], bytes], tell: Callable[[int], None]
    ) -> bool:
        """Take a segment; False, and it is not there, when it ends before its `length`. Durable when it returns.
        Raises OSError, and what `read` raises."""
        make_public_directory(self.directory)
        descriptor = os.open(self._file(sha256), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            have = 0
            while have < length and (data := read(min(_PIECE, length - have))):
                self._write(descriptor, data, start + have, sha256)
                have += len(data)
                tell(len(data))
        finally:
            os.close(descriptor)
        if have != length:
            return False
        sync_file_system(self.directory)
        log = DurableLog(self._note(sha256))
        try:
            log.append(f"{start} {length}")
        finally:
            log.close()
        return True

    def _write(self, descriptor: int, data: bytes, offset: int, sha256: str) -> None:
        view = memoryview(data)
        try:
            while view:
                written = os.pwrite(descriptor, view, offset)
                view, offset = view[written:], offset + written
        except OSError as error:
            error.filename = error.filename or str(self._file(sha256))
            raise

    def is_complete(self, sha256: str, size: int) -> bool:
        came_once = self._doubt(sha256).exists() and self._file(sha256).exists()
        return came_once or covers(self.ranges(sha256), 0, size)

    def finish(self, sha256: str, size: int, pool: Pool) -> bool:
        """Put a complete object into the pool, where it is to be settled; False when its bytes are not those of the
        digest: no one knows which segment is wrong, and all of them are asked for again."""
        path = self._file(sha256)
        os.truncate(path, size)
        if hash_file(path) != (sha256, size):
            self._doubt(sha256).touch()
            self._note(sha256).unlink(missing_ok=True)
            return False
        pool.adopt(path, sha256, size)
        pool.settle()
        for left in (self._note(sha256), self._doubt(sha256), path):
            left.unlink(missing_ok=True)
        return True


def covers(ranges: Iterable[Range], start: int, length: int) -> bool:
    """Whether the ranges have all bytes from `start` on."""
    at, end = start, start + length
    for begin, size in sorted(ranges):
        if begin > at:
            break
        at = max(at, begin + size)
    return at >= end
