# SPDX-License-Identifier: GPL-3.0-or-later
"""Phrases that the page and the Markdown share. Pure."""

from collections.abc import Iterable

from orchestrator.config.quantities import show_duration
from orchestrator.upgrade.due import Reason
from orchestrator.upgrade.report.model import Report, ServiceFacts, Session, StepFacts, Usual, Verdict

_INVOKERS = {
    "terminal": "at a terminal",
    "unattended": "unattended",
    "deb": "by a deb package",
    "rpm": "by an rpm package",
}
_PHASES = {"checks": "checks, before anything is stopped", "": "maintenance mode"}
_STATUS = {"not-applicable": "does not apply", "timed-out": "timed out", "later": "try later"}
SKIPPED = Reason.SKIP_ASKED.value
RUN_TO_RUN = 1.33  # durations differ that much from run to run without a reason


def title(report: Report) -> str:
    return f"{report.product}: {report.headline}"


def reason(report: Report) -> str:
    """The reason, without what the headline says already."""
    for step in report.failed:
        said = f"{step.id} failed: "
        if report.headline.endswith(step.id) and report.reason.startswith(said):
            rest = report.reason.removeprefix(said)
            return f"{rest[:1].upper()}{rest[1:]}"
    return report.reason


def versions(report: Report) -> str:
    if report.to_version is None:
        return ""
    if report.from_version in (None, report.to_version):
        return report.to_version
    return f"{report.from_version} → {report.to_version}"


def moment(time: str) -> str:
    """`2026-11-20 10:15:00 UTC`; what is no time stays as it is."""
    return f"{time[:10]} {time[11:19]} UTC" if len(time) >= 19 and time[10] == "T" else time


def clock(time: str) -> str:
    return time[11:19] if len(time) >= 19 else time


def who(user: str, invoker: str) -> str:
    how = _INVOKERS.get(invoker, f"by {invoker}" if invoker else "")
    return ", ".join(word for word in (user, how) if word) or "unknown"


def status(word: str) -> str:
    return _STATUS.get(word, word)


def phase(name: str) -> str:
    return _PHASES.get(name, name)


def plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def took(report: Report) -> str:
    return show_duration(report.seconds_at_work)


def about_time(report: Report) -> str:
    """What else is to be said of how long it took."""
    words = []
    if report.gaps:
        words.append(f"in {len(report.sessions)} goes, {show_duration(report.seconds)} from first to last")
    if report.expected_seconds and report.finished:
        words.append(f"expected {show_duration(report.expected_seconds)}")
    return "; ".join(words)


def down(report: Report) -> str:
    if not report.downtimes:
        return "none"
    return show_duration(report.downtime)


def about_downtime(report: Report) -> str:
    if report.still_down:
        return "and still down" if report.verdict is Verdict.RUNNING else "down at the last word"
    if report.downtimes and report.expected_downtime:
        return f"expected {show_duration(report.expected_downtime)}"
    return ""


def counted(report: Report) -> tuple[str, str]:
    """How many steps are done of all, and what became of the others."""
    good = sum(1 for step in report.steps if step.good)
    failed = len(report.failed)
    waiting = sum(1 for step in report.steps if step.status == "not run")
    rest = [f"{failed} failed"] if failed else []
    rest += [f"{waiting} not run"] if waiting else []
    skipped = sum(1 for item in report.not_due if item.reason == SKIPPED)
    rest += [f"{skipped} skipped"] if skipped else []
    return f"{good:,} of {len(report.steps):,}", ", ".join(rest)


def compared(step: StepFacts) -> str:
    """`2.3x the usual 40 s`; empty when there is nothing to say."""
    if step.usual is None:
        return ""
    usual = show_duration(step.usual.seconds)
    if step.factor is None and (step.usual.seconds < 1 or step.good):
        return ""
    if step.factor is None:
        return f"usually {usual}" if step.usual.runs else f"estimated {usual}"
    if 1 / RUN_TO_RUN <= step.factor <= RUN_TO_RUN:
        return f"as usual ({usual})" if step.usual.runs else f"as estimated ({usual})"
    factor = f"{step.factor:.1f}" if step.factor >= 0.095 else f"{step.factor:.2f}"
    return f"{factor}x the usual {usual}" if step.usual.runs else f"{factor}x its estimate of {usual}"


def attempts(step: StepFacts) -> str:
    return plural(len(step.attempts), "attempt") if len(step.attempts) > 1 else ""


def stop_and_start(seconds: float | None, usual: Usual | None) -> str:
    if seconds is None:
        return ""
    told = show_duration(seconds)
    if (
        usual
        and max(seconds, usual.seconds) >= 1
        and not 1 / RUN_TO_RUN <= seconds / max(usual.seconds, 0.05) <= RUN_TO_RUN
    ):
        told += f" (usually {show_duration(usual.seconds)})"
    return told


def changed(service: ServiceFacts) -> bool:
    """Whether it is not as it was before."""
    return service.before.partition(",")[0] != service.after and service.before != "unknown"


def session(one: Session) -> str:
    ended = {"died": "died without a word", "running": "is at work", "recovered": "done"}
    how = ended.get(one.ended, f"{one.ended}: {one.reason}" if one.reason else one.ended)
    return (
        f"{one.verb} by {who(one.user, one.invoker)}; {how}"
        if one.user or one.invoker
        else f"{one.verb}: {how}"
    )


def by_phase(steps: Iterable[StepFacts]) -> dict[str, list[StepFacts]]:
    """In the order in which the phases appear."""
    groups: dict[str, list[StepFacts]] = {}
    for step in steps:
        groups.setdefault(step.phase, []).append(step)
    return groups


def phase_seconds(report: Report, name: str) -> float:
    return sum(stretch.until - stretch.at for stretch in report.phases if stretch.name == name)
