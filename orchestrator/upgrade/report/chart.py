# SPDX-License-Identifier: GPL-3.0-or-later
"""The chart of a run laid out: one axis of time, a row for each service and step, everything to scale. Pure.

Across, places are percents of the chart's width, so that it fits any; down, they are pixels.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from orchestrator.config.quantities import show_duration
from orchestrator.upgrade.report.model import Report, StepFacts, Stretch
from orchestrator.upgrade.report.scale import Scale, Tick, make_scale, ticks

# Pixels.
AXIS, ROW, HEADING = 22, 30, 26
# Room for the numbers of the gaps.
GAP_SIGN = 22
# Percent: the least that can still be seen of a bar, and room for a duration beside it in a narrow chart.
LEAST, _ROOM = 0.35, 21.0
MOST_STEPS = 32


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    width: float
    look: str
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at one moment."""

    x: float
    look: str
    title: str


@dataclass(frozen=True, slots=True)
class Note:
    """A short text beside a bar (`start`, `end`: the side of the text that is at x), or inside of one of this look."""

    x: float
    text: str
    anchor: str
    inside: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """`heading`: a row without bars that names what follows."""

    y: float
    label: str
    bars: tuple[Bar, ...] = ()
    marks: tuple[Mark, ...] = ()
    note: Note | None = None
    heading: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """A phase: its shade behind everything."""

    x: float
    width: float
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    height: float
    ticks: tuple[Tick, ...] = ()
    bands: tuple[Band, ...] = ()
    gaps: tuple[tuple[float, float, int], ...] = ()
    rows: tuple[Row, ...] = ()


@dataclass(slots=True)
class _Rows:
    """Rows one below the other."""

    y: float
    rows: list[Row] = field(default_factory=list)

    def add(
        self, label: str, bars: Iterable[Bar], marks: Iterable[Mark] = (), note: Note | None = None
    ) -> None:
        self.rows.append(Row(self.y, label, tuple(bars), tuple(marks), note))
        self.y += ROW

    def head(self, label: str) -> None:
        self.rows.append(Row(self.y, label, heading=True))
        self.y += HEADING


def lay_out(report: Report) -> Chart:
    scale = make_scale(report.seconds, [(gap.at, gap.until) for gap in report.gaps])
    rows = _Rows(AXIS + (GAP_SIGN if report.gaps else 0))
    if report.downtimes:
        _downtime_row(rows, report, scale)
    if report.phases:
        rows.head("Phases")
        _phase_rows(rows, report, scale)
    if any(service.conditions for service in report.services):
        rows.head("Services")
        for service in report.services:
            bars = [
                _service_bar(stretch, scale) for stretch in service.conditions if stretch.until > stretch.at
            ]
            rows.add(service.name, bars, _marks(report, service.name, scale))
    if report.begun:
        rows.head("Steps")
        _step_rows(rows, report, scale)
    return Chart(
        height=rows.y + 4,
        ticks=tuple(ticks(report, scale)),
        bands=tuple(
            Band(scale.x(phase.at), scale.x(phase.until) - scale.x(phase.at), _lasted(phase))
            for phase in report.phases
        ),
        gaps=tuple(
            (scale.x(gap.at), scale.x(gap.until) - scale.x(gap.at), gap.number) for gap in report.gaps
        ),
        rows=tuple(rows.rows),
    )


def _bar(scale: Scale, at: float, until: float, look: str, title: str) -> Bar:
    x = min(scale.x(at), 100.0 - LEAST)
    return Bar(x, max(LEAST, scale.x(until) - x), look, title)


def _lasted(stretch: Stretch) -> str:
    return f"{stretch.name}: {show_duration(stretch.until - stretch.at)}"


def _service_bar(stretch: Stretch, scale: Scale) -> Bar:
    return _bar(scale, stretch.at, stretch.until, f"is-{stretch.name}", _lasted(stretch))


def _downtime_row(rows: _Rows, report: Report, scale: Scale) -> None:
    bars = [
        _bar(scale, down.at, down.until, "downtime", f"down for {show_duration(down.until - down.at)}")
        for down in report.downtimes
    ]
    text = show_duration(report.downtime) + (", still down" if report.still_down else "")
    rows.add("Downtime", bars, note=_note(bars, text))


