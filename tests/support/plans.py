# SPDX-License-Identifier: GPL-3.0-or-later
"""Values to plan with: steps, services and situations, with defaults for what a test does not care about."""

from pathlib import Path
from typing import Any

from orchestrator.config import model, shipped
from orchestrator.upgrade.header import Header
from orchestrator.upgrade.history import History, parse_history
from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.phases import Phase, load_phases
from orchestrator.upgrade.plan import Plan, make_plan
from orchestrator.upgrade.runstate import Found, RunState, fold
from orchestrator.upgrade.scripts import Kind, Step
from orchestrator.upgrade.situation import Selection, Situation

PHASES = load_phases([shipped.share_directory() / "phases"])[0]
UP, DOWN = Found(up=True, enabled=True), Found(up=False, enabled=True)
DISABLED, UP_DISABLED = Found(up=False, enabled=False), Found(up=True, enabled=False)


def phase(name: str) -> Phase:
    return next(phase for phase in PHASES if phase.name == name)


def step(path: str, *, sha256: str = "same", overrides: Path | None = None, **header: Any) -> Step:
    """The step `upgrade/0120_x`; `header` are fields of its header."""
    kind, name = path.split("/")
    known = Header(**{"name": f"Step {name[:4]}", "description": "Test step.", **header})
    return Step(Kind(kind), int(name[:4]), name, Path("/scripts", path), sha256, known, overrides=overrides)


def history(*lines: str) -> History:
    """A history of these lines, with spaces for tabs."""
    return parse_history("\n".join(line.replace(" ", "\t") for line in lines))


def backend(*after: str) -> model.ProcessService:
    return model.ProcessService(tier="backend", manager="process", command=("x",), after=after)


def application(*after: str) -> model.ProcessService:
    return model.ProcessService(tier="application", manager="process", command=("x",), after=after)


def external(tier: model.Tier = "backend") -> model.ExternalService:
    return model.ExternalService.model_validate(
        {"tier": tier, "manager": "external", "ready": [{"tcp": "elsewhere:1"}]}
    )


def event(name: EventName | str, seq: int = 1, *, time: str = "", mono: float = 0.0, **fields: Any) -> Event:
    return Event(seq, time or "2026-11-20T10:00:00.000Z", mono, EventName(name), fields)


def run_of(*events: Event) -> RunState:
    """The state of a run that began and then had these events."""
    return fold([event("run-started", run="0001-x", boot="b"), *events])


def attempt(step_id: str, status: str | None, number: int = 1) -> list[Event]:
    """The events of an attempt; `status` None: it still runs."""
    begun = event("step-started", step=step_id, attempt=number, sha256="same")
    if status is None:
        return [begun]
    return [begun, event("step-ended", step=step_id, attempt=number, status=status, seconds=1.0)]


def situation(*steps: Step, **parts: Any) -> Situation:
    """Everything is up, nothing is in the history, unless `parts` say otherwise."""
    services = parts.pop("services", {})
    found = parts.pop("found", dict.fromkeys(services, UP))
    defaults: dict[str, Any] = {
        "services": services,
        "phases": PHASES,
        "steps": tuple(sorted(steps, key=lambda one: one.order)),
        "masked": (),
        "history": history(),
        "found": found,
        "up": frozenset(name for name, fact in found.items() if fact.up),
    }
    return Situation(**{**defaults, **parts})


def plan(*steps: Step, only: tuple[str, ...] = (), skip: tuple[str, ...] = (), **parts: Any) -> Plan:
    return make_plan(situation(*steps, **parts), Selection(only, dict.fromkeys(skip, "because")))
