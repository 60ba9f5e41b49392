# SPDX-License-Identifier: GPL-3.0-or-later
"""How long steps and services took on this host: medians over its latest runs."""

from collections import defaultdict
from pathlib import Path
from statistics import median

from orchestrator.upgrade.runs import list_runs
from orchestrator.upgrade.runstate import StepStatus
from orchestrator.upgrade.situation import Durations

RUNS_LOOKED_AT = 5


def read_durations(state_dir: Path) -> Durations:
    found: dict[str, list[float]] = defaultdict(list)
    for run in list_runs(state_dir)[-RUNS_LOOKED_AT:]:
        state = run.state()
        for step, attempts in state.attempts.items():
            if attempts[-1].status is StepStatus.DONE:
                found[step].append(attempts[-1].seconds)
        for service, seconds in state.service_seconds.items():
            for verb, value in seconds.items():
                found[f"{verb} {service}"].append(value)
    return Durations({name: median(values) for name, values in found.items()})
