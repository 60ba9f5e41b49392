# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's first parts: the outcome in one glance, what is left to do, what failed. Pure."""

from collections.abc import Iterable

from orchestrator.upgrade.report import wording
from orchestrator.upgrade.report.markup import Child, Markup, tag
from orchestrator.upgrade.report.model import AttemptFacts, Left, Output, Remark, Report, StepFacts, Verdict
from orchestrator.upgrade.report.signs import chip, of_verdict, sign

MOST_DUE = 8


def section(name: str, title: Child, *parts: Child, class_: str | None = None) -> Markup:
    heading = tag("h2", title, id=name)
    return tag("section", heading, parts, aria_labelledby=name, class_=class_)


def head(report: Report) -> Markup:
    tone, name = of_verdict(report.verdict)
    return tag(
        "header",
        tag(
            "p",
            tag("b", report.product),
            tag("span", "Upgrade report"),
            tag("span", f"run {report.run}"),
            class_="over",
        ),
        tag(
            "div",
            tag("span", sign(name), class_="sign"),
            tag(
                "div",
                tag("h1", report.headline),
                tag("p", reason) if (reason := wording.reason(report)) else None,
            ),
            class_=f"verdict {tone}",
        ),
        _numbers(report),
        _facts(report),
    )


def _numbers(report: Report) -> Markup:
    done, rest = wording.counted(report)
    still = "alert" if report.still_down else None
    tiles = [
        ("Version", wording.versions(report), "", None),
        ("Downtime", wording.down(report), wording.about_downtime(report), still),
        ("Took", wording.took(report), wording.about_time(report), None),
        ("Steps done", done, rest, "alert" if report.failed else None),
    ]
    return tag(
        "dl",
        [
            tag("div", tag("dt", label), tag("dd", value, tag("small", more, class_=look) if more else None))
            for label, value, more, look in tiles
            if value
        ],
        class_="numbers",
    )


def _facts(report: Report) -> Markup:
    ended = (
        wording.moment(report.ended) if report.ended else f"not yet; last word {wording.clock(report.last)}"
    )
    exit_code = "" if report.exit_code is None else str(report.exit_code)
    pairs = [
        ("Host", report.host),
        ("Began", wording.moment(report.started)),
        ("Ended", ended),
        ("Begun by", wording.who(report.user, report.invoker)),
        ("Exit status", exit_code),
        ("Orchestrator", report.orchestrator),
        ("Selection", report.selection),
    ]
    return tag("dl", [tag("div", tag("dt", k), tag("dd", v)) for k, v in pairs if v], class_="facts")


def left_to_do(report: Report) -> Markup | None:
    left = report.left
    if left == Left():
        return None
    commands = [
        tag("div", tag("p", action.what), tag("code", action.command), class_="command")
        for action in left.actions
    ]
    tone = "info" if report.verdict is Verdict.RUNNING else "bad" if left.debts else "warn"
    title = "Under way" if report.verdict is Verdict.RUNNING else "What is left to do"
    owed = _owed(left)
    columns = tag("div", tag("div", commands) if commands else None, owed, class_="columns")
    return section("todo", title, columns, class_=f"todo {tone}")


def _owed(left: Left) -> Markup | None:
    if not left.debts and not left.steps:
        return None
    more = len(left.steps) - MOST_DUE
    debts = tag("ul", [tag("li", sign("alert"), tag("span", debt)) for debt in left.debts])
    return tag(
        "div",
        debts if left.debts else None,
        tag("p", f"{wording.plural(len(left.steps), 'step')} still due", class_="soft")
        if left.steps
        else None,
        [tag("code", step) for step in left.steps[:MOST_DUE]],
        tag("p", f"and {more:,} more", class_="soft") if more > 0 else None,
        class_="owed",
    )


def failures(report: Report) -> Markup | None:
    """Failed steps and services with what was heard of them; also a running step, and what was lost."""
    services = [remark for remark in report.remarks if remark.kind == "service failed"]
    shown: list[Markup] = [_failed_step(step) for step in report.steps if _told(step)]
    shown += [_failed_service(remark) for remark in services]
    shown += [_lost(step) for step in report.steps if step.lost]
    if not shown:
        return None
    failed = report.failed or services or any(a.output for step in report.steps for a in step.attempts)
    only_running = not report.failed and not services and report.verdict is Verdict.RUNNING
    title = (
        "What was lost"
        if not failed
        else "What failed"
        if report.failed or services
        else "What failed on the way"
    )
    title = "Running now" if only_running else title
    return section("failures", title, shown)


def _told(step: StepFacts) -> bool:
    return step.failed or any(attempt.output is not None for attempt in step.attempts)


def _failed_step(step: StepFacts) -> Markup:
    status = step.status if step.failed or step.status == "running" else f"{step.status} in the end"
    tone = "" if step.failed or step.status == "running" else "warn"
    mark = (
        chip(step.status, tone=tone) if not tone else tag("span", sign("again"), status, class_="chip warn")
    )
    shown = [attempt for attempt in step.attempts if attempt.output is not None]
    # The caption of an attempt's output says the message.
    told = "; ".join(word for word in (step.title, "" if shown else step.message) if word)
    silent = tag("p", f"Its output is not shown here: {_log_of(step)}") if not shown else None
    return tag(
        "div",
        tag("h3", tag("span", step.id), mark),
        tag("p", told) if told else None,
        [_attempt(attempt, folded=attempt is not shown[-1]) for attempt in shown],
        silent,
        class_="failure",
    )


def _log_of(step: StepFacts) -> str:
    return (step.attempts[-1].log if step.attempts else "") or "no log is known"


def _attempt(attempt: AttemptFacts, *, folded: bool) -> Markup:
    """What it printed; of an attempt before the last one it is folded away."""
    assert attempt.output is not None
    words = [f"Attempt {attempt.number} at {wording.clock(attempt.time)}", wording.status(attempt.status)]
    words += [attempt.message] if attempt.message else []
    caption: list[Child] = [", ".join(words), ". ", *_where(attempt.output, attempt.log)]
    lines = attempt.output.lines
    output = tag("pre", "\n".join(lines), tabindex=0) if lines else None
    if folded and output:
        return tag("details", tag("summary", *caption), output)
    return tag("figure", tag("figcaption", *caption), output)


def _where(output: Output, log: str) -> Iterable[Child]:
    if output.left_out:
        yield f"The last {wording.plural(len(output.lines), 'line')}; {output.left_out:,} bytes stand before them in "
    else:
        yield "All of " if output.lines else "It printed nothing: "
    yield tag("code", log)


def _failed_service(remark: Remark) -> Markup:
    reason, _, log = remark.text.partition("\n")
    return tag(
        "div",
        tag("h3", tag("span", f"service {remark.about}"), chip("failed")),
        tag("p", f"{wording.clock(remark.time)}: {reason}"),
        tag("figure", tag("pre", log, tabindex=0)) if log else None,
        class_="failure",
    )


def _lost(step: StepFacts) -> Markup:
    mark = tag("span", sign("alert"), f"{step.losses} lost", class_="chip warn")
    lines = tag("ul", [tag("li", line) for line in step.lost])
    return tag("div", tag("h3", tag("span", step.id), mark), lines, class_="failure")
