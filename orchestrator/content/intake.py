# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that stream into the pool: read and hashed by one thread, written by another, believed by their digest alone.

Nothing is waited for per object: the pool settles what has come in batches. What is cut off leaves at most one
object half-written, below a name that the next garbage collection removes.
"""

import contextlib
import hashlib
import os
import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

from orchestrator.content.pool import Pool
from orchestrator.host.files import write_all

# What is in memory at most: so many jobs of about so many bytes.
_JOBS, _BATCH = 16, 1 << 20


class _Whole(NamedTuple):
    """Verified objects."""

    objects: list[tuple[str, bytes]]


class _Part(NamedTuple):
    """Bytes of an object that is too large for one job; all of its parts follow each other."""

    sha256: str
    data: bytes


class _End(NamedTuple):
    """`size` bytes were all of it; or it is not to be kept."""

    sha256: str
    size: int
    good: bool


_Job = _Whole | _Part | _End | None


class Intake:
    """Into `pool`, to be used as a context manager: at its end all that was taken is on the disk, also when an
    exception ends it. `tell` is called with bytes read."""

    def __init__(self, pool: Pool, tell: Callable[[int], None] = lambda _: None) -> None:
        self._pool, self._tell = pool, tell
        self._jobs: queue.Queue[_Job] = queue.Queue(_JOBS)
        self._batch: list[tuple[str, bytes]] = []
        self._batched = 0
        self._failure: Exception | None = None
        self._writer = threading.Thread(target=self._write_all, daemon=True)

    def take(self, sha256: str, size: int, read: Callable[[int], bytes]) -> bool:
        """Take an object; False, and nothing is kept of it, when its bytes are not `size` or not those of the
        digest. Raises OSError of what was written before, and what `read` raises."""
        if self._failure is not None:
            raise self._failure
        if size > _BATCH:
            return self._take_large(sha256, size, read)
        data = read_whole(read, size)
        self._tell(len(data))
        if len(data) != size or hashlib.sha256(data, usedforsecurity=False).hexdigest() != sha256:
            return False
        self._batch.append((sha256, data))
        self._batched += size
        if self._batched >= _BATCH:
            self._hand_over()
        return True

    def _hand_over(self) -> None:
        if self._batch:
            self._jobs.put(_Whole(self._batch))
            self._batch, self._batched = [], 0

    def _take_large(self, sha256: str, size: int, read: Callable[[int], bytes]) -> bool:
        digest, read_so_far, good = hashlib.sha256(usedforsecurity=False), 0, False
        try:
            while read_so_far < size and (data := read(min(_BATCH, size - read_so_far))):
                digest.update(data)
                read_so_far += len(data)
                self._jobs.put(_Part(sha256, data))
                self._tell(len(data))
            good = read_so_far == size and digest.hexdigest() == sha256
        finally:
            self._jobs.put(_End(sha256, read_so_far, good))
        return good

    def _write_all(self) -> None:
        """The writer: until the job None. After a failure, which the reader tells, it only empties the queue."""
        half: _Half | None = None
        while (job := self._jobs.get()) is not None:
            try:
                if self._failure is not None:
                    continue
                if isinstance(job, _Whole):
                    for sha256, data in job.objects:
                        self._write(sha256, data)
                elif isinstance(job, _Part):
                    half = half or _Half(str(self._pool.temporary(job.sha256)))
                    half.write(job.data)
                elif half is not None:
                    self._end(half, job)
                    half = None
            except Exception as error:  # noqa: BLE001 - an error of whatever kind is raised where it is waited for
                self._failure = error
                if half is not None:
                    half.drop()
                    half = None
        if half is not None:
            half.drop()

    def _write(self, sha256: str, data: bytes) -> None:
        half = _Half(str(self._pool.temporary(sha256)))
        try:
            half.write(data)
        except OSError:
            half.drop()
            raise
        half.close()
        self._pool.adopt(half.path, sha256, len(data))

    def _end(self, half: "_Half", job: _End) -> None:
        if not job.good:
            half.drop()
            return
        half.close()
        self._pool.adopt(half.path, job.sha256, job.size)

    def __enter__(self) -> Self:
        self._writer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hand_over()
        self._jobs.put(None)
        self._writer.join()
        if kind is not None or self._failure is not None:
            with contextlib.suppress(OSError):
                self._pool.settle()
            if kind is None and self._failure is not None:
                raise self._failure
            return
        self._pool.settle()


class _Half:
    """A file that is being written."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)

    def write(self, data: bytes) -> None:
        try:
            write_all(self._descriptor, data)
        except OSError as error:
            error.filename = error.filename or self.path
            raise

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def drop(self) -> None:
        with contextlib.suppress(OSError):
            self.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)


def read_whole(read: Callable[[int], bytes], size: int) -> bytes:
    """`size` bytes, or less at the end of the file; one more where there is more, so that it shows."""
    data = read(size + 1)
    if len(data) > size or not data:
        return data
    pieces = [data]
    have = len(data)
    while have <= size and (data := read(size + 1 - have)):
        pieces.append(data)
        have += len(data)
    return b"".join(pieces) if len(pieces) > 1 else pieces[0]
