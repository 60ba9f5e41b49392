# SPDX-License-Identifier: GPL-3.0-or-later
"""Beginning a step: numbered like BASIC lines, with room between for what is forgotten at first."""

import re
from collections.abc import Sequence
from pathlib import Path

from orchestrator.config import shipped
from orchestrator.errors import Invalid, UsageError
from orchestrator.upgrade.actions import Registry
from orchestrator.upgrade.phases import Phase, load_phases
from orchestrator.upgrade.scripts import find_steps, is_dropping

STRIDE = 10
_TEMPLATE = """#!/bin/sh
#name: {title}
#description: Say in a sentence what it does and why it is safe to repeat.
set -eu

# Status 0: done; 77: does not apply here; 75: try again later; anything else: failed.
"""
_PYTHON_TEMPLATE = _TEMPLATE.replace("#!/bin/sh", "#!/usr/bin/python3").replace("set -eu\n", "import sys\n")
_YAML_TEMPLATE = """name: {title}
description: Say in a sentence what it does and why it is safe to repeat.
actions:
  - command: [/bin/true]
"""


def shipped_phases() -> tuple[Path, ...]:
    """Where phases are looked for without a configuration."""
    return (shipped.share_directory() / "phases", shipped.ADMINISTRATOR / "phases")


def create(
    layers: Sequence[Path], phase_layers: Sequence[Path], name: str, phase_name: str, kind: str
) -> Path:
    """A new step in the last of `layers`, with a number that none of them uses; its path.

    Raises UsageError, or Invalid when the layers themselves are broken.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+@-]*", name) or is_dropping(f"0001_{name}"):
        hint = "letters, digits and _.+@-, like migrate_pulp; and no ending that is ignored, like .bak"
        raise UsageError(f"{name!r} cannot be a file name of a step", hint=hint)
    phases, problems = load_phases(phase_layers)
    phase = next((phase for phase in phases if phase.name == phase_name), None)
    if phase is None:
        known = ", ".join(phase.name for phase in phases)
        raise UsageError(f"there is no phase {phase_name}", hint=f"one of: {known}")
    layer = layers[-1]
    layer.mkdir(parents=True, exist_ok=True)
    scripts = find_steps([one for one in layers if one.is_dir()], Registry())
    if problems or scripts.problems:
        raise Invalid("put these right first", problems=[*problems, *scripts.problems])
    number = next_number([step.number for step in scripts.steps], phase)
    file = name if "." in name else f"{name}.sh"
    path = layer / kind / f"{number:04}_{file}"
    path.parent.mkdir(exist_ok=True)
    suffix = path.suffix
    template = {".py": _PYTHON_TEMPLATE, ".yaml": _YAML_TEMPLATE, ".yml": _YAML_TEMPLATE}.get(
        suffix, _TEMPLATE
    )
    title = name.partition(".")[0].replace("_", " ").capitalize()
    with path.open("x") as stream:
        stream.write(template.format(title=title))
    if template is not _YAML_TEMPLATE:
        path.chmod(0o755)
    return path


def next_number(used: list[int], phase: Phase) -> int:
    """The next multiple of ten after the highest number used in the phase. Raises UsageError when it is full."""
    inside = [number for number in used if phase.first <= number <= phase.last]
    highest = max(inside, default=phase.first - phase.first % STRIDE)
    number = highest - highest % STRIDE + STRIDE
    if number <= phase.last:
        return number
    free = [n for n in range(phase.last, phase.first - 1, -1) if n not in inside]
    if not free:
        raise UsageError(f"no number is free in the phase {phase.name}")
    return free[0]
