# SPDX-License-Identifier: GPL-3.0-or-later
"""When what takes long gets a line: while it is silent every so often, and once when it is far over its usual time.

Pure; the seconds come from whoever tells how it goes on.
"""

from collections.abc import Iterator

from orchestrator.config.quantities import show_duration
from orchestrator.upgrade.reporter import Progress

EVERY = 60.0
# Far over its usual time is more than so many times as long, and so many seconds longer.
_TIMES, _LONGER = 3.0, 60.0


def far_over(elapsed: float, expected: float | None) -> bool:
    return expected is not None and elapsed > _TIMES * expected and elapsed - expected > _LONGER


class Heartbeat:
    """Of one run; `every`: seconds of silence to a line."""

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        # What was told last of each thing that goes on: elapsed seconds, and for how many it had been silent.
        self._told: dict[str, float] = {}
        self._named: set[str] = set()

    def forget(self, what: str) -> None:
        """It has begun anew, or ended."""
        self._told.pop(what, None)
        self._named.discard(what)

    def lines(self, progress: Progress) -> Iterator[str]:
        """What is to be said now: at most a line for each of both reasons."""
        what = progress.service or progress.step
        # A service says nothing; what is heard of it while it is waited for is no reason to think that all is well.
        silence = progress.elapsed if progress.service else progress.quiet
        spoke = progress.elapsed - silence
        since = progress.elapsed - max(self._told.get(what, 0.0), spoke)
        if far_over(progress.elapsed, progress.expected) and what not in self._named:
            self._named.add(what)
            self._told[what] = progress.elapsed
            yield f"  ...    {progress.step}: {so_far(progress, silence)}: far longer than usual"
        elif since >= self._every:
            self._told[what] = progress.elapsed
            yield f"  ...    {progress.step}: {so_far(progress, silence)}"


def so_far(progress: Progress, silence: float) -> str:
    """`5 min so far, silent for 2 min, usually 3 min`."""
    words = [f"{roughly(progress.elapsed)} so far"]
    if not progress.service and silence >= 1:
        words.append(f"silent for {roughly(silence)}")
    if progress.expected:
        words.append(f"usually {roughly(progress.expected)}")
    return ", ".join(words)


def roughly(seconds: float) -> str:
    """As `show_duration`, without the seconds of minutes."""
    return f"{int(seconds) // 60} min" if 60 <= seconds < 3600 else show_duration(seconds)
