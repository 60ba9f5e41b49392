# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's chart with its legend, and the gaps in words. Pure."""

from orchestrator.config.quantities import show_duration
from orchestrator.upgrade.report import wording
from orchestrator.upgrade.report.chart import Chart, lay_out
from orchestrator.upgrade.report.drawing import draw
from orchestrator.upgrade.report.markup import Markup, tag
from orchestrator.upgrade.report.model import Gap, Report
from orchestrator.upgrade.report.outcome_part import section

_LEGEND = {
    "is-up": "service ready",
    "is-stopping": "stopping or starting",
    "is-starting": "stopping or starting",
    "is-down": "service down",
    "is-unknown": "not known",
    "done": "step done",
    "na": "does not apply",
    "running": "running",
    "lost": "its end was not seen",
    "failed": "failed",
    "is-failed": "failed",
    "downtime": "downtime",
}


def timeline(report: Report) -> Markup | None:
    chart = lay_out(report)
    if not chart.rows:
        return None
    title = [f"Timeline of run {report.run}"]
    picture = tag("div", draw(chart, title[0], _description(report)), class_="chart")
    times = tag("small", f"{wording.moment(report.started)[:10]}, times in UTC")
    return section("timeline", ["Timeline", times], tag("figure", picture), _legend(chart), _gaps(report))


def _description(report: Report) -> str:
    phases = "; ".join(f"{phase.name} {show_duration(phase.until - phase.at)}" for phase in report.phases)
    down = f"Downtime: {wording.down(report)}." if report.services or report.downtimes else ""
    return f"Phases: {phases or 'none'}. {down} The tables of steps and services hold the same in words."


def _legend(chart: Chart) -> Markup:
    """Only what is in the picture."""
    looks = {bar.look.partition(" ")[0] for row in chart.rows for bar in row.bars}
    seen: dict[str, str] = {}
    for look, text in _LEGEND.items():
        if look in looks:
            seen.setdefault(text, look)
    marks = {mark.look for row in chart.rows for mark in row.marks}
    named = {"drift": "not as it should be", "hand": "asked to stop"}
    return tag(
        "p",
        [tag("span", _swatch(look), text) for text, look in seen.items()],
        [tag("span", _mark(look), text) for look, text in named.items() if look in marks],
        tag("span", _swatch("gap-strip"), "nobody at work (not to scale)") if chart.gaps else None,
        class_="legend",
        aria_hidden="true",
    )


def _swatch(look: str) -> Markup:
    y, height = (4, 3) if look == "is-down" else (0, 11)
    return tag(
        "svg",
        tag(
            "rect",
            class_=look if look == "gap-strip" else f"bar {look}",
            width=22,
            y=y,
            height=height,
            rx=1.5,
        ),
    )


def _mark(look: str) -> Markup:
    return tag("svg", tag("use", href=f"#mark-{look}", class_=f"mark {look}", x=11, y=5.5))


def _gaps(report: Report) -> Markup | None:
    if not report.gaps:
        return None
    return tag(
        "ol",
        [tag("li", tag("b", str(gap.number)), tag("span", _gap(report, gap))) for gap in report.gaps],
        class_="gaps",
    )


def _gap(report: Report, gap: Gap) -> str:
    later = report.sessions[gap.number] if gap.number < len(report.sessions) else None
    went_on = ""
    if later:
        by = wording.who(later.user, later.invoker)
        went_on = f"; {later.verb} {wording.moment(later.time)}" + (f" by {by}" if later.user else "")
    return f"{show_duration(gap.seconds)}: {gap.why}{went_on}."
