# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading everything that a plan is made from: phases, scripts, history, versions, services. Changes nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config.load import layers_of
from orchestrator.config.model import Config
from orchestrator.errors import Invalid, Problem
from orchestrator.upgrade.actions import Registry
from orchestrator.upgrade.dataversion import data_version
from orchestrator.upgrade.due import Reason, decide
from orchestrator.upgrade.header import RunRule
from orchestrator.upgrade.history import read_history
from orchestrator.upgrade.phases import Phase, load_phases, phase_of
from orchestrator.upgrade.requests import read_request
from orchestrator.upgrade.runs import RunDirectory, check_format, unfinished_run
from orchestrator.upgrade.runstate import Found, RunState
from orchestrator.upgrade.scripts import Scripts, Step, find_steps, fingerprint_inputs
from orchestrator.upgrade.situation import EVERYTHING, Situation

if TYPE_CHECKING:
    from orchestrator.services.controlled import ControlledService


@dataclass(frozen=True, slots=True)
class Definitions:
    """Phases and steps, checked together."""

    phases: tuple[Phase, ...]
    scripts: Scripts


def read_definitions(config: Config, registry: Registry) -> Definitions:
    """Phases and scripts of `config`. Raises Invalid with everything that is wrong with any of them."""
    phases, problems = load_phases(config.phases)
    scripts = find_steps(config.scripts, registry)
    problems += scripts.problems
    if not problems:
        for step in scripts.steps:
            problems += _check_actions(step, phases, config)
    if problems:
        number = len(problems)
        raise Invalid(
            f"{number} problem{'s' if number > 1 else ''} in the phases and scripts; nothing was touched",
            problems=problems,
        )
    return Definitions(phases, scripts)


def more_problems(path: Path, registry: Registry) -> list[Problem]:
    """What is wrong with the phases and scripts that a configuration names, though it has errors itself."""
    scripts, phases = layers_of(path)
    found = list(find_steps(scripts, registry).problems) if scripts else []
    return [*(load_phases(phases)[1] if phases else []), *found]


def _check_actions(step: Step, phases: Iterable[Phase], config: Config) -> Iterable[Problem]:
    """Actions may name only known services, and restart only what is up in the step's phase."""
    phase = phase_of(step.number, tuple(phases))
    for index, action in enumerate(step.actions):
        where = f"{step.path}: actions[{index}]"
        for name in action.needs:
            service = config.services.get(name)
            if service is None:
                yield Problem(where, f"there is no service {name}")
            elif phase.wants(service.tier) == "down" and service.manager != "external":
                yield Problem(where, f"{name} is down in the phase {phase.name}")
            elif name in action.restarts and service.manager == "external":
                yield Problem(where, f"{name} is external and cannot be restarted")


def read_situation(config: Config, registry: Registry, definitions: Definitions | None = None) -> Situation:
    """What can be known from files alone: no service is asked, no command is run.

    Raises Invalid, Refused (a state directory of a newer version) or NotPermitted.
    """
    definitions = definitions or read_definitions(config, registry)
    check_format(config.state_dir)
    history = read_history(config.state_dir)
    steps = definitions.scripts.steps
    current = unfinished_run(config.state_dir)
    if current:
        peek_in_flight(*current)
    situation = Situation(
        services=config.services,
        phases=definitions.phases,
        steps=steps,
        masked=definitions.scripts.masked,
        history=history,
        found=current[1].found if current else {},
        fingerprints={
            step.id: fingerprint_inputs(step) for step in steps if step.run_rule is RunRule.ON_CHANGE
        },
        deployment=config.product.deployment,
        from_version=data_version(config.state_dir, history),
        resumed=current[1] if current else None,
        saved_steps=_saved_steps(current[0]) if current else {},
        request=read_request(config.state_dir),
    )
    return situation if current else _look_back(situation, config.state_dir)


def _look_back(situation: Situation, state_dir: Path) -> Situation:
    """Add what earlier runs made of the steps that are due still."""
    planned = (decide(step, situation, EVERYTHING, None) for step in situation.steps if step.in_history)
    due = [one.step for one in planned if one.reason in (Reason.DUE, Reason.CHANGED)]
    if not due:
        return situation
    from orchestrator.upgrade.earlier import passed_over

    return replace(situation, passed_over=passed_over(state_dir, due, situation.fingerprints))


def peek_in_flight(run: RunDirectory, state: RunState) -> None:
    """Complete `state` by what became of a step whose end the journal does not know; writes nothing."""
    from orchestrator.upgrade.adoption import judge_left_behind

    attempt = state.in_flight
    if attempt is not None:
        status = judge_left_behind(run, attempt)
        state.attempts[attempt.step][-1] = replace(attempt, status=status)


def _saved_steps(run: RunDirectory) -> dict[str, str]:
    return {step["id"]: step["sha256"] for step in run.saved_plan().get("steps", [])}


def complete(situation: Situation, config: Config, services: "Mapping[str, ControlledService]") -> Situation:
    """Add what must be asked for: the product's version, how services are, how long things took."""
    from orchestrator.upgrade.estimates import read_durations

    now = find_services(services)
    # What the unfinished run found before its first stop stays true; services added since are new.
    found = {**now, **(situation.resumed.found if situation.resumed else {})}
    return replace(
        situation,
        found={name: fact for name, fact in found.items() if name in services},
        up=frozenset(name for name, fact in now.items() if fact.up),
        durations=read_durations(config.state_dir),
        to_version=product_version(config),
    )


def find_services(services: "Mapping[str, ControlledService]") -> dict[str, Found]:
    """How every service is now, asked in parallel."""
    from concurrent.futures import ThreadPoolExecutor

    def look(name: str) -> Found:
        manager = services[name].manager
        condition = manager.condition()
        return Found(condition.up, manager.enabled(), condition.detail)

    if not services:
        return {}
    with ThreadPoolExecutor(min(8, len(services))) as pool:
        return dict(zip(services, pool.map(look, services), strict=True))


def product_version(config: Config) -> str | None:
    """What this upgrade goes to. Raises Invalid when the version command fails."""
    product = config.product
    if product.version_command is None:
        return product.version
    from orchestrator.host import processes

    done = processes.run(product.version_command)
    lines = done.stdout.split("\n", 1)
    if not done.ok or not lines[0].strip():
        raise Invalid(
            "the product's version is not known",
            problems=[Problem("product.version_command", f"{' '.join(done.argv)}: {done.last_words()}")],
        )
    return lines[0].strip()
