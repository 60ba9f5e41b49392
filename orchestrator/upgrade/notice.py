# SPDX-License-Identifier: GPL-3.0-or-later
"""The document that a command of `notify:` finds on its input (docs/formats.md).

All moments have the same keys; what a moment knows nothing of is null or empty. A script that reads it needs no more
than `summary`, one line, and what it is interested in.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from orchestrator.config.quantities import show_duration
from orchestrator.host import clock, facts, files
from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.requests import Request
from orchestrator.upgrade.runs import RunDirectory
from orchestrator.upgrade.runstate import Attempt, Outcome, RunState
from orchestrator.upgrade.setting import Setting

FORMAT = 1
# Of the output of a failed step; and how many steps are named at the most.
OUTPUT_LINES, LONGEST_LINE, MOST_STEPS = 20, 500, 20
_LONGEST_STEPS = 5
_HOST_WENT_DOWN = "the host went down in mid-run"
_KILLED = "it was killed"


class Moment(StrEnum):
    """When it is told. `pending`: an upgrade was asked for and waits for somebody."""

    PENDING = "pending"
    START = "start"
    FAILURE = "failure"
    END = "end"


@dataclass(frozen=True, slots=True)
class Past:
    """How an attempt at a run ended, or that it began. `seq`: of the event that says so; of the beginning, where the
    runner died without a word. `reason`: why, if somebody knows better than the journal."""

    moment: Moment
    seq: int
    died: bool = False
    reason: str = ""
    exit_code: int | None = None


def attempts(events: Iterable[Event]) -> list[Past]:
    """Each beginning or continuation of the run, with how it went. The last one may be under way still. Pure."""
    found: list[Past] = []
    for event in events:
        if event.name in (EventName.RUN_STARTED, EventName.RUN_CONTINUED):
            found.append(Past(Moment.FAILURE, event.seq, died=True))
        elif event.name in (EventName.RUN_STOPPED, EventName.RUN_ENDED) and found:
            moment = Moment.END if event.name is EventName.RUN_ENDED else Moment.FAILURE
            found[-1] = Past(moment, event.seq)
    return found


def of_request(setting: Setting, request: Request, clean: Callable[[str], str]) -> dict[str, Any]:
    """Of the moment `pending`."""
    product, host = setting.config.product.name, facts.host_name()
    asked = {
        "by": request.by,
        "reason": clean(request.reason),
        "time": request.time,
        "at_boot": request.at_boot,
    }
    return {
        **_nothing(Moment.PENDING, setting),
        "summary": _line(f"{product} on {host}: an upgrade waits: {asked['reason'] or request.by}"),
        "request": asked,
        "next": setting.command("upgrade"),
    }


def of_run(
    setting: Setting, directory: RunDirectory, state: RunState, past: Past, clean: Callable[[str], str]
) -> dict[str, Any]:
    """Of any other moment. `state` is that of the run at the moment, `clean` removes secrets from a text."""
    plan, product = directory.saved_plan(), setting.config.product.name
    ended = past.moment in (Moment.FAILURE, Moment.END)
    reason = clean(_reason(state, past))
    return {
        **_nothing(past.moment, setting),
        "summary": _line(f"{product} on {facts.host_name()}: {_headline(state, past, reason)}"),
        "run": directory.id,
        "continued": state.continued,
        "user": state.user,
        "invoker": state.invoker,
        "from_version": state.from_version,
        "to_version": state.to_version,
        "started": state.started,
        "seconds": _seconds(state) if ended else 0.0,
        "expected_seconds": plan.get("seconds") or None,
        "expected_downtime": _expected_downtime(plan),
        "downtime": round(state.downtime, 3) if past.moment is Moment.END else None,
        "down_since": state.down_since.time if state.down_since else None,
        "phase": state.phase,
        "outcome": state.outcome,
        "exit_code": past.exit_code if past.died or not ended else state.exit_code,
        "reason": reason,
        "steps": _steps(directory, state, plan, clean),
        "debts": sorted(state.debts),
        "next": setting.command(_next(state, past)) if _next(state, past) else None,
        "report": setting.command(f"runs report {directory.id} -o report.html"),
    }


def _nothing(moment: Moment, setting: Setting) -> dict[str, Any]:
    """The document with nothing in it but who tells it, and when."""
    unknown = (
        *("run", "continued", "user", "invoker", "from_version", "to_version", "started", "seconds"),
        *("expected_seconds", "expected_downtime", "downtime", "down_since", "phase", "outcome", "exit_code"),
    )
    return {
        "format": FORMAT,
        "moment": moment.value,
        "time": clock.timestamp(),
        "late": False,
        "host": facts.host_name(),
        "product": setting.config.product.name,
        "summary": "",
        **dict.fromkeys(unknown),
        "reason": "",
        "steps": None,
        "debts": [],
        "request": None,
        "next": None,
        "report": None,
    }


def _reason(state: RunState, past: Past) -> str:
    if past.reason or past.moment is not Moment.FAILURE:
        return past.reason
    if past.died:
        return _HOST_WENT_DOWN if state.boot != facts.boot_id() else _KILLED
    return state.stop_reason


def _headline(state: RunState, past: Past, reason: str) -> str:
    versions = f" to {state.to_version}" if state.to_version else ""
    if past.moment is Moment.START:
        return f"the upgrade{versions} goes on" if state.continued else f"an upgrade{versions} begins"
    took = show_duration(_seconds(state))
    if past.moment is Moment.FAILURE:
        where = f" in phase {state.phase}" if state.phase else ""
        return f"the upgrade{versions} stopped{where} after {took}: {reason}"
    told = {
        Outcome.DONE: "is done",
        Outcome.DONE_WITH_FAILURES: "is done, but steps failed",
        Outcome.DONE_WITH_LOSSES: "is done, with losses",
        Outcome.REFUSED: "was refused; nothing was stopped",
    }
    down = f", {show_duration(state.downtime)} of it without service" if state.downtime else ""
    return f"the upgrade{versions} {told[state.outcome or Outcome.DONE]} after {took}{down}"


def _next(state: RunState, past: Past) -> str:
    """The command that goes on; empty when nothing is left to do."""
    if past.moment is Moment.START:
        return "status"
    return "" if state.outcome in (Outcome.DONE, Outcome.DONE_WITH_LOSSES) else "upgrade"


def _expected_downtime(plan: Mapping[str, Any]) -> float | None:
    """0 where nothing is stopped; None where nobody knows for how long."""
    if "downtime" not in plan:
        return None
    expected: float | None = plan["downtime"]
    return 0.0 if expected is None else expected or None


def _seconds(state: RunState) -> float:
    """From its first beginning until its end, or now, by the wall clock: there may be a reboot between."""
    until = datetime.fromisoformat(state.ended) if state.ended else clock.now()
    return round(max(0.0, (until - datetime.fromisoformat(state.started)).total_seconds()), 3)


def _steps(
    directory: RunDirectory, state: RunState, plan: Mapping[str, Any], clean: Callable[[str], str]
) -> dict[str, Any]:
    planned = {step["id"] for step in plan.get("steps", ()) if step.get("due")}
    ours = {step for step in state.attempts if step.startswith(("default/", "upgrade/"))}
    done = {step for step in ours if state.finished(step)}
    last = [attempts[-1] for attempts in state.attempts.values()]
    longest = sorted((one for one in last if one.status), key=lambda one: -one.seconds)
    in_flight = state.in_flight
    return {
        "due": len(planned | done),
        "done": len(done),
        "running": in_flight.step if in_flight else None,
        "failed": [_failed(directory, attempt, clean) for attempt in state.failures[:MOST_STEPS]],
        "losses": {attempt.step: attempt.losses for attempt in state.losses[:MOST_STEPS]},
        "longest": [{"step": one.step, "seconds": one.seconds} for one in longest[:_LONGEST_STEPS]],
    }


def _failed(directory: RunDirectory, attempt: Attempt, clean: Callable[[str], str]) -> dict[str, Any]:
    log = directory.step_file(attempt.step, attempt.number, "log")
    return {
        "step": attempt.step,
        "status": attempt.status,
        "message": clean(attempt.message),
        "attempt": attempt.number,
        "seconds": attempt.seconds,
        "log": str(log),
        "output": output_lines(files.last_lines(log, OUTPUT_LINES), clean),
    }


def output_lines(lines: Sequence[str], clean: Callable[[str], str]) -> list[str]:
    """Without what a terminal would obey, and without secrets: those may begin on one line and end on another."""
    text = clean("\n".join(lines))
    return [_line(line)[:LONGEST_LINE] for line in text.split("\n")]


def _line(text: str) -> str:
    """On one line, fit for the subject of a mail."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
