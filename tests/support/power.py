# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that is killed at its Nth step towards the disk, with or without the power of the machine.

    power = Power(point, root, cut=True)
    power.watch()

As journals of file systems work, names are there in the order in which they were made, and bytes that nobody waited
for may be missing. With `cut` they all are: what was written below `root` and not synced since is cut off where it was
synced last. (What the catalog's database writes is its own affair: it is as it was when the process died.)
"""

import contextlib
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from orchestrator.host import files

_STEPS = ("link", "mkdir", "rename", "replace", "symlink", "unlink", "rmdir", "chmod", "truncate", "open")
_WAIT = "sync_file_system"
_Key = tuple[int, int]


class Power:
    """`point` 0 kills nowhere: then `passed` is how many points there are. Whether the order of points is the same
    each time depends on threads; which are passed does not."""

    def __init__(self, point: int, root: Path, *, cut: bool = False) -> None:
        self._point, self._root, self._cut = point, root, cut
        self.passed = 0
        self._guard = threading.RLock()
        self._durable: dict[_Key, int] = {}  # of files with bytes that nobody waited for: how many are safe

    def watch(self) -> None:
        """From now on, in this process. Every call of ours that changes a file system has a point before it."""
        for name in _STEPS:
            setattr(os, name, self._before(getattr(os, name)))
        for name in ("write", "pwrite", "ftruncate"):
            setattr(os, name, self._writing(getattr(os, name)))
        for owner, name, wrap in ((os, "fsync", self._syncing), (shutil, "copyfile", self._copying)):
            setattr(owner, name, wrap(getattr(owner, name)))
        known = files.sync_file_system
        wait = self._syncing_all(known)
        for module in list(sys.modules.values()):  # some come as soon as they are looked at
            if getattr(module, _WAIT, None) is known:
                setattr(module, _WAIT, wait)

    def _reach(self) -> None:
        with self._guard:
            self.passed += 1
            if self.passed == self._point:
                if self._cut:
                    self._lose()
                os.kill(os.getpid(), signal.SIGKILL)

    def _before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            self._reach()
            return call(*args, **options)

        return wrapped

    def _writing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(descriptor: int, *args: Any) -> Any:
            self._reach()
            status = os.fstat(descriptor)
            with self._guard:
                self._durable.setdefault((status.st_dev, status.st_ino), status.st_size)
            return call(descriptor, *args)

        return wrapped

    def _copying(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(source: Any, target: Any, **options: Any) -> Any:
            self._reach()
            result = call(source, target, **options)
            status = os.stat(target)
            with self._guard:
                self._durable.setdefault((status.st_dev, status.st_ino), 0)
            return result

        return wrapped

    def _syncing(self, call: Callable[[int], None]) -> Callable[[int], None]:
        def wrapped(descriptor: int) -> None:
            self._reach()
            call(descriptor)
            status = os.fstat(descriptor)
            with self._guard:
                self._durable.pop((status.st_dev, status.st_ino), None)
            self._reach()

        return wrapped

    def _syncing_all(self, call: Callable[[Path], None]) -> Callable[[Path], None]:
        def wrapped(path: Path) -> None:
            self._reach()
            with self._guard:
                written = list(self._durable)
            call(path)
            with self._guard:
                for key in written:
                    self._durable.pop(key, None)
            self._reach()

        return wrapped

    def _lose(self) -> None:
        for directory, _, names in os.walk(self._root):
            for name in names:
                path = f"{directory}/{name}"
                status = os.lstat(path)
                safe = self._durable.get((status.st_dev, status.st_ino))
                if safe is not None and safe < status.st_size:
                    with open(path, "r+b") as stream:
                        stream.truncate(safe)


def killed(work: Callable[[], object], power: Power, count: Path | None = None) -> bool:
    """Do `work` in a child, with this power; whether it was killed. The number of points is left in `count`."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException), _told():
            power.watch()
            work()
            if count is not None:
                count.write_text(str(power.passed))
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert died or status == 0, status
    return died


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What went wrong in a child is for whoever looks after it."""
    try:
        yield
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
            sys.stderr.flush()
