# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan is made from: facts that were read, and what the caller chose. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.config.model import AnyService
from orchestrator.upgrade.history import History
from orchestrator.upgrade.phases import Phase
from orchestrator.upgrade.requests import Request
from orchestrator.upgrade.runstate import Found, RunState
from orchestrator.upgrade.scripts import Masked, Step


@dataclass(frozen=True, slots=True)
class Selection:
    """What the caller chose: patterns of `--only`, step -> reason of `--skip`."""

    only: tuple[str, ...] = ()
    skip: Mapping[str, str] = field(default_factory=dict)


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class Durations:
    """Seconds from this host's earlier runs: a step's id, `stop NAME`, `start NAME`."""

    seconds: Mapping[str, float] = field(default_factory=dict)

    def of_step(self, step: Step) -> float | None:
        return self.seconds.get(step.id, step.header.estimate)


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything a plan is made from."""

    services: Mapping[str, AnyService]
    phases: tuple[Phase, ...]
    steps: tuple[Step, ...]
    masked: tuple[Masked, ...]
    history: History
    # As the services were before the run, which may be an unfinished one; `up`: which run now.
    found: Mapping[str, Found]
    up: frozenset[str] = frozenset()
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    durations: Durations = Durations()
    deployment: str | None = None
    from_version: str | None = None
    to_version: str | None = None
    resumed: RunState | None = None
    saved_steps: Mapping[str, str] = field(default_factory=dict)
    request: Request | None = None
    # Steps that are due still, but that the last run to come to them has dealt with: id -> how, in words.
    passed_over: Mapping[str, str] = field(default_factory=dict)
