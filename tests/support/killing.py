# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line that is killed (SIGKILL) at its Nth step towards the disk or another process.

    python -m tests.support.killing POINT [--count FILE] ARGS...

Points are: before every os.write (journal, history, requests to the step shim), fsync and rename; after one of them
is before the next. POINT 0 kills nowhere; `--count FILE` leaves the number of points there.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any


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

    def before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
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
    os.write = points.before(os.write)
    os.fsync = points.before(os.fsync)
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
