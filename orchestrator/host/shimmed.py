# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands under the shim: our side of it. A step must neither be harmed by our death nor lost to us (see shim.py).

The shim is told on a pipe what to start, tells how that ends, and leaves the same in a record file, for whoever
looks after we have died.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from orchestrator.host import shim
from orchestrator.host.facts import ProcessId, boot_id
from orchestrator.host.files import write_all
from orchestrator.host.processes import clean_environment, memory_file, text_of


@dataclass(frozen=True, slots=True)
class Ending:
    """How a command under the shim ended: `exit` or `signal`, after `seconds`.

    Both None: nobody saw its end. `left`: pids of processes it left behind. `error`: it did not start.
    """

    exit: int | None = None
    signal: int | None = None
    seconds: float = 0.0
    left: tuple[int, ...] = ()
    error: str = ""

    @property
    def known(self) -> bool:
        return self.exit is not None or self.signal is not None or bool(self.error)


@cache
def _shim_text() -> str:
    return Path(shim.__file__).read_text()


def remember_shim() -> None:
    """Have its text at hand, should an upgrade of this program take its file away."""
    _shim_text()


def _shim_words() -> list[str]:
    """How Python is told to run the shim: as it is on the disk, whose protocol is the same in all versions."""
    return [shim.__file__] if os.path.exists(shim.__file__) else ["-c", _shim_text()]


class Shim:
    """One shim process. `start`, then `poll` until it gives the ending.

    Where no shim can be had (no memory, no room for its lock), no command starts: that is their ending.
    """

    def __init__(self, lock: Path) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._stdin = self._stdout = -1
        self._unread = b""
        self._problem = ""
        with memory_file() as complaint:
            try:
                self._launch(lock, complaint)
            except OSError as error:
                told = text_of(complaint).strip().splitlines()
                self._problem = f"the step shim does not run: {told[-1] if told else error.strerror or error}"

    def _launch(self, lock: Path, complaint: IO[bytes]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", *_shim_words(), str(lock)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaint,
            cwd="/",
            env=clean_environment(),
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._await()

    def start(
        self, argv: Sequence[str], *, env: Mapping[str, str], log: Path, record: Path
    ) -> ProcessId | Ending:
        """Start a command; its identity, or an Ending: with `error`, or unknown when the shim is dead."""
        request = {
            "argv": list(argv),
            "env": dict(env),
            "log": str(log),
            "record": str(record),
            "cwd": "/",
            "umask": 0o022,
        }
        if self._problem:
            return Ending(error=self._problem)
        try:
            write_all(self._stdin, json.dumps(request).encode() + b"\n")
            reply = self._await()
        except OSError:  # the shim is dead; the record says whether the command began
            return Ending()
        if "error" in reply:
            return Ending(error=str(reply["error"]))
        return ProcessId(reply["pid"], reply["started"], boot_id())

    def poll(self, timeout: float) -> Ending | None:
        """The ending, or None when the command still runs after `timeout` seconds."""
        try:
            reply = self._receive(timeout)
        except OSError:
            return Ending()
        if reply is None:
            return None
        if "error" in reply:
            return Ending(error=str(reply["error"]))
        return _ending(reply)

    def close(self) -> None:
        """Let it go; it leaves at once when nothing runs."""
        if self._process is None:
            return
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)

    def _await(self) -> dict[str, Any]:
        while (reply := self._receive(3600)) is None:
            pass
        return reply

    def _receive(self, timeout: float) -> dict[str, Any] | None:
        """The next reply, or None after `timeout`. Raises BrokenPipeError when the shim is dead."""
        if b"\n" not in self._unread:
            if not select.select([self._stdout], [], [], timeout)[0]:
                return None
            data = os.read(self._stdout, 65536)
            if not data:
                raise BrokenPipeError("the step shim has ended")
            self._unread += data
            if b"\n" not in self._unread:
                return None
        line, _, self._unread = self._unread.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply


def _ending(record: Mapping[str, Any]) -> Ending:
    return Ending(
        record.get("exit"),
        record.get("signal"),
        float(record.get("seconds", 0.0)),
        tuple(record.get("left", ())),
    )


@dataclass(frozen=True, slots=True)
class Record:
    """What a shim left of a command: who it was (None: it was never started) and how it ended."""

    pid: int | None
    started: int | None
    boot: str
    ending: Ending


def read_record(path: Path) -> Record:
    """The record file of a command; empty when there is none or a power cut took it."""
    try:
        content = json.loads(path.read_bytes() or b"{}")
    except (OSError, ValueError):
        content = {}
    if not isinstance(content, dict):
        content = {}
    return Record(content.get("pid"), content.get("started"), str(content.get("boot", "")), _ending(content))
