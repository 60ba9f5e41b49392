# SPDX-License-Identifier: GPL-3.0-or-later
"""What earlier runs made of steps that are due still.

A step that said that it does not apply, that failed where that is passed over, or that was left out with --skip, has
no line in the history, and the next upgrade tries it. But for its sake alone no upgrade is pending: an application
would stay behind its gate for ever. That holds for the very content, and inputs, that the run came to.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.upgrade.due import Reason
from orchestrator.upgrade.runs import ended_runs
from orchestrator.upgrade.runstate import Outcome, RunState, StepStatus
from orchestrator.upgrade.scripts import Step


def passed_over(state_dir: Path, due: Iterable[Step], fingerprints: Mapping[str, str]) -> dict[str, str]:
    """Of the steps `due`, those that the last run to come to them has dealt with: id -> how, in words."""
    found: dict[str, str] = {}
    left = list(due)
    for run in ended_runs(state_dir):
        state = run.state()
        if state.outcome is Outcome.REFUSED:
            continue
        saved = {step["id"]: step for step in run.saved_plan().get("steps", [])}
        for step in left:
            fate = _fate(step, fingerprints.get(step.id, ""), state, saved.get(step.id, {}))
            if fate:
                found[step.id] = f"{fate} in run {state.run.partition('-')[0]}"
        left = [step for step in left if saved.get(step.id, {}).get("reason") == Reason.NOT_SELECTED]
        if not left:
            break
    return found


def _fate(step: Step, inputs: str, state: RunState, saved: Mapping[str, Any]) -> str:
    """What a run made of the step as it is now, in words; empty: nothing that counts. Pure."""
    if saved.get("reason") == Reason.SKIP_ASKED:
        same = (saved["sha256"], saved.get("inputs", "")) == (step.sha256, inputs)
        return "left out" if same else ""
    attempt = state.counting_attempt(step.id)
    if attempt is None or (attempt.sha256, attempt.inputs) != (step.sha256, inputs):
        return ""
    if attempt.status is StepStatus.NOT_APPLICABLE:
        return "did not apply"
    return "failed and was passed over" if attempt.status and not attempt.status.good else ""
