# SPDX-License-Identifier: GPL-3.0-or-later
"""The chart's axis: seconds become percents of its width, and round times stand above it. Pure.

Time at work is to scale. A gap between two processes that were at work (a night, mostly) gets a narrow strip
instead of its length.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from orchestrator.upgrade.report.elapsed import parse_time
from orchestrator.upgrade.report.model import Report, Session

# Percent: what a gap takes, all gaps together, and the room from one time to the next.
GAP, MOST_GAPS, _APART = 6.0, 36.0, 11.5
MOST_TICKS = 8
# Seconds from one time to the next.
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scale:
    """Seconds since the beginning -> percents. `pieces`: from, until (seconds), x, width."""

    pieces: tuple[tuple[float, float, float, float], ...]

    def x(self, at: float) -> float:
        for begin, end, x, width in self.pieces:
            if at <= end:
                inside = (at - begin) / (end - begin) if end > begin else 0.0
                return x + width * min(1.0, max(0.0, inside))
        return 100.0


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    label: str
    minor: bool
    anchor: str = "middle"


def make_scale(end: float, gaps: Sequence[tuple[float, float]]) -> Scale:
    """Time at work is to scale, gaps all have the same width."""
    gap_width = min(GAP, MOST_GAPS / len(gaps)) if gaps else 0.0
    at_work = end - sum(until - at for at, until in gaps)
    per_second = (100.0 - gap_width * len(gaps)) / at_work if at_work > 0 else 0.0
    pieces: list[tuple[float, float, float, float]] = []
    begin, x = 0.0, 0.0
    for at, until in gaps:
        width = (at - begin) * per_second
        pieces += [(begin, at, x, width), (at, until, x + width, gap_width)]
        begin, x = until, x + width + gap_width
    pieces.append((begin, end, x, max(0.0, (end - begin) * per_second)))
    return Scale(tuple(pieces))


def ticks(report: Report, scale: Scale) -> Iterable[Tick]:
    """Round times of the wall clock, as it was when each process began."""
    step = next((step for step in _STEPS if report.seconds_at_work / step <= MOST_TICKS), _STEPS[-1])
    free, minor = 0.0, False
    for session in report.sessions:
        for at, label in _round_times(session, step):
            x = scale.x(at)
            if x >= free:
                anchor = _anchor(x)
                yield Tick(x, label, minor, anchor)
                free = x + _APART * (1.5 if anchor == "start" else 1)
                minor = not minor


def _round_times(session: Session, step: float) -> Iterable[tuple[float, str]]:
    try:
        began = parse_time(session.time)
    except ValueError:
        return
    midnight = began.replace(hour=0, minute=0, second=0, microsecond=0)
    since_midnight = (began - midnight).total_seconds()
    count = ceil(since_midnight / step)
    while (at := session.at + count * step - since_midnight) <= session.until:
        yield at, _time_label(midnight + timedelta(seconds=count * step), step)
        count += 1


def _time_label(time: datetime, step: float) -> str:
    clock = time.strftime("%H:%M:%S.%f")
    return clock[:5] if step >= 60 else clock[:8] if step >= 1 else clock[:10]


def _anchor(x: float) -> str:
    return "start" if x < 4 else "end" if x > 96 else "middle"
