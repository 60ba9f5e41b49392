# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions: what a YAML step is made of. A registry of names that other parts of the product add to.

The runner never imports the content engine: whoever starts the runner hands it the registry.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from orchestrator.config.model import Config
from orchestrator.errors import Problem

if TYPE_CHECKING:
    from orchestrator.services.controlled import ControlledService
    from orchestrator.upgrade.reports import Telling


@dataclass(frozen=True, slots=True)
class ActionContext:
    """What an action may use while it runs. `say` writes a line to the step's log; `telling` is for the run's
    journal and for whoever looks on."""

    config: Config
    services: "Mapping[str, ControlledService]"
    environment: Mapping[str, str]
    say: Callable[[str], None]
    telling: "Telling"


class Action(Protocol):
    """One action with its parameters. `summary` is a line for people; `restarts` names services it restarts;
    `needs` names services it speaks of at all."""

    @property
    def summary(self) -> str: ...
    @property
    def restarts(self) -> tuple[str, ...]: ...
    @property
    def needs(self) -> tuple[str, ...]: ...

    def perform(self, context: ActionContext) -> None:
        """Do it; safe to repeat. Raises OrchestratorError when it fails, Busy when it is to be tried again later."""


@runtime_checkable
class Foreseeing(Protocol):
    """An action that can see beforehand what it lacks."""

    def refusals(self, environment: Mapping[str, str]) -> Iterable[Problem]:
        """What would make it fail, asked before anything is stopped; `environment` is what the configuration adds
        to that of the steps. Changes nothing."""


# From the value in the YAML file to an action; raises ValueError with a message for the author.
ActionParser = Callable[[Any], Action]


def _command(value: Any) -> Action:
    from orchestrator.upgrade.actions.command import parse

    return parse(value)


def _restart(value: Any) -> Action:
    from orchestrator.upgrade.actions.restart import parse

    return parse(value)


def _wait(value: Any) -> Action:
    from orchestrator.upgrade.actions.wait import parse

    return parse(value)


BUILT_IN: Mapping[str, ActionParser] = {"command": _command, "restart": _restart, "wait": _wait}


@dataclass(frozen=True, slots=True)
class Registry:
    """The actions a YAML step may name."""

    parsers: Mapping[str, ActionParser] = field(default_factory=lambda: BUILT_IN)

    def parse(self, item: Any) -> Action:
        """The action in one item of a step's `actions`. Raises ValueError."""
        if not isinstance(item, dict) or len(item) != 1:
            raise ValueError("an action is a mapping with one key, like {command: [/bin/true]}")
        name, value = next(iter(item.items()))
        if name not in self.parsers:
            nearest = difflib.get_close_matches(str(name), self.parsers, 1, 0.5)
            known = f"did you mean {nearest[0]}?" if nearest else "known: " + ", ".join(sorted(self.parsers))
            raise ValueError(f"unknown action {name} ({known})")
        try:
            return self.parsers[name](value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None


def names_of(value: Any) -> tuple[str, ...]:
    """One name or a list of names. Raises ValueError."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError("takes the name of a service, or a list of names")
    return tuple(names)
