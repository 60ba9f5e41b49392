# SPDX-License-Identifier: GPL-3.0-or-later
"""A journal's events on one axis of elapsed seconds, with the processes that wrote them. Pure.

Within a boot the monotonic clock counts, whatever somebody does to the wall clock; across boots only the wall
clock can. A process that died is not in the journal: that another one continued is, and between the last word of
the one and the first of the other is a gap.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.runstate import Instant


@dataclass(frozen=True, slots=True)
class Placed:
    """An event and its seconds since the first one; `session` counts from 1."""

    event: Event
    at: float
    session: int


@dataclass(frozen=True, slots=True)
class Break:
    """A gap between sessions. `died`: the earlier one said nothing; `rebooted`: another boot went on."""

    at: float
    until: float
    died: bool
    rebooted: bool


@dataclass(slots=True)
class Axis:
    """All events, placed. `end` is the last one's place, or now's while the run is under way."""

    placed: list[Placed] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    end: float = 0.0

    @property
    def at_work(self) -> float:
        """Seconds without the gaps."""
        return self.end - sum(gap.until - gap.at for gap in self.breaks)


def seconds_between(earlier: str, later: str) -> float:
    """By the wall clock, never negative; 0 where a time cannot be read."""
    try:
        between = parse_time(later) - parse_time(earlier)
    except (ValueError, TypeError):
        return 0.0
    return max(0.0, between.total_seconds())


def parse_time(text: str) -> datetime:
    """Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def place(events: Iterable[Event], now: Instant | None = None) -> Axis:
    """`now`: the run is under way, and lasts until then."""
    axis = Axis()
    previous: Event | None = None
    boot, session, at, quiet = "", 0, 0.0, False
    for event in events:
        begins = event.name in (EventName.RUN_STARTED, EventName.RUN_CONTINUED)
        its_boot = str(event.get("boot", "")) if begins else boot
        if previous is None:
            session = 1
        else:
            # Going backwards it is the clock of another boot: `recover` after a power cut does not say so.
            rebooted = its_boot != boot or event.mono < previous.mono
            step = seconds_between(previous.time, event.time) if rebooted else event.mono - previous.mono
            if begins or quiet or rebooted:
                axis.breaks.append(Break(at, at + step, died=not quiet, rebooted=rebooted))
                session += 1
            at += step
        axis.placed.append(Placed(event, at, session))
        quiet = event.name in (EventName.RUN_STOPPED, EventName.RECOVERED, EventName.RUN_ENDED)
        previous, boot = event, its_boot
    if previous is not None and now is not None:
        same = now.boot == boot and now.mono >= previous.mono
        at += now.mono - previous.mono if same else seconds_between(previous.time, now.time)
    axis.end = at
    return axis
