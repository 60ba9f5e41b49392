# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line that is killed (SIGKILL) at its Nth step towards the disk or another process.

    python -m tests.support.killing POINT [--count FILE] ARGS...

Points are: before every os.write (journal, history, requests to the step shim), replace and rename; after one of
them is before the next. An fsync is no point, for what was written before it outlives the process without it; nor is
a line on the terminal, for what it tells is on the disk by then. POINT 0 kills nowhere; `--count FILE` leaves the
number of points there.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

_TOWARDS_THE_DISK = (
    "link", "mkdir", "rename", "replace", "symlink", "unlink", "rmdir", "fsync", "write", "open", "chmod",
)  # fmt: skip
_SYNC = "sync_file_system"


class Points:
    def __init__(self, deadly: int, count_file: str) -> None:
        self.deadly = deadly
        self.passed = 0
        self.count_file = count_file
        self.guard = threading.Lock()

    def reach(self) -> None:
        with self.guard:
            self.passed += 1
            if self.passed == self.deadly:
                os.kill(os.getpid(), signal.SIGKILL)

    def before(
        self, call: Callable[..., Any], unless: Callable[..., bool] = lambda *_: False
    ) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            if not unless(*args):
                self.reach()
            return call(*args, **options)

        return wrapped

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            self.reach()
            result = call(*args, **options)
            self.reach()
            return result

        return wrapped

    def make_deadly(self, *modules: Any, sync: Callable[..., Any] | None = None) -> None:
        """Every call of ours that changes a file system, and the wait for the disk in `modules` (`sync` instead of
        it, if given), has a point before it and one after it."""
        for name in _TOWARDS_THE_DISK:
            setattr(os, name, self.around(getattr(os, name)))
        for module in modules:
            setattr(module, _SYNC, self.around(sync or getattr(module, _SYNC)))

    def leave_count(self) -> None:
        if self.count_file:
            with open(self.count_file, "w") as stream:
                stream.write(str(self.passed))


def main() -> None:
    deadly, words = int(sys.argv[1]), sys.argv[2:]
    count_file = ""
    if words[0] == "--count":
        count_file, words = words[1], words[2:]
    points = Points(deadly, count_file)
    os.write = points.before(os.write, unless=lambda descriptor, _: descriptor in (1, 2))
    os.replace = points.before(os.replace)
    os.rename = points.before(os.rename)
    sys.argv = ["orchestrator", *words]
    from orchestrator.cli.app import main as orchestrator

    try:
        orchestrator()
    finally:
        points.leave_count()


if __name__ == "__main__":
    main()
