# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one page of HTML: style, chart and signs are inside, nothing is fetched, no script is run.

A policy in its head forbids the browser both, whatever a step may have printed.
"""

from pathlib import Path

from orchestrator.upgrade.report import outcome_part, record_part, steps_part, timeline_part, wording
from orchestrator.upgrade.report.markup import Markup, tag
from orchestrator.upgrade.report.model import Report
from orchestrator.upgrade.report.signs import SIGNS, symbol

_STYLE = Path(__file__).with_name("page.css")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def render_html(report: Report) -> str:
    """The whole document."""
    body = tag(
        "body",
        tag("svg", map(symbol, SIGNS), hidden="", width=0, height=0, aria_hidden="true"),
        tag(
            "main",
            outcome_part.head(report),
            outcome_part.left_to_do(report),
            outcome_part.failures(report),
            timeline_part.timeline(report),
            steps_part.steps(report),
            steps_part.services(report),
            record_part.consents(report),
            record_part.remarks(report),
            record_part.record(report),
        ),
        record_part.foot(report),
    )
    return f"<!DOCTYPE html>\n{tag('html', _head(report), body, lang='en')}\n"


def _head(report: Report) -> Markup:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="robots", content="noindex"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="generator", content=f"orchestrator {report.made_by}"),
        tag("link", rel="icon", href="data:,"),
        tag("title", wording.title(report)),
        tag("style", Markup(_STYLE.read_text(encoding="utf-8"))),
    )
