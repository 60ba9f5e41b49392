# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to stop that reach us as signals.

SIGINT is counted: the first press stops after the step, further ones are for the step itself. SIGTERM is
a first press. SIGHUP (a lost terminal) changes nothing: the run goes on. It is caught, not ignored: what
is ignored stays so in every program that we start, and a service must be able to reload on SIGHUP.
"""

import signal
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupts:
    """Counts presses while it is entered; the old handlers come back at the end."""

    def __init__(self) -> None:
        self.presses = 0
        self._before: dict[signal.Signals, Any] = {}

    @property
    def stop_requested(self) -> bool:
        return self.presses > 0

    def _press(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature signal wants
        if number == signal.SIGINT:
            self.presses += 1
        else:
            self.presses = max(self.presses, 1)

    def _pass_over(self, number: int, frame: FrameType | None) -> None:
        pass

    def __enter__(self) -> Self:
        self._before = {
            signal.SIGINT: signal.signal(signal.SIGINT, self._press),
            signal.SIGTERM: signal.signal(signal.SIGTERM, self._press),
            signal.SIGHUP: signal.signal(signal.SIGHUP, self._pass_over),
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
