# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run has come, and how long it is expected to take from here. Follows the events; pure."""

from orchestrator.config.quantities import show_duration
from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.plan import Plan
from orchestrator.upgrade.reporter import Progress
from orchestrator.upgrade.runstate import StepStatus


class Outlook:
    """Of a run by `plan`; without one (`recover`) there is nothing to look forward to."""

    def __init__(self, plan: Plan | None = None) -> None:
        due = plan.due if plan else ()
        self._left: dict[str, float | None] = {planned.step.id: planned.estimate for planned in due}
        known = sum(seconds or 0.0 for seconds in self._left.values())
        # Stopping and starting services takes its time as well; it is shared out among the steps.
        self._services = max(0.0, plan.seconds - known) if plan else 0.0
        self._phase = ""
        self.total = len(self._left)
        self.done = 0

    def follow(self, event: Event) -> None:
        if event.name is EventName.PHASE_ENTERED:
            self._phase = event["phase"]
        elif event.name is EventName.STEP_STARTED and not self._phase:
            self._phase = event.get("phase", "")
        elif event.name is EventName.STEP_ENDED and StepStatus(event["status"]).good:
            self._left.pop(event["step"], None)
            self.done = self.total - len(self._left)

    def describe(self, width: int, running: Progress | None) -> str:
        """`3/8 backends-up, about 5 min left`; where that is too wide, less."""
        count = f"{self.done}/{self.total}"
        phase = f"{count} {self._phase}".rstrip()
        left = self._seconds_left(running)
        full = f"{phase}, {left} left" if left else phase
        return next((text for text in (full, phase, count) if len(text) <= width), "")

    def _seconds_left(self, running: Progress | None) -> str:
        """Empty when nothing is known."""
        known = sum(seconds or 0.0 for seconds in self._left.values())
        if running and running.step in self._left:
            known -= min(running.elapsed, self._left[running.step] or 0.0)
        if self.total:
            known += self._services * len(self._left) / self.total
        if known < 1:
            return ""
        return f"{'over' if None in self._left.values() else 'about'} {show_duration(known)}"
