# SPDX-License-Identifier: GPL-3.0-or-later
"""A chart that is laid out, as SVG. Colours and the place of labels are the style sheet's. Pure."""

from orchestrator.upgrade.report.chart import AXIS, ROW, Band, Bar, Chart, Mark, Note, Row
from orchestrator.upgrade.report.markup import Markup, join, tag
from orchestrator.upgrade.report.scale import Tick

_BAR_Y, _BAR = 16, 11
_LONGEST_LABEL = 34
_MARKS = {
    "cross": "M-4,-4L4,4M-4,4L4,-4",
    "drift": "M0,-5L5,4L-5,4Z",
    "hand": "M-4,-4H4V4H-4Z",
}


def draw(chart: Chart, title: str, description: str) -> Markup:
    """The picture; what it shows stands in the page's tables as well."""
    return tag(
        "svg",
        tag("title", title, id="chart-title"),
        tag("desc", description, id="chart-description"),
        tag("defs", map(_pattern, ("moving", "working", "unseen")), _pattern("gap", 8), map(_symbol, _MARKS)),
        tag("g", [_band(band, number, chart.height) for number, band in enumerate(chart.bands)]),
        tag("g", [_tick(tick, chart.height) for tick in chart.ticks]),
        tag("g", map(_bars, chart.rows)),
        tag("g", [_gap(x, width, number, chart.height) for x, width, number in chart.gaps]),
        tag("g", map(_words, chart.rows)),
        role="img",
        aria_labelledby="chart-title chart-description",
        width="100%",
        height=chart.height,
    )


def _pattern(name: str, width: int = 5) -> Markup:
    return tag(
        "pattern",
        tag("rect", class_=f"ground {name}", width=width, height=width),
        tag("rect", class_=f"line {name}", width=width / 2, height=width),
        id=f"hatch-{name}",
        width=width,
        height=width,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )


def _symbol(name: str) -> Markup:
    return tag("path", id=f"mark-{name}", d=_MARKS[name])


def _percent(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") + "%"


def _tick(tick: Tick, height: float) -> Markup:
    x = _percent(tick.x)
    return tag(
        "g",
        tag("line", class_="grid", x1=x, x2=x, y1=AXIS - 4, y2=height),
        tag("text", tick.label, class_="tick", x=x, y=AXIS - 9, text_anchor=tick.anchor),
        class_="minor" if tick.minor else None,
    )


def _band(band: Band, number: int, height: float) -> Markup:
    return tag(
        "rect",
        tag("title", band.title),
        class_=f"band {'odd' if number % 2 else 'even'}",
        x=_percent(band.x),
        width=_percent(band.width),
        y=AXIS,
        height=height - AXIS,
    )


def _words(row: Row) -> Markup:
    """What is to be read stands above everything else."""
    if row.heading:
        return tag("text", row.label, class_="heading", x=0, y=row.y + 19)
    label = tag("text", _short(row.label), tag("title", row.label), class_="label", x=0, y=row.y + 11)
    marks = [_mark(mark, row.y) for mark in row.marks]
    return tag("g", label, marks, _note(row.note, row.y) if row.note else None)


def _short(label: str) -> str:
    """A step's number is at its beginning, what tells it from others mostly at its end."""
    if len(label) <= _LONGEST_LABEL:
        return label
    return f"{label[: _LONGEST_LABEL - 11]}…{label[-10:]}"


def _bars(row: Row) -> Markup | None:
    if row.heading:
        return None
    rule = tag("line", class_="rule", x1=0, x2="100%", y1=row.y + ROW, y2=row.y + ROW)
    return tag("g", rule, [_bar(bar, row.y + _BAR_Y) for bar in row.bars])


def _bar(bar: Bar, y: float) -> Markup:
    thin = 4 if bar.look == "is-down" else 0
    return tag(
        "rect",
        tag("title", bar.title),
        class_=f"bar {bar.look}",
        x=_percent(bar.x),
        width=_percent(bar.width),
        y=y + thin,
        height=_BAR - 2 * thin,
        rx=1.5,
    )


def _mark(mark: Mark, y: float) -> Markup:
    return tag(
        "use",
        tag("title", mark.title),
        href=f"#mark-{mark.look}",
        class_=f"mark {mark.look}",
        x=_percent(mark.x),
        y=y + _BAR_Y + _BAR / 2,
    )


def _note(note: Note, y: float) -> Markup:
    return tag(
        "text",
        note.text,
        class_=f"note inside on-{note.inside}" if note.inside else "note",
        x=_percent(note.x),
        y=y + _BAR_Y + _BAR - 2,
        dx=9 if note.anchor == "start" else -9,
        text_anchor=note.anchor,
    )


def _gap(x: float, width: float, number: int, height: float) -> Markup:
    middle = _percent(x + width / 2)
    return join(
        (
            tag(
                "rect", class_="gap-strip", x=_percent(x), width=_percent(width), y=AXIS, height=height - AXIS
            ),
            tag("circle", class_="gap-number", cx=middle, cy=AXIS + 11, r=9),
            tag("text", str(number), class_="gap-number", x=middle, y=AXIS + 15, text_anchor="middle"),
        )
    )
