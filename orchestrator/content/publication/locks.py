# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may work on a mirror, and on the pool: kernel locks, and messages that say who holds them."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestrator.errors import Busy, NotPermitted
from orchestrator.host import clock
from orchestrator.host.files import FileLock, read_json

_POLL = 0.1
# A garbage collection holds the pool's lock alone, but not for long: a run waits for its end.
_COLLECTION = 120.0


@contextlib.contextmanager
def mirror_lock(path: Path, mirror: str, wait: float) -> Iterator[None]:
    """One run at a time on a mirror. Raises Busy naming the other, after `wait` seconds."""
    lock = FileLock(path)

    def busy() -> Busy:
        holder = read_json(path)
        who = f"pid {holder['pid']}, since {holder['since']}" if isinstance(holder, dict) else "just started"
        return Busy(
            f"another run is at work on the mirror {mirror} ({who})", hint="try again when it is through"
        )

    _acquire(lock, wait, busy)
    with lock:
        lock.describe({"pid": os.getpid(), "since": clock.timestamp()})
        yield


@contextlib.contextmanager
def pool_in_use(root: Path) -> Iterator[None]:
    """While files of the pool are worked with that no tree has yet."""
    lock = FileLock(root / "lock")
    _acquire(lock, _COLLECTION, lambda: Busy(f"files are being removed from the pool in {root}"), shared=True)
    with lock:
        yield


@contextlib.contextmanager
def pool_alone(root: Path) -> Iterator[None]:
    """While files are removed from the pool. Raises Busy when a run is at work on any mirror."""
    lock = FileLock(root / "lock")
    _acquire(lock, 0.0, lambda: Busy(f"a run is at work on a mirror in {root}: nothing was removed"))
    with lock:
        yield


def _acquire(lock: FileLock, wait: float, busy: Callable[[], Busy], *, shared: bool = False) -> None:
    until = clock.monotonic() + wait
    try:
        while not lock.try_acquire(shared=shared):
            if clock.monotonic() >= until:
                raise busy()
            clock.sleep(_POLL)
    except PermissionError as error:
        raise NotPermitted(
            f"{lock.path}: {error.strerror}", hint="run it as the owner of the mirrors"
        ) from None
