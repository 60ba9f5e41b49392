# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's tables of steps and services. Pure."""

from orchestrator.config.quantities import show_duration
from orchestrator.upgrade.report import wording
from orchestrator.upgrade.report.markup import Markup, tag
from orchestrator.upgrade.report.model import Report, ServiceFacts, StepFacts
from orchestrator.upgrade.report.outcome_part import section
from orchestrator.upgrade.report.signs import chip

# The bar of a comparison ends at so many times the usual; its line stands at once the usual.
_MOST_TIMES = 3.0


def head_row(*names: str) -> Markup:
    """On a phone a table is shown as blocks: the roles keep it a table for those who hear it."""
    cells = [tag("th", name, scope="col", role="columnheader") for name in names]
    return tag("thead", tag("tr", cells, role="row"), role="rowgroup")


def table(head: Markup, *bodies: object, label: str) -> Markup:
    rows = [body for body in bodies if isinstance(body, Markup)]
    return tag("table", head, rows, role="table", aria_labelledby=label)


def steps(report: Report) -> Markup | None:
    if not report.steps:
        return None
    compared = f"compared with {wording.plural(report.earlier_runs, 'earlier run')} on this host"
    note = tag("small", compared) if report.earlier_runs else None
    bodies = [
        tag("tbody", _group(report, phase), map(_step, members), role="rowgroup")
        for phase, members in wording.by_phase(report.steps).items()
    ]
    columns = head_row("Step", "Status", "Began", "Took", "Against the usual")
    return section("steps", ["Steps", note], table(columns, *bodies, label="steps"))


def _group(report: Report, phase: str) -> Markup:
    seconds = wording.phase_seconds(report, phase)
    lasted = tag("small", show_duration(seconds)) if seconds else None
    cell = tag("th", wording.phase(phase), lasted, scope="rowgroup", colspan=5, role="rowheader")
    return tag("tr", cell, class_="group", role="row")


def _step(step: StepFacts) -> Markup:
    first = step.attempts[0] if step.attempts else None
    more = [tag("small", wording.attempts(step))] if len(step.attempts) > 1 else []
    more += [tag("small", f"{step.losses} lost")] if step.losses else []
    more += [tag("small", f"left running: {', '.join(a.left)}") for a in step.attempts if a.left]
    said = tag("small", step.message, class_="said") if step.failed and step.message else None
    return tag(
        "tr",
        tag("th", tag("span", step.id, class_="mono"), tag("small", step.title) if step.title else None,
            scope="row", role="rowheader"),
        tag("td", chip(step.status), more, said, role="cell"),
        tag("td", wording.clock(first.time) if first else "", class_="number", role="cell"),
        tag("td", show_duration(step.seconds) if step.attempts else "", class_="number", role="cell"),
        tag("td", wording.compared(step), _meter(step), class_="compared", role="cell"),
        role="row",
    )  # fmt: skip


def _meter(step: StepFacts) -> Markup | None:
    if step.factor is None:
        return None
    width = min(1.0, step.factor / _MOST_TIMES) * 100
    look = "meter much" if step.factor > 2 else "meter"
    return tag("span", tag("i", style=f"width:{width:.1f}%"), tag("u"), class_=look, aria_hidden="true")


def services(report: Report) -> Markup | None:
    if not report.services:
        return None
    body = tag("tbody", map(_service, report.services), role="rowgroup")
    columns = head_row("Service", "Before", "Stopped in", "Ready in", "After")
    return section("services", "Services", table(columns, body, label="services"))


def _service(service: ServiceFacts) -> Markup:
    stop = wording.stop_and_start(service.stop_seconds, service.usual_stop)
    start = wording.stop_and_start(service.start_seconds, service.usual_start)
    changed = wording.changed(service)
    after = chip(service.after, tone="bad" if changed and service.after != "up" else "")
    return tag(
        "tr",
        tag("th", service.name, scope="row", role="rowheader"),
        tag("td", service.before, role="cell", data_name="before"),
        tag("td", stop, class_="number", role="cell", data_name="stopped in"),
        tag("td", start, class_="number", role="cell", data_name="ready in"),
        tag("td", after, role="cell", data_name="after"),
        role="row",
    )
