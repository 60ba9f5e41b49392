# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line on a disk that refuses one file from a certain write on.

    python -m tests.support.failing FILE NUMBER ERROR ARGS...

From the NUMBERth os.write to a file whose path ends with FILE on, every write to it and every fsync of it
fails with ERROR (ENOSPC, EIO, ...).
"""

import errno
import os
import sys
from typing import Any


def main() -> None:
    file, number, error, words = sys.argv[1], int(sys.argv[2]), getattr(errno, sys.argv[3]), sys.argv[4:]
    written = 0
    write, fsync = os.write, os.fsync

    def is_it(descriptor: int) -> bool:
        try:
            return os.readlink(f"/proc/self/fd/{descriptor}").endswith(file)
        except OSError:
            return False

    def failing_write(descriptor: int, data: Any) -> int:
        nonlocal written
        if is_it(descriptor):
            written += 1
            if written >= number:
                raise OSError(error, os.strerror(error))
        return write(descriptor, data)

    def failing_fsync(descriptor: int) -> None:
        if written >= number and is_it(descriptor):
            raise OSError(error, os.strerror(error))
        fsync(descriptor)

    os.write = failing_write
    os.fsync = failing_fsync  # type: ignore[assignment]
    sys.argv = ["orchestrator", *words]
    from orchestrator.cli.app import main as orchestrator

    orchestrator()


if __name__ == "__main__":
    main()
