# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as Markdown, for a ticket, a mail, or a terminal. Pure."""

import re
from collections.abc import Iterable

from orchestrator.config.quantities import show_duration
from orchestrator.upgrade.report import wording
from orchestrator.upgrade.report.model import Left, Output, Report, StepFacts

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")
_AT_BEGINNING = re.compile(r"^(\s*)([-+=]|\d+[.)])(?=\s|$)")
_FENCE = re.compile("`{3,}")


def render_markdown(report: Report) -> str:
    parts = (
        _head(report),
        _left(report),
        _failures(report),
        _steps(report),
        _timeline(report),
        _services(report),
        _consents(report),
        _remarks(report),
        _record(report),
    )
    return "\n".join(line for part in parts for line in part).rstrip("\n") + "\n"


def plain(text: str) -> str:
    """`text` in one line, with nothing in it that Markdown would act on."""
    one_line = " ".join(text.split())
    return _AT_BEGINNING.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", one_line))


def code(text: str) -> str:
    """A span of code, whatever is in it."""
    one_line = " ".join(text.split())
    longest = max((len(run) for run in re.findall("`+", one_line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{fence}{pad}{one_line}{pad}{fence}"


def fenced(lines: Iterable[str]) -> list[str]:
    """A block of code; its fence is longer than any in it."""
    lines = list(lines)
    longest = max((len(run) for line in lines for run in _FENCE.findall(line)), default=2)
    fence = "`" * (longest + 1)
    return [fence, *lines, fence, ""]


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    columns = list(columns)
    ruled = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    return [*ruled, *(f"| {' | '.join(cell or ' ' for cell in row)} |" for row in rows), ""]


def _cell(text: str) -> str:
    """Code in a cell of a table: a bar would end it, escaped or not, for some readers."""
    return code(text) if "|" not in text else plain(text)


def _head(report: Report) -> list[str]:
    done, rest = wording.counted(report)
    ended = (
        wording.moment(report.ended)
        if report.ended
        else f"unfinished; last word {wording.moment(report.last)}"
    )
    facts = [
        ("Version", wording.versions(report)),
        ("Host", report.host),
        ("Run", report.run),
        ("Began", f"{wording.moment(report.started)} by {wording.who(report.user, report.invoker)}"),
        ("Ended", ended),
        ("Took", _with(wording.took(report), wording.about_time(report))),
        ("Downtime", _with(wording.down(report), wording.about_downtime(report))),
        ("Steps done", _with(done, rest)),
        ("Exit status", "" if report.exit_code is None else str(report.exit_code)),
        ("Orchestrator", report.orchestrator),
        ("Selection", report.selection),
    ]
    told = [plain(wording.reason(report)), ""] if report.reason else []
    return [
        f"# {plain(wording.title(report))}",
        "",
        *told,
        *(f"- {k}: {plain(v)}" for k, v in facts if v),
        "",
    ]


def _with(text: str, more: str) -> str:
    return f"{text} ({more})" if more else text


def _left(report: Report) -> list[str]:
    left = report.left
    if left == Left():
        return []
    lines = ["## What is left to do", ""]
    lines += [f"- {plain(debt)}" for debt in left.debts]
    if left.steps:
        lines.append(f"- {wording.plural(len(left.steps), 'step')} still due: {', '.join(map(code, left.steps[:12]))}"
                     + (f" and {len(left.steps) - 12:,} more" if len(left.steps) > 12 else ""))  # fmt: skip
    lines.append("")
    for action in left.actions:
        lines += [f"{plain(action.what)}:", "", *fenced([action.command])]
    return lines


def _failures(report: Report) -> list[str]:
    lines: list[str] = []
    for step in report.steps:
        shown = [(attempt, attempt.output) for attempt in step.attempts if attempt.output is not None]
        if step.failed or shown:
            lines += [f"### {code(step.id)}: {wording.status(step.status)}", ""]
            lines += [plain(step.message), ""] if step.message else []
        for attempt, output in shown:
            lines += [
                f"Attempt {attempt.number} at {wording.clock(attempt.time)}; {_where(output)} {code(attempt.log)}",
                "",
            ]
            lines += fenced(output.lines) if output.lines else []
    for remark in report.remarks:
        if remark.kind == "service failed":
            lines += [f"### service {plain(remark.about)}: failed", "", *fenced(remark.text.split("\n"))]
    for step in report.steps:
        if step.lost:
            lines += [
                f"### {code(step.id)}: {step.losses} lost",
                "",
                *(f"- {plain(one)}" for one in step.lost),
                "",
            ]
    return ["## What failed", "", *lines] if lines else []


def _where(output: Output) -> str:
    if output.left_out:
        return f"the last {wording.plural(len(output.lines), 'line')} of"
    return "all of" if output.lines else "it printed nothing:"


def _steps(report: Report) -> list[str]:
    if not report.steps:
        return []
    rows = [
        (
            _cell(step.id),
            plain(wording.phase(phase)),
            _status(step),
            *_times(step),
            plain(wording.compared(step)),
        )
        for phase, members in wording.by_phase(report.steps).items()
        for step in members
    ]
    return ["## Steps", "", *_table(("step", "phase", "status", "began", "took", "against the usual"), rows)]


def _status(step: StepFacts) -> str:
    words = [
        wording.status(step.status),
        wording.attempts(step),
        f"{step.losses} lost" if step.losses else "",
    ]
    return plain(", ".join(word for word in words if word))


def _times(step: StepFacts) -> tuple[str, str]:
    if not step.attempts:
        return "", ""
    return wording.clock(step.attempts[0].time), show_duration(step.seconds)


def _timeline(report: Report) -> list[str]:
    if not report.phases:
        return []
    rows = [(plain(p.name), show_duration(p.at), show_duration(p.until - p.at)) for p in report.phases]
    return ["## Phases", "", *_table(("phase", "after", "took"), rows)]


def _services(report: Report) -> list[str]:
    rows = [
        (
            plain(one.name),
            plain(one.before),
            plain(wording.stop_and_start(one.stop_seconds, one.usual_stop)),
            plain(wording.stop_and_start(one.start_seconds, one.usual_start)),
            plain(one.after),
        )
        for one in report.services
    ]
    return (
        ["## Services", "", *_table(("service", "before", "stopped in", "ready in", "after"), rows)]
        if rows
        else []
    )


def _consents(report: Report) -> list[str]:
    rows = [
        (
            plain(one.text or one.question),
            "yes" if one.answer else "no",
            plain(one.user),
            plain(one.by),
            wording.moment(one.time),
        )
        for one in report.consents
    ]
    columns = ("question", "answer", "user", "by", "when")
    return ["## Questions and consent", "", *_table(columns, rows)] if rows else []


def _remarks(report: Report) -> list[str]:
    lines = [
        f"- {wording.clock(one.time)} {one.kind}: {plain(f'{one.about} {one.text}'.strip())}"
        for one in report.remarks
        if one.kind != "service failed"
    ]
    lines += [f"- plan: {plain(note)}" for note in report.plan_notes]
    return ["## Notes", "", *lines, ""] if lines else []


def _record(report: Report) -> list[str]:
    lines = [f"- {wording.moment(one.time)} {plain(wording.session(one))}" for one in report.sessions]
    lines += [f"- gap of {show_duration(gap.seconds)}: {plain(gap.why)}" for gap in report.gaps]
    lines += [f"- {wording.plural(len(report.not_due), 'step')} not due"] if report.not_due else []
    lines += [f"- {plain(line)}" for line in report.damaged]
    made = (
        f"Made {wording.moment(report.made)} by orchestrator {report.made_by} from {code(report.directory)}."
    )
    return ["## Record", "", *lines, "", made]
