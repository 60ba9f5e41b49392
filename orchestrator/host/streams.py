# SPDX-License-Identifier: GPL-3.0-or-later
"""The standard streams of the program, which must not be able to stop it.

One that was closed at the start leads nowhere; otherwise the program's own files would get its number. When
the other side goes away in mid-run (a lost ssh, a closed pipe), what is written from then on is dropped.
Characters that the other side has no code for are replaced.
"""

import errno
import io
import os
import select
import sys
from typing import Any, TextIO

_MAY_PASS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def prepare_standard_streams() -> None:
    """To be called once, before anything is opened or written."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = _surviving(1, sys.stdout)
    sys.stderr = _surviving(2, sys.stderr)


def _surviving(descriptor: int, before: TextIO | None) -> TextIO:
    encoding = before.encoding if before is not None else "utf-8"
    buffer = io.BufferedWriter(_Surviving(descriptor))
    at_once = descriptor == 2 or os.isatty(descriptor)
    return io.TextIOWrapper(buffer, encoding=encoding, errors="replace", line_buffering=at_once)


class _Surviving(io.RawIOBase):
    """Writes until the other side is gone, and to nowhere from then on."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._gone = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return not self._gone and os.isatty(self._descriptor)

    def write(self, data: Any) -> int:
        while not self._gone:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:  # somebody we share it with has made it so
                select.select([], [self._descriptor], [])
            except OSError as error:
                if error.errno in _MAY_PASS:
                    break
                self._gone = True
        return len(data)
