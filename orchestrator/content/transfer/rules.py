# SPDX-License-Identifier: GPL-3.0-or-later
"""What the jobs of one batch share: the rules they go by, and the count of what they have moved."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.content.transfer.policy import Backoff, Health, Pace


class Meter:
    """What a batch has moved. `came` counts bytes of files from the network, written by its thread alone; the
    rest may be added by both threads: `more` of other bytes received, `lost` of bytes that were no use."""

    def __init__(self) -> None:
        self.came = self.more = self.lost = self.files = 0
        self._guard = threading.Lock()

    def add(self, *, more: int = 0, lost: int = 0, files: int = 0) -> None:
        with self._guard:
            self.more += more
            self.lost += lost
            self.files += files

    @property
    def received(self) -> int:
        return self.came + self.more

    @property
    def have(self) -> int:
        """Bytes of whole files, and of those under way."""
        return self.came + self.more - self.lost


@dataclass(slots=True)
class Rules:
    """What all jobs of a batch go by."""

    retries: int
    backoff: Backoff
    pace: Pace
    halted: Callable[[], bool]
    health: Health = field(default_factory=Health)
    meter: Meter = field(default_factory=Meter)


@dataclass(slots=True, frozen=True)
class Again:
    """The job goes on, `delay` seconds from now; `why` is empty where that is no retry."""

    delay: float = 0.0
    why: str = ""


GO_ON = Again()
