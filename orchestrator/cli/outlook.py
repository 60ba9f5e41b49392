# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run has come, and how long it is expected to take from here. Follows the events; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.config.quantities import show_duration
from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.reporter import Progress
from orchestrator.upgrade.runstate import StepStatus

_ACTS = {EventName.SERVICE_DOWN: "stop", EventName.SERVICE_READY: "start"}


@dataclass(frozen=True, slots=True)
class Left:
    """Seconds to the expected end; `at_least`: of some steps nothing is known."""

    seconds: float
    at_least: bool

    def __str__(self) -> str:
        return f"{'over' if self.at_least else 'about'} {show_duration(self.seconds)}"


@dataclass(slots=True)
class _Act:
    """A service to be stopped or started on the way into a phase; its seconds are its share of the transition's."""

    phase: str | None
    verb: str
    service: str
    seconds: float


class Outlook:
    """Of a run by its plan, as it stands in plan.json; without one (`recover`) there is nothing to look forward to."""

    def __init__(self, plan: Mapping[str, Any] | None = None) -> None:
        plan = plan or {}
        due = [step for step in plan.get("steps", ()) if step.get("due")]
        self._left: dict[str, float | None] = {step["id"]: step.get("estimate") for step in due}
        self._acts = [act for move in plan.get("transitions", ()) for act in _acts(move)]
        self._phases = [str(phase) for phase in plan.get("phases", ())]
        self._phase = ""
        self.total = len(self._left)
        self.done = 0

    def follow(self, event: Event) -> None:
        if event.name is EventName.PHASE_ENTERED:
            self._enter(event["phase"])
        elif event.name is EventName.STEP_STARTED and not self._phase:
            self._phase = event.get("phase", "")
        elif event.name is EventName.STEP_ENDED and StepStatus(event["status"]).good:
            self._left.pop(event["step"], None)
            self.done = self.total - len(self._left)
        elif event.name in _ACTS:
            self._strike(_ACTS[event.name], event["service"])

    def _enter(self, phase: str) -> None:
        """What was to be done for the phases before it needs not be done any more."""
        self._phase = phase
        passed = self._phases[: self._phases.index(phase)] if phase in self._phases else []
        self._acts = [act for act in self._acts if act.phase not in passed]

    def _strike(self, verb: str, service: str) -> None:
        done = next((act for act in self._acts if (act.verb, act.service) == (verb, service)), None)
        if done is not None:
            self._acts.remove(done)

    def describe(self, width: int, running: Progress | None) -> str:
        """`3/8 backends-up, about 5 min left`; where that is too wide, less."""
        count = f"{self.done}/{self.total}"
        phase = f"{count} {self._phase}".rstrip()
        left = self.left(running)
        full = f"{phase}, {left} left" if left else phase
        return next((text for text in (full, phase, count) if len(text) <= width), "")

    def left(self, running: Progress | None) -> Left | None:
        """To the expected end; None when nothing is known, or it is about to be there."""
        known = sum(seconds or 0.0 for seconds in self._left.values())
        if running and running.step in self._left:
            known -= min(running.elapsed, self._left[running.step] or 0.0)
        known += sum(act.seconds for act in self._acts)
        return Left(known, None in self._left.values()) if known >= 1 else None


def _acts(move: Mapping[str, Any]) -> list[_Act]:
    names = [("stop", name) for name in move["stop"]] + [("start", name) for name in move["start"]]
    share = move.get("seconds", 0.0) / len(names) if names else 0.0
    return [_Act(move["phase"], verb, name, share) for verb, name in names]
