# SPDX-License-Identifier: GPL-3.0-or-later
"""Earlier runs in words: what `runs list` and `runs show` tell. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.cli.wording import Line
from orchestrator.config.quantities import show_duration
from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.runstate import RunState

BAR_CELLS = 10
_EIGHTHS = "\u258f\u258e\u258d\u258c\u258b\u258a\u2589\u2588"  # left one eighth block ... full block
_BAD = {"failed", "timed-out", "stopped", "unknown", "drifted", "later"}


def versions(state: RunState) -> str:
    if state.from_version in (None, state.to_version):
        return state.to_version or "-"
    return f"{state.from_version} -> {state.to_version or '?'}"


def migrations(state: RunState) -> list[str]:
    """The steps it has begun, without checks and what is journaled like a step."""
    return [step for step in state.attempts if step.startswith(("default/", "upgrade/"))]


# The list -----------------------------------------------------------------------------------------


def list_rows(runs: Iterable[tuple[str, RunState]], encoding: str) -> list[tuple[str, ...]]:
    """Run, version, outcome, steps, downtime, and its bar beside the longest of all, for a stream of `encoding`."""
    runs = list(runs)
    longest = max((state.downtime for _, state in runs), default=0.0)
    blocks = can_show(_EIGHTHS, encoding)
    return [
        (
            name,
            versions(state),
            state.outcome or "unfinished",
            str(len(migrations(state))),
            show_duration(state.downtime) if state.downtime else "-",
            bar(state.downtime, longest, blocks=blocks),
        )
        for name, state in runs
    ]


def bar(value: float, longest: float, *, blocks: bool = True) -> str:
    """`value` as a part of `longest`, which fills BAR_CELLS; never empty for what is more than nothing."""
    if value <= 0 or longest <= 0:
        return ""
    share = min(1.0, value / longest)
    if not blocks:
        return "#" * max(1, round(share * BAR_CELLS))
    eighths = max(1, round(share * BAR_CELLS * 8))
    return _EIGHTHS[-1] * (eighths // 8) + (_EIGHTHS[eighths % 8 - 1] if eighths % 8 else "")


def can_show(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


# One run ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that happened: when, how it ended, how long it took, what it was."""

    time: str
    status: str
    what: str
    seconds: float | None = None
    note: str = ""
    step: str = ""

    @property
    def style(self) -> str:
        return "bad" if self.status in _BAD else "bold" if self.status == "phase" else ""

    def cells(self) -> tuple[str, str, str, str]:
        took = "" if self.seconds is None else show_duration(self.seconds)
        return self.time[11:19], self.status, took, f"{self.what}: {self.note}" if self.note else self.what


def heading(name: str, state: RunState, events: Sequence[Event], *, running: bool) -> list[Line]:
    """Who began it, when, and what became of it."""
    invoker = events[0].get("invoker") if events else None  # the state knows who continued it
    became = state.outcome or ("under way" if running else "unfinished")
    who = f"{state.user} ({invoker})" if invoker else state.user
    lines = [
        Line(f"Run {name}: {became}", "bold"),
        Line(f"  version   {versions(state)}"),
        Line(f"  started   {_moment(state.started)} by {who or 'somebody'}"),
    ]
    if state.ended:
        lines.append(
            Line(f"  ended     {_moment(state.ended)}, after {_between(state.started, state.ended)}")
        )
    if state.continued:
        lines.append(Line(f"  continued {state.continued} time{'' if state.continued == 1 else 's'}"))
    down = show_duration(state.downtime) if state.downtime else "none"
    still = f", and since {_moment(state.down_since.time)}" if state.down_since else ""
    lines.append(Line(f"  downtime  {down}{still}"))
    return lines


def ending(state: RunState) -> list[Line]:
    """What is left behind; empty when all is well."""
    lines = [Line(f"stopped: {state.stop_reason}", "bad")] if state.stop_reason else []
    if state.debts:
        lines.append(Line(f"still to undo: {', '.join(sorted(state.debts))}", "bad"))
    return lines


def _moment(time: str) -> str:
    return f"{time[:10]} {time[11:19]} UTC"


def _between(earlier: str, later: str) -> str:
    try:
        seconds = (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except ValueError:
        return "some time"
    return show_duration(max(0.0, seconds))


def course(events: Iterable[Event]) -> list[Row]:
    """Phases, services and attempts in their order; services that moved together in one row."""
    rows: list[Row] = []
    tries: dict[str, int] = {}
    for event in events:
        if event.name is EventName.STEP_STARTED:
            tries[event["step"]] = event["attempt"]
            rows.append(Row(event.time, "running", _attempt(event), step=event["step"]))
        elif event.name is EventName.STEP_ENDED:
            _end(rows, event)
        elif (row := _row(event)) is not None:
            _add(rows, row)
    retried = {step for step, number in tries.items() if number > 1}
    return [row if row.step in retried else replace(row, what=row.step or row.what) for row in rows]


def _attempt(event: Event) -> str:
    return f"{event['step']} (try {event['attempt']})"


def _end(rows: list[Row], event: Event) -> None:
    for index in reversed(range(len(rows))):
        if rows[index].step == event["step"]:
            note, seconds = event.get("message", ""), event.get("seconds", 0.0)
            rows[index] = replace(rows[index], status=event["status"], seconds=seconds, note=note)
            return


def _add(rows: list[Row], row: Row) -> None:
    last = rows[-1] if rows else None
    if last and row.status in ("down", "ready") and last.status == row.status:
        longest = max(last.seconds or 0.0, row.seconds or 0.0)
        rows[-1] = replace(last, what=f"{last.what}, {row.what}", seconds=longest)
    else:
        rows.append(row)


def _row(event: Event) -> Row | None:
    match event.name:
        case EventName.PHASE_ENTERED:
            return Row(event.time, "phase", event["phase"])
        case EventName.SERVICE_DOWN | EventName.SERVICE_READY:
            moved = "down" if event.name is EventName.SERVICE_DOWN else "ready"
            return Row(event.time, moved, event["service"], event.get("seconds", 0.0))
        case EventName.SERVICE_FAILED:
            return Row(event.time, "failed", event["service"], note=event.get("reason", ""))
        case EventName.SERVICE_DRIFTED:
            found = f"should be {event.get('wanted', '')}: {event.get('found', '')}"
            return Row(event.time, "drifted", event["service"], note=found)
        case EventName.STEP_SKIPPED:
            return Row(event.time, "skipped", event["step"], note=event.get("reason", ""))
        case _:
            return _of_run(event)


def _of_run(event: Event) -> Row | None:
    match event.name:
        case EventName.RUN_CONTINUED:
            who = " ".join(filter(None, [event.get("user", ""), f"({event.get('invoker') or '?'})"]))
            return Row(event.time, "continued", f"by {who}")
        case EventName.RUN_RESTARTED:
            return Row(event.time, "restarted", "the run, from its first step")
        case EventName.RECOVERED:
            return Row(event.time, "recovered", "services and maintenance mode")
        case EventName.RUN_STOPPED:
            return Row(event.time, "stopped", event.get("reason", ""))
    return None


def course_rows(rows: Sequence[Row]) -> list[tuple[str, str, str, str]]:
    return [row.cells() for row in rows]
