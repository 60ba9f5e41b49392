# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan that a run has saved, as far as a report needs it. A missing or damaged one is an empty one. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SavedStep:
    id: str
    name: str = ""
    phase: str = ""
    due: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """`known`: there is one. `fresh`: it is the plan of the whole run, not of what a continued one had left."""

    known: bool = False
    fresh: bool = False
    steps: Mapping[str, SavedStep] = field(default_factory=dict)
    checks: tuple[str, ...] = ()
    questions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    skip: Mapping[str, str] = field(default_factory=dict)
    seconds: float | None = None
    downtime: float | None = None

    @property
    def due(self) -> tuple[SavedStep, ...]:
        return tuple(step for step in self.steps.values() if step.due)


def parse_plan(content: Mapping[str, Any]) -> SavedPlan:
    """What can be read of `plan.json`; another shape than it should have is passed over."""
    if not content:
        return SavedPlan()
    steps = [_step(item) for item in _items(content.get("steps"))]
    selection = content.get("selection")
    selection = selection if isinstance(selection, dict) else {}
    skip = selection.get("skip")
    complete = content.get("steps_without_estimate") == 0
    return SavedPlan(
        known=True,
        fresh=content.get("continues") is None,
        steps={step.id: step for step in steps if step.id},
        checks=_words(content.get("checks")),
        questions={
            str(item.get("id")): str(item.get("text", "")) for item in _items(content.get("questions"))
        },
        notes=_words(content.get("notes")),
        only=_words(selection.get("only")),
        skip={str(k): str(v) for k, v in skip.items()} if isinstance(skip, dict) else {},
        seconds=_number(content.get("seconds")) if complete else None,
        downtime=_number(content.get("downtime")) if complete else None,
    )


def _step(item: Mapping[str, Any]) -> SavedStep:
    words = {key: str(item.get(key) or "") for key in ("id", "name", "phase", "reason")}
    return SavedStep(**words, due=item.get("due") is True)


def _items(value: Any) -> Iterable[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _words(value: Any) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