def _phase_rows(rows: _Rows, report: Report, scale: Scale) -> None:
    """A row for each, also where it was entered again by a process that continued the run."""
    for name in dict.fromkeys(phase.name for phase in report.phases):
        stretches = [phase for phase in report.phases if phase.name == name]
        bars = [_bar(scale, phase.at, phase.until, "phase", _lasted(phase)) for phase in stretches]
        seconds = sum(phase.until - phase.at for phase in stretches)
        rows.add(name, bars, note=_note(bars, show_duration(seconds)))


def _note(bars: Sequence[Bar], text: str) -> Note:
    """Where there is room: after the last bar, before the first, or else inside of the longest."""
    end, begin = bars[-1].x + bars[-1].width, bars[0].x
    if end <= 100 - _ROOM:
        return Note(end, text, "start")
    if begin >= _ROOM:
        return Note(begin, text, "end")
    longest = max(bars, key=lambda bar: bar.width)
    return Note(longest.x, text, "start", inside=longest.look)


def _marks(report: Report, about: str, scale: Scale) -> Iterable[Mark]:
    looks = {"drift": "drift", "service failed": "cross", "interrupt": "hand"}
    for remark in report.remarks:
        if remark.about == about and remark.kind in looks:
            yield Mark(scale.x(remark.at), looks[remark.kind], f"{remark.kind}: {remark.text}")


def _step_rows(rows: _Rows, report: Report, scale: Scale) -> None:
    """A row for each step; when there are too many, for those that failed or took longest."""
    begun = report.begun
    alone = {step.id for step in begun}
    if len(begun) > MOST_STEPS:
        ranked = sorted(begun, key=lambda step: (step.failed, _time_taken(step)), reverse=True)
        alone = {step.id for step in ranked[: MOST_STEPS - 1]}
    for step in begun:
        if step.id in alone:
            bars = tuple(_attempt_bars(step, scale))
            rows.add(step.id, bars, _step_marks(report, step, scale), _note(bars, _step_note(step)))
    others = [step for step in begun if step.id not in alone]
    if others:
        merged = merge(bar for step in others for bar in _attempt_bars(step, scale))
        rows.add(f"{len(others):,} shorter ones", merged)


def _time_taken(step: StepFacts) -> float:
    return sum(attempt.until - attempt.at for attempt in step.attempts)


def _attempt_bars(step: StepFacts, scale: Scale) -> Iterable[Bar]:
    for attempt in step.attempts:
        look = _LOOKS.get(attempt.status, "failed") + ("" if attempt.counts else " old")
        number = f" (attempt {attempt.number})" if len(step.attempts) > 1 else ""
        title = (
            f"{step.id}{number}: {attempt.status}, {show_duration(attempt.seconds)}, at {attempt.time[11:19]}"
        )
        yield _bar(scale, attempt.at, attempt.until, look, title)


_LOOKS = {
    "done": "done",
    "not-applicable": "na",
    "running": "running",
    "interrupted": "lost",
    "unknown": "lost",
}


def _step_marks(report: Report, step: StepFacts, scale: Scale) -> Iterable[Mark]:
    for attempt in step.attempts:
        if attempt.status not in ("done", "not-applicable", "running"):
            yield Mark(scale.x(attempt.until), "cross", f"{attempt.status}: {attempt.message}")
    yield from _marks(report, step.id, scale)


def _step_note(step: StepFacts) -> str:
    text = show_duration(step.seconds)
    if step.factor is not None and step.factor >= 1.5:
        text += f", {step.factor:.1f}x"
    return text if step.good else f"{step.status}, {text}"


def merge(bars: Iterable[Bar]) -> list[Bar]:
    """Neighbours of the same look as one bar, when nobody could see what is between them."""
    merged: list[Bar] = []
    for bar in sorted(bars, key=lambda bar: bar.x):
        last = merged[-1] if merged else None
        if last and last.look == bar.look and bar.x - (last.x + last.width) < LEAST:
            width = max(last.width, bar.x + bar.width - last.x)
            merged[-1] = Bar(last.x, width, last.look, "several steps")
        else:
            merged.append(bar)
    return merged
