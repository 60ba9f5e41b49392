# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps are due, and why or why not. Pure."""

import fnmatch
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.upgrade.header import RunRule
from orchestrator.upgrade.history import Entry, Mark
from orchestrator.upgrade.phases import phase_of
from orchestrator.upgrade.runstate import RunState, StepStatus
from orchestrator.upgrade.scripts import Kind, Step
from orchestrator.upgrade.situation import Selection, Situation


class Reason(StrEnum):
    """Why a step is due, or is not."""

    ALWAYS = "always"
    DUE = "due"
    CHANGED = "changed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    RUNNING = "still running"
    DONE = "done"
    MARKED = "marked done"
    SKIPPED = "skipped"
    BASELINE = "baseline"
    UNCHANGED = "unchanged"
    FINISHED = "finished in this run"
    OTHER_DEPLOYMENT = "other deployment"
    NOT_SELECTED = "not selected"
    SKIP_ASKED = "skipped by --skip"


DUE_REASONS = frozenset(
    (Reason.ALWAYS, Reason.DUE, Reason.CHANGED, Reason.FAILED, Reason.INTERRUPTED, Reason.RUNNING)
)
_REASON_OF_MARK = {
    Mark.DONE: Reason.DONE,
    Mark.MARKED: Reason.MARKED,
    Mark.IMPORTED: Reason.DONE,
    Mark.SKIPPED: Reason.SKIPPED,
    Mark.BASELINE: Reason.BASELINE,
}


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with the decision about it. `estimate` in seconds, None when unknown; `inputs`: the fingerprint of what
    an on-change step names; `passed_over`: it is due, but an upgrade need not be made for its sake."""

    step: Step
    reason: Reason
    phase: str
    estimate: float | None = None
    notes: tuple[str, ...] = ()
    inputs: str = ""
    passed_over: bool = False

    @property
    def due(self) -> bool:
        return self.reason in DUE_REASONS


def decide(step: Step, situation: Situation, selection: Selection, newest_done: Step | None) -> PlannedStep:
    reason, notes = _reason(step, situation)
    if (
        reason is Reason.DUE
        and step.kind is Kind.UPGRADE
        and newest_done
        and newest_done.number > step.number
    ):
        notes.append(f"new, although {newest_done.name} already ran")
    passed_over = situation.passed_over.get(step.id, "")
    if passed_over:
        notes.append(passed_over)
    if step.overrides:
        notes.append(f"overrides {step.overrides}")
    # What is unchanged now may become due during the run.
    if reason in DUE_REASONS or reason is Reason.UNCHANGED:
        if any(matches(pattern, step) for pattern in selection.skip):
            reason = Reason.SKIP_ASKED
        elif selection.only and not any(matches(pattern, step) for pattern in selection.only):
            reason = Reason.NOT_SELECTED
    phase = phase_of(step.number, situation.phases).name
    return PlannedStep(
        step,
        reason,
        phase,
        situation.durations.of_step(step),
        tuple(notes),
        situation.fingerprints.get(step.id, ""),
        bool(passed_over),
    )


def matches(pattern: str, step: Step) -> bool:
    """`0120`, a file name, `upgrade/0120_x.sh`, or a glob over one of the last two."""
    if pattern.isdecimal():
        return int(pattern) == step.number
    return fnmatch.fnmatchcase(step.name, pattern) or fnmatch.fnmatchcase(step.id, pattern)


def applies(step: Step, situation: Situation) -> bool:
    return not step.header.apply or situation.deployment in step.header.apply


def _reason(step: Step, situation: Situation) -> tuple[Reason, list[str]]:
    if not applies(step, situation):
        return Reason.OTHER_DEPLOYMENT, ["applies to " + ", ".join(step.header.apply)]
    entry = situation.history.get(step.name) if step.in_history else None
    if entry and step.run_rule is RunRule.ONCE:
        # Also what an administrator marked done after it failed in the run that is continued.
        changed = entry.sha256 not in ("", step.sha256)
        return _REASON_OF_MARK[entry.mark], ["changed since it ran"] if changed else []
    if situation.resumed and not _line_taken_out(step, entry, situation.resumed):
        reason = _resumed_reason(step, situation.resumed)
        if reason is not None:
            return reason, []
    if entry is None:
        return (Reason.DUE if step.in_history else Reason.ALWAYS), []
    return _changed_reason(step, entry, situation)


def _changed_reason(step: Step, entry: Entry, situation: Situation) -> tuple[Reason, list[str]]:
    """The decision about an on-change step that has run before."""
    if entry.mark is Mark.SKIPPED:
        return Reason.SKIPPED, []
    if entry.sha256 not in ("", step.sha256):
        return Reason.CHANGED, ["its content changed"]
    if entry.details.get("inputs", "") != situation.fingerprints.get(step.id, ""):
        return Reason.CHANGED, ["its inputs changed"]
    return Reason.UNCHANGED, []


def _line_taken_out(step: Step, entry: Entry | None, run: RunState) -> bool:
    """Whether the unfinished run recorded the step and somebody took the line out since: it is due again."""
    return entry is None and step.id in run.recorded


def _resumed_reason(step: Step, run: RunState) -> Reason | None:
    """What an unfinished run says of a step; None: nothing."""
    last = run.counting_attempt(step.id)
    if last is None:
        return None
    if last.status is None:
        return Reason.RUNNING
    if last.status is StepStatus.UNKNOWN:
        return Reason.INTERRUPTED
    return Reason.FINISHED if last.status.good else Reason.FAILED
