# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's last parts: consents, remarks, the processes that were at work, what was not due. Pure."""

from orchestrator.upgrade.report import wording
from orchestrator.upgrade.report.markup import Markup, tag
from orchestrator.upgrade.report.model import Consent, Report
from orchestrator.upgrade.report.outcome_part import section
from orchestrator.upgrade.report.signs import chip
from orchestrator.upgrade.report.steps_part import head_row, table


def consents(report: Report) -> Markup | None:
    if not report.consents:
        return None
    body = tag("tbody", map(_consent, report.consents), role="rowgroup")
    columns = head_row("Question", "Answer", "By", "When")
    return section("consents", "Questions and consent", table(columns, body, label="consents"))


def _consent(consent: Consent) -> Markup:
    asked = tag("span", consent.text or consent.question)
    name = tag("small", consent.question) if consent.text else None
    yes = chip("done" if consent.answer else "failed")
    answer = yes.replace(">done<", ">yes<").replace(">failed<", ">no<")
    return tag(
        "tr",
        tag("th", asked, name, scope="row", role="rowheader"),
        tag("td", Markup(answer), role="cell"),
        tag(
            "td", ", ".join(word for word in (consent.user, consent.by) if word), class_="number", role="cell"
        ),
        tag("td", wording.moment(consent.time), class_="number", role="cell"),
        role="row",
    )


def remarks(report: Report) -> Markup | None:
    shown = [
        tag("li", tag("span", wording.clock(remark.time), class_="soft"), tag("span", remark.kind),
            tag("p", tag("b", f"{remark.about} ") if remark.about else None, remark.text))
        for remark in report.remarks
        if remark.kind != "service failed"
    ]  # fmt: skip
    shown += [
        tag("li", tag("span", "plan", class_="soft"), tag("span", "note"), tag("p", note))
        for note in report.plan_notes
    ]
    if not shown:
        return None
    return section("remarks", "Notes", tag("ul", shown, class_="remarks"))


def record(report: Report) -> Markup | None:
    """Who was at work when, and what the plan left out."""
    processes = [
        tag("li", tag("span", wording.moment(one.time), class_="soft"), tag("span", wording.session(one)))
        for one in report.sessions
    ]
    out = [tag("li", f"{item.step}: {item.reason}") for item in report.not_due]
    return section(
        "record",
        "Record",
        tag("ul", processes, class_="sessions") if processes else None,
        tag("details", tag("summary", f"{wording.plural(len(out), 'step')} not due"), tag("ul", out))
        if out
        else None,
        [tag("p", line, class_="damage") for line in report.damaged],
    )


def foot(report: Report) -> Markup:
    words = [f"Made {wording.moment(report.made)} by orchestrator {report.made_by} from {report.directory}."]
    if report.redacted:
        words.append(f"{wording.plural(report.redacted, 'secret')} taken out.")
    return tag("footer", tag("p", " ".join(words)))
