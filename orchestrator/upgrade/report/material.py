# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what a report is made from: journal, saved plan, earlier runs, logs. Changes nothing."""

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from orchestrator.host import clock, facts
from orchestrator.upgrade import lock
from orchestrator.upgrade.journal import Event, parse_line
from orchestrator.upgrade.report.model import Usual
from orchestrator.upgrade.report.saved import SavedPlan, parse_plan
from orchestrator.upgrade.runs import RunDirectory, list_runs
from orchestrator.upgrade.runstate import Attempt, Instant, RunState, StepStatus, fold

EARLIER_RUNS = 5
# Of a log's end; what is shown of it is less.
MOST_OF_A_LOG = 64 * 1024


@dataclass(frozen=True, slots=True)
class Material:
    """What is on the disk about a run. `in_flight`: what became of the attempt whose end the journal does not know
    (None: it still runs). `now` is set while a process is at work on the run."""

    directory: RunDirectory
    events: tuple[Event, ...]
    state: RunState
    plan: SavedPlan
    usual: Mapping[str, Usual]
    earlier_runs: int
    newest: bool
    made: str
    now: Instant | None = None
    in_flight: StepStatus | None = None
    damaged: tuple[str, ...] = ()


def read_material(state_dir: Path, run: RunDirectory) -> Material:
    """Raises OSError where the journal may not be read."""
    events, torn = _read_events(run.journal)
    state = fold(events)
    runs = list_runs(state_dir)
    earlier = [other for other in runs if other.number < run.number][-EARLIER_RUNS:]
    plan = parse_plan(run.saved_plan())
    live = not state.outcome and _is_live(state_dir, run)
    damaged = [f"{torn} of the journal's lines cannot be read"] if torn else []
    damaged += [] if plan.known else [f"there is no plan to read: {run.plan}"]
    return Material(
        directory=run,
        events=events,
        state=state,
        plan=plan,
        usual=usual_durations([other.state() for other in earlier]),
        earlier_runs=len(earlier),
        newest=not runs or runs[-1].number <= run.number,
        made=clock.timestamp(),
        now=Instant(clock.timestamp(), clock.monotonic(), facts.boot_id()) if live else None,
        in_flight=None if live or not state.in_flight else _judge(run, state.in_flight),
        damaged=tuple(damaged),
    )


def _read_events(path: Path) -> tuple[tuple[Event, ...], int]:
    """The events, and how many lines are none. The last line of a run under way may be half written yet."""
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return (), 0
    lines = [line for line in text.split("\n") if line.strip("\0 ")]
    events = tuple(event for line in lines if (event := parse_line(line)))
    return events, len(lines) - len(events)


def _is_live(state_dir: Path, run: RunDirectory) -> bool:
    """Whether a process holds the lock and works on this run (before its first step it does not say on which)."""
    if not lock.is_held(state_dir):
        return False
    holder = lock.read_holder(state_dir)
    return holder.get("run") == run.id or holder.get("purpose") in ("upgrade", "recover")


def _judge(run: RunDirectory, attempt: Attempt) -> StepStatus | None:
    from orchestrator.upgrade.adoption import judge_left_behind

    return judge_left_behind(run, attempt)


def usual_durations(earlier: list[RunState]) -> dict[str, Usual]:
    """Medians by a step's id, `stop NAME` and `start NAME`. Pure."""
    found: dict[str, list[float]] = defaultdict(list)
    for state in earlier:
        for step, attempts in state.attempts.items():
            if attempts[-1].status is StepStatus.DONE:
                found[step].append(attempts[-1].seconds)
        for service, seconds in state.service_seconds.items():
            for verb, value in seconds.items():
                found[f"{verb} {service}"].append(value)
    return {name: Usual(median(values), len(values)) for name, values in found.items()}


def read_log_end(path: Path) -> tuple[bytes, int] | None:
    """The last bytes of a log and how many stand before them; None when it cannot be read."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            before = max(0, size - MOST_OF_A_LOG)
            stream.seek(before)
            return stream.read(MOST_OF_A_LOG), before
    except (OSError, ValueError):  # a name may hold anything
        return None
