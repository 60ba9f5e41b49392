# SPDX-License-Identifier: GPL-3.0-or-later
"""How long steps and services took on this host: medians over the latest runs in which they did it.

Seconds are those of monotonic clocks (the shim's, the runner's): a clock that was set, or a runner that was killed in
the middle of a step, changes nothing in them.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import median

from orchestrator.upgrade.journal import Event, EventName, parse_line
from orchestrator.upgrade.runs import list_runs
from orchestrator.upgrade.runstate import StepStatus
from orchestrator.upgrade.situation import Durations

# As many values are taken of each, from as many runs at the most.
VALUES, RUNS_LOOKED_AT = 5, 15
_VERBS = {EventName.SERVICE_DOWN: "stop", EventName.SERVICE_READY: "start"}
# Most lines of a journal tell nothing of this, and need not be parsed.
_TELLING = tuple(f'"{name.value}"' for name in (EventName.STEP_ENDED, *_VERBS))


def read_durations(state_dir: Path) -> Durations:
    found: dict[str, list[float]] = defaultdict(list)
    for run in reversed(list_runs(state_dir)[-RUNS_LOOKED_AT:]):
        lines = run.journal.read_bytes().decode("utf-8", "replace").split("\n")
        telling = (line for line in lines if any(name in line for name in _TELLING))
        events = filter(None, map(parse_line, telling))
        for name, seconds in durations_of(events).items():
            if len(found[name]) < VALUES:
                found[name].append(seconds)
    return Durations({name: median(values) for name, values in found.items()})


def durations_of(events: Iterable[Event]) -> dict[str, float]:
    """Of one run: each step whose last attempt did it, and each service's last stop and start."""
    seconds: dict[str, float] = {}
    for event in events:
        if event.name in _VERBS:
            seconds[f"{_VERBS[event.name]} {event['service']}"] = event.get("seconds", 0.0)
        elif event["status"] == StepStatus.DONE:
            seconds[event["step"]] = event.get("seconds", 0.0)
        else:
            seconds.pop(event["step"], None)
    return seconds
