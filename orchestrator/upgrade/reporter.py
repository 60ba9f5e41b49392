# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runner tells whoever watches. It never prints; terminal, plain lines and JSON are reporters."""

from dataclasses import dataclass
from typing import Protocol

from orchestrator.upgrade.journal import Event


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the run is now. Seconds from the monotonic clock; `expected` is None when unknown.

    `service`: it is stopped or started, `step` says so in words, and `reason` is what is heard of it.
    `said` is how far the step itself says that it is. `unsafe`: the step says that it must not be interrupted.
    """

    run: str
    phase: str
    step: str
    number: int
    total: int
    elapsed: float
    expected: float | None
    quiet: float
    service: str = ""
    reason: str = ""
    said: str = ""
    unsafe: bool = False


class Reporter(Protocol):
    @property
    def wants_all_output(self) -> bool:
        """Whether every byte of a step's output is wanted, or only what is near the end."""

    def event(self, event: Event) -> None:
        """An event that is on the disk. May come from any thread, one at a time."""

    def output(self, step: str, data: bytes) -> None:
        """A piece of a step's output, in order."""

    def progress(self, progress: Progress) -> None:
        """Several times a second while something runs."""
