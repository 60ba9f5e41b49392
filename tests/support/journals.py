# SPDX-License-Identifier: GPL-3.0-or-later
"""Journals of runs that never were: events with clocks of their own, written where a run's would be."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.runs import RunDirectory

BEGIN = datetime(2026, 11, 20, 10, 15, 0, tzinfo=UTC)
PLAN: dict[str, Any] = {"format": 1, "continues": None, "steps_without_estimate": 0, "steps": []}


class Script:
    """A run as it is told: `after` seconds between events, phases and services as they come."""

    def __init__(self, run: str = "0001-20261120T101500Z") -> None:
        self.run = run
        self.events: list[Event] = []
        self.wall, self.mono, self.boot = BEGIN, 1000.0, "boot-1"

    def after(self, seconds: float) -> Self:
        self.wall += timedelta(seconds=seconds)
        self.mono += seconds
        return self

    def reboot(self, seconds: float) -> Self:
        """The host goes down and comes up, and its monotonic clock begins anew."""
        self.wall += timedelta(seconds=seconds)
        self.mono, self.boot = 20.0, f"{self.boot}'"
        return self

    def tell(self, name: EventName, **fields: Any) -> Self:
        time = self.wall.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
        self.events.append(Event(len(self.events) + 1, time, round(self.mono, 3), name, fields))
        return self

    def begin(self, **fields: Any) -> Self:
        return self.tell(EventName.RUN_STARTED, **{**self._facts(), **fields})

    def go_on(self, **fields: Any) -> Self:
        return self.tell(EventName.RUN_CONTINUED, **{**self._facts(), **fields})

    def _facts(self) -> dict[str, Any]:
        return {
            "run": self.run, "pid": 7, "user": "root", "invoker": "terminal", "host": "shelf", "boot": self.boot,
            "product": "Bookshelf", "orchestrator": "0.1.0", "from_version": "1.0", "to_version": "2.0", "steps": 2,
        }  # fmt: skip

    def found(self, *up: str) -> Self:
        services = {name: {"up": True, "enabled": True, "detail": ""} for name in up}
        return self.tell(EventName.SERVICES_FOUND, services=services)

    def phase(self, name: str) -> Self:
        return self.tell(EventName.PHASE_ENTERED, phase=name)

    def stop(self, service: str, seconds: float = 1.0) -> Self:
        self.tell(EventName.DEBT, kind="stopped", service=service)
        self.tell(EventName.SERVICE_STOPPING, service=service).after(seconds)
        return self.tell(EventName.SERVICE_DOWN, service=service, seconds=seconds)

    def start(self, service: str, seconds: float = 2.0) -> Self:
        self.tell(EventName.SERVICE_STARTING, service=service).after(seconds)
        self.tell(EventName.SERVICE_READY, service=service, seconds=seconds)
        return self.tell(EventName.DEBT_PAID, kind="stopped", service=service)

    def begin_step(self, step: str, attempt: int = 1, phase: str = "backends-up", **fields: Any) -> Self:
        return self.tell(
            EventName.STEP_STARTED, step=step, attempt=attempt, phase=phase, log=f"/log/{step}", **fields
        )

    def step(
        self, step: str, seconds: float = 1.0, status: str = "done", attempt: int = 1, **fields: Any
    ) -> Self:
        self.begin_step(step, attempt).after(seconds)
        about = {"step": step, "attempt": attempt, "status": status, "seconds": seconds, "message": ""}
        return self.tell(EventName.STEP_ENDED, **{**about, **fields})

    def stopped(self, reason: str, exit_code: int = 1, **services: str) -> Self:
        return self.tell(EventName.RUN_STOPPED, reason=reason, exit_code=exit_code, phase="backends-up",
                         services=services, debts=[])  # fmt: skip

    def end(self, outcome: str = "done", exit_code: int = 0) -> Self:
        return self.tell(EventName.RUN_ENDED, outcome=outcome, exit_code=exit_code, downtime=0.0)

    def save(self, state_dir: Path, plan: dict[str, Any] | None = None) -> RunDirectory:
        """Write it below `state_dir`; with `plan`, its steps are those of the plan."""
        directory = RunDirectory(state_dir / "runs" / self.run)
        directory.path.mkdir(parents=True, exist_ok=True)
        directory.journal.write_text("".join(f"{event.to_json()}\n" for event in self.events))
        if plan is not None:
            directory.plan.write_text(json.dumps({**PLAN, **plan}))
        return directory


def planned(step: str, **more: Any) -> dict[str, Any]:
    """A step of a plan that is due."""
    about = {"id": step, "name": f"about {step[-6:]}", "phase": "backends-up", "due": True, "reason": "due"}
    return {**about, **more}
