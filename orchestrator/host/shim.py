# SPDX-License-Identifier: GPL-3.0-or-later
"""The step shim: a small program between the runner and its steps, so that neither's death harms the other.

The runner starts one shim for a run and sends it one request a line; the shim starts the command in a
session of its own, output to a file, and leaves the command's end in a status file before it answers.
When the runner is killed, the shim sees its input end, waits for the command that still runs, records
its status, and goes. It holds a lock on `<run>/shim.lock` as long as it lives, so a later runner knows
without doubt whether the record is complete. (containerd's shim and conmon play the same part.)

It is a subreaper: processes that a step leaves behind become its children, and can be named.

Standard library only, and started with `-I -S`: it must cost little and depend on nothing that an
upgrade replaces.

    request  {"argv": [...], "env": {...}, "log": PATH, "record": PATH, "cwd": DIR, "umask": 18}
    reply 1  {"pid": N, "started": TICKS}            or {"error": TEXT, "errno": N}
    reply 2  {"exit": N} or {"signal": N}, and {"seconds": S, "left": [PID, ...]}

The record file is written in place, in one block that exists before the command starts: a disk that
is full when the command ends cannot lose its status.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import signal
import sys
import time
from typing import Any

RECORD_SIZE = 256
_PR_SET_CHILD_SUBREAPER = 36


def main(lock_path: str) -> None:
    lock = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _reply({"ready": os.getpid()})
    boot = _boot_id()
    known: set[int] = set()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        try:
            known = _run(request, boot, known)
        except OSError as error:
            _reply({"error": error.strerror or str(error), "errno": error.errno, "file": error.filename})
        except ValueError as error:  # a zero byte in a word or in the environment
            _reply({"error": str(error)})


def _reply(message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the runner may be dead; the record file stays
        os.write(1, json.dumps(message).encode() + b"\n")


def _boot_id() -> str:
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id") as stream:
        return stream.read().strip()
    return "unknown"


def _start_ticks(pid: int) -> int:
    with open(f"/proc/{pid}/stat", "rb") as stream:
        data = stream.read()
    return int(data[data.rindex(b")") + 2 :].split()[19])


def _write_record(descriptor: int, record: dict[str, Any]) -> None:
    os.pwrite(descriptor, json.dumps(record).encode().ljust(RECORD_SIZE - 1) + b"\n", 0)


def _run(request: dict[str, Any], boot: str, known: set[int]) -> set[int]:
    """Run one command to its end; the pids of what is left behind by it and those before it."""
    descriptor = os.open(request["record"], os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        _write_record(descriptor, {})
        began = time.monotonic()
        pid = _spawn(request)
        identity = {"pid": pid, "started": _start_ticks(pid), "boot": boot}
        _write_record(descriptor, identity)
        _reply(identity)
        # WNOWAIT: the zombie keeps the pid from being used again until its status is on record.
        end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert end is not None
        how = "exit" if end.si_code == os.CLD_EXITED else "signal"
        ending = {how: end.si_status, "seconds": round(time.monotonic() - began, 6)}
        _write_record(descriptor, {**identity, **ending})
        os.waitpid(pid, 0)
    finally:
        os.close(descriptor)
    left = _children()
    _reply({**ending, "left": sorted(left - known)})
    return left


def _spawn(request: dict[str, Any]) -> int:
    """Start the command; its pid, which is also its session. subprocess would take three times as long."""
    environment = request["env"]
    os.chdir(request["cwd"])
    os.umask(request["umask"])
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return os.posix_spawn(
            _program(request["argv"][0], environment),
            request["argv"],
            environment,
            file_actions=(
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ),
            setsid=True,
            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),  # which Python ignores
        )
    finally:
        os.close(log)


def _program(name: str, environment: dict[str, str]) -> str:
    """The file that a command's first word means. Raises FileNotFoundError."""
    if "/" in name:
        return name
    for directory in os.get_exec_path(environment):
        path = os.path.join(directory, name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)


def _children() -> set[int]:
    """Living processes that steps left behind; the dead ones are reaped."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    with contextlib.suppress(OSError), open(f"/proc/self/task/{os.getpid()}/children", "rb") as stream:
        return {int(pid) for pid in stream.read().split()}
    return set()


if __name__ == "__main__":
    main(sys.argv[1])
