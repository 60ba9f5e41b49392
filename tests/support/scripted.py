# SPDX-License-Identifier: GPL-3.0-or-later
"""A manager and a probe that answer from a script: for what waits on them, not for what they are."""

from dataclasses import dataclass, field

from orchestrator.host.facts import ProcessId
from orchestrator.services.service import Activity, Condition, Marks, Verdict


class ScriptedManager:
    """Says its activities one after the other, the last for ever. Nothing can be ordered of it."""

    def __init__(self, *activities: Activity, detail: str = "", log: tuple[str, ...] = ()) -> None:
        self._activities = list(activities)
        self._detail = detail
        self._log = log

    def condition(self) -> Condition:
        activity = self._activities.pop(0) if len(self._activities) > 1 else self._activities[0]
        return Condition(activity, self._detail)

    def log_tail(self, lines: int) -> list[str]:
        return list(self._log[-lines:])

    def enabled(self) -> bool:
        raise AssertionError("nobody who only looks asks this")

    def processes(self) -> set[ProcessId]:
        raise AssertionError("nobody who only looks asks this")

    def start(self) -> None:
        raise AssertionError("looking orders nothing")

    stop = hold = release = start
    held = enabled


@dataclass
class ScriptedProbe:
    """Answers its verdicts one after the other, the last for ever; keeps what it was asked."""

    verdicts: list[Verdict]
    asked: list[Marks] = field(default_factory=list)

    def ask(self, marks: Marks) -> Verdict:
        self.asked.append(marks)
        return self.verdicts[min(len(self.asked), len(self.verdicts)) - 1]
