# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys pressed at the terminal, one by one and without their echo, for views that run meanwhile."""

import contextlib
import os
import select
import sys
import termios
import tty
from collections.abc import Iterator


class Keyboard:
    """The terminal that we are in the foreground of. Ctrl-C stays a signal."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    @property
    def there(self) -> bool:
        return self._descriptor is not None

    def pressed(self, seconds: float) -> str:
        """What is pressed within `seconds`; empty when nothing is, or nobody is there."""
        watched = [] if self._descriptor is None else [self._descriptor]
        if not select.select(watched, [], [], seconds)[0] or self._descriptor is None:
            return ""
        try:
            data = os.read(self._descriptor, 64)
        except OSError:
            data = b""
        if not data:  # the terminal is gone
            self._descriptor = None
        return data.decode("utf-8", "replace")


@contextlib.contextmanager
def keyboard() -> Iterator[Keyboard]:
    """The keyboard, if stdin is a terminal that is ours to read; as it was at the end."""
    descriptor = _terminal()
    if descriptor is None:
        yield Keyboard(None)
        return
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor, termios.TCSANOW)
    try:
        yield Keyboard(descriptor)
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSANOW, before)


def _terminal() -> int | None:
    """Not one that we are in the background of: changing it would stop us."""
    try:
        descriptor = sys.stdin.fileno()
        return descriptor if os.isatty(descriptor) and os.tcgetpgrp(descriptor) == os.getpgrp() else None
    except (AttributeError, OSError, ValueError):
        return None
