# SPDX-License-Identifier: GPL-3.0-or-later
"""A command at a pseudo-terminal, and somebody who reads, types, presses Ctrl-C, and hangs up."""

import contextlib
import errno
import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[@-Z\\-_])")
INTERRUPT = "\x03"


@dataclass
class Terminal:
    """The master side of the terminal that `process` runs at."""

    process: subprocess.Popen[bytes]
    master: int
    data: bytes = b""

    @property
    def text(self) -> str:
        """All that was written so far, without what moves the cursor and colours."""
        return _ESCAPES.sub("", self.data.decode("utf-8", "replace")).replace("\r", "")

    def read(self, timeout: float = 0.05) -> bool:
        """Take what is there now; whether there was anything."""
        if not select.select([self.master], [], [], timeout)[0]:
            return False
        try:
            piece = os.read(self.master, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # EIO: nobody has the other side open any more
                raise
            return False
        self.data += piece
        return bool(piece)

    def expect(self, text: str, timeout: float = 15.0) -> None:
        """Read until `text` was written."""
        deadline = time.monotonic() + timeout
        while text not in self.text:
            assert time.monotonic() < deadline, f"no {text!r} within {timeout:g} s in:\n{self.text}"
            self.read()

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait(self, timeout: float = 30.0) -> int:
        """Read to the end of the command; its exit status."""
        deadline = time.monotonic() + timeout
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"no end within {timeout:g} s:\n{self.text}"
            self.read()
        while self.read(0):
            pass
        return self.process.returncode

    def hang_up(self) -> None:
        os.close(self.master)
        self.master = -1

    def resize(self, columns: int, lines: int = 24) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


@contextlib.contextmanager
def at_terminal(
    argv: Sequence[str], environment: Mapping[str, str], *, columns: int = 80, lines: int = 24
) -> Iterator[Terminal]:
    """`argv` in the foreground of a new terminal."""
    master, slave = os.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", *argv],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**environment, "TERM": "xterm-256color"},
    )
    os.close(slave)
    terminal = Terminal(process, master)
    terminal.resize(columns, lines)
    try:
        yield terminal
    finally:
        process.kill()
        process.wait()
        if terminal.master >= 0:
            terminal.hang_up()
