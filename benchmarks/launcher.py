# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one command and tells what it took: launcher.py DESCRIPTOR ARGV... writes a JSON list to the descriptor.

A process's peak memory begins with that of who started it, for that is what it is a copy of until it becomes
another program. So commands are started by this one, which imports next to nothing: peaks below its own (9 MB)
cannot be told, and nothing of a benchmark's own memory is in them. Its start is not in the wall time.
"""

import os
import sys
import time


def main() -> None:
    report, argv = int(sys.argv[1]), sys.argv[2:]
    os.set_inheritable(report, False)
    began = time.perf_counter()
    try:
        pid = os.posix_spawnp(argv[0], argv, os.environ)
    except OSError as error:
        os.write(report, f"[{error.errno}]".encode())
        return
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - began
    code = os.waitstatus_to_exitcode(status)
    told = [code, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024]
    os.write(report, repr(told).encode())


if __name__ == "__main__":
    main()
