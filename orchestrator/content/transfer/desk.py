# SPDX-License-Identifier: GPL-3.0-or-later
"""The thread that hashes and writes, so that the network need not wait for it.

What is handed in is done in that order, one after the other: the blocks of one file, then its end. Hashing and
writing do not hold the interpreter's lock.
"""

import queue
import threading
from collections.abc import Callable

# Bytes that may wait here before the network does.
_ROOM = 16 * 1024 * 1024


class Desk:
    """`put` is called by one thread, `run` by another, which ends after `finish`."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[tuple[int, Callable[[], None]] | None] = queue.SimpleQueue()
        # Each written by one of the two threads only.
        self._put_tasks = self._put_bytes = 0
        self._done_tasks = self._done_bytes = 0

    def put(self, size: int, task: Callable[[], None]) -> None:
        """To be done, for `size` bytes."""
        self._put_tasks += 1
        self._put_bytes += size
        self._tasks.put((size, task))

    @property
    def tasks(self) -> int:
        """How many are not done yet."""
        return self._put_tasks - self._done_tasks

    @property
    def full(self) -> bool:
        return self._put_bytes - self._done_bytes > _ROOM

    def run(self, halt: threading.Event) -> None:
        """Until `finish`. What a task raises ends it, and sets `halt`."""
        try:
            while (waiting := self._tasks.get()) is not None:
                size, task = waiting
                task()
                self._done_bytes += size
                self._done_tasks += 1
        except BaseException:
            halt.set()
            raise

    def finish(self) -> None:
        self._tasks.put(None)
