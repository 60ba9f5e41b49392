# SPDX-License-Identifier: GPL-3.0-or-later
"""Phases: number ranges bound to a service state. Data, one YAML file each."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from orchestrator.config.explain import describe_errors
from orchestrator.config.load import read_yaml
from orchestrator.config.model import Model, Tier
from orchestrator.errors import Invalid, Problem

LOWEST, HIGHEST = 1, 9999
_FILE = re.compile(r"[^.].*\.ya?ml")
Wanted = Literal["up", "down"]


class Phase(Model):
    """Steps numbered `first` to `last` run while backends and applications are up (ready) or down (verified)."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    description: str = ""
    first: Annotated[int, Field(ge=LOWEST, le=HIGHEST)]
    last: Annotated[int, Field(ge=LOWEST, le=HIGHEST)]
    backends: Wanted
    applications: Wanted

    def wants(self, tier: Tier) -> Wanted:
        return self.backends if tier == "backend" else self.applications


def load_phases(layers: Sequence[Path]) -> tuple[tuple[Phase, ...], list[Problem]]:
    """All phases by number, and everything that is wrong with them. A later layer overrides by file name."""
    phases: list[Phase] = []
    problems: list[Problem] = []
    files: dict[str, Path] = {}
    for layer in layers:
        try:
            names = sorted(os.listdir(layer)) if os.path.lexists(layer) else []
        except OSError as error:
            problems.append(Problem(str(layer), f"cannot be read: {error.strerror}"))
            continue
        files |= {name: layer / name for name in names if _FILE.fullmatch(name)}
    for path in files.values():
        if os.path.realpath(path) == os.devnull:
            continue
        try:
            document = read_yaml(path)
            phases.append(Phase.model_validate(document))
        except Invalid as error:
            problems += error.problems or [Problem(str(path), error.message)]
        except ValidationError as error:
            found = describe_errors(Phase, error)
            problems += [Problem(f"{path}: {problem.where}", problem.what, problem.hint) for problem in found]
    phases.sort(key=lambda phase: phase.first)
    if not problems:
        problems = list(check_ranges(phases, layers))
    return tuple(phases), problems


def check_ranges(phases: Sequence[Phase], layers: Sequence[Path] = ()) -> Iterable[Problem]:
    """The ranges must cover 0001-9999, each number once."""
    if not phases:
        yield Problem("phases", "no phase is defined", "looked in " + ", ".join(map(str, layers)))
        return
    expected = LOWEST
    previous = "the beginning"
    for phase in phases:
        if phase.first > phase.last:
            yield Problem(
                f"phase {phase.name}", f"ends ({phase.last:04}) before it begins ({phase.first:04})"
            )
        if phase.first > expected:
            yield Problem(
                f"phase {phase.name}", f"gap: {expected:04}-{phase.first - 1:04} belong to no phase"
            )
        elif phase.first < expected:
            yield Problem(f"phase {phase.name}", f"overlaps {previous}: {phase.first:04}-{expected - 1:04}")
        expected, previous = max(expected, phase.last + 1), phase.name
    if expected <= HIGHEST:
        yield Problem(f"phase {previous}", f"gap: {expected:04}-{HIGHEST:04} belong to no phase")
    names = [phase.name for phase in phases]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Problem(f"phase {name}", "two phases have this name")


def phase_of(number: int, phases: Sequence[Phase]) -> Phase:
    return next(phase for phase in phases if phase.first <= number <= phase.last)
