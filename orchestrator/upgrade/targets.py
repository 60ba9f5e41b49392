# SPDX-License-Identifier: GPL-3.0-or-later
"""The state each service must be in during a phase, and the way there. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.config.model import AnyService
from orchestrator.services.order import next_ones, prerequisites, reversed_prerequisites
from orchestrator.upgrade.phases import Phase, Wanted
from orchestrator.upgrade.runstate import Found
from orchestrator.upgrade.situation import Situation


@dataclass(frozen=True, slots=True)
class Transition:
    """Services stopped, then started, on the way into a phase (`phase` None: at the end); `seconds` it usually takes,
    0 when nothing is known."""

    phase: str | None
    stop: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    seconds: float = 0.0


def wanted_states(
    phase: Phase | None, services: Mapping[str, AnyService], found: Mapping[str, Found]
) -> dict[str, Wanted]:
    """The state each service must be in during `phase` (None: at the end, everything up).

    Left out: services that were down and are disabled stay as they are; external ones are never down.
    """
    wanted: dict[str, Wanted] = {}
    for name, service in services.items():
        state: Wanted = phase.wants(service.tier) if phase else "up"
        fact = found.get(name)
        if state == "up" and fact and fact.stays_down:
            continue
        if state == "down" and service.manager == "external":
            continue
        wanted[name] = state
    return wanted


def transitions(entered: Sequence[Phase], situation: Situation) -> Iterable[Transition]:
    """What is stopped and started before each entered phase and at the end."""
    services, up = situation.services, set(situation.up)
    continued = situation.resumed is not None and situation.resumed.touched
    for phase in [*entered, None] if entered or continued else []:
        wanted = wanted_states(phase, services, situation.found)
        managed = {name for name in wanted if services[name].manager != "external"}
        stop = {name for name in managed if wanted[name] == "down" and name in up}
        start = {name for name in managed if wanted[name] == "up" and name not in up}
        name = phase.name if phase else None
        yield Transition(name, stop_order(stop, services), start_order(start, services))
        up = up - stop | start


def dependencies(names: Iterable[str], services: Mapping[str, AnyService]) -> dict[str, set[str]]:
    """What must be ready before each of `names` starts: `after`, and every backend before any application."""
    chosen = set(names)
    required = prerequisites(chosen, {name: service.after for name, service in services.items()})
    backends = {name for name in chosen if services[name].tier == "backend"}
    for name in chosen - backends:
        required[name] |= backends
    return required


def start_order(names: Iterable[str], services: Mapping[str, AnyService]) -> tuple[str, ...]:
    return _flatten(dependencies(names, services))


def stop_order(names: Iterable[str], services: Mapping[str, AnyService]) -> tuple[str, ...]:
    return _flatten(reversed_prerequisites(dependencies(names, services)))


def _flatten(required: Mapping[str, set[str]]) -> tuple[str, ...]:
    order: list[str] = []
    while len(order) < len(required):
        order += next_ones(required.keys() - set(order), set(order), required)
    return tuple(order)
