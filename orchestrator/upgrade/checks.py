# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks on their own: check/ scripts and facts of the host, all failures at once, outside any run."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.host import files
from orchestrator.host.processes import Ending, Shim
from orchestrator.upgrade.begin import UpgradeOptions, preview
from orchestrator.upgrade.context import step_environment
from orchestrator.upgrade.execution import judge
from orchestrator.upgrade.plan import Plan
from orchestrator.upgrade.runstate import StepStatus
from orchestrator.upgrade.scripts import Step
from orchestrator.upgrade.setting import Setting

TAIL = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One check and how it went; `tail` holds the last lines it wrote."""

    name: str
    description: str
    status: StepStatus
    message: str = ""
    tail: tuple[str, ...] = ()


def run_all(setting: Setting) -> list[Check]:
    """Facts first, then every check script that applies. Raises Invalid when there is no plan to check."""
    seen = preview(setting, UpgradeOptions())
    facts = [Check(problem.where, problem.what, StepStatus.FAILED, problem.hint) for problem in seen.refusals]
    if not facts:
        facts = [Check("host", "version, disk space, ports, history, external services", StepStatus.DONE)]
    return [*facts, *_scripts(setting, seen.plan)]


def _scripts(setting: Setting, plan: Plan) -> Iterator[Check]:
    with tempfile.TemporaryDirectory(prefix="orchestrator-check-") as directory:
        shim = Shim(Path(directory) / "shim.lock")
        try:
            for step in plan.checks:
                yield _run(setting, plan, step, shim, Path(directory))
        finally:
            shim.close()


def _run(setting: Setting, plan: Plan, step: Step, shim: Shim, directory: Path) -> Check:
    scratch = directory / step.name
    scratch.mkdir()
    own = {
        "RUN_ID": "",
        "PHASE": "checks",
        "STEP": step.id,
        "KIND": step.kind.value,
        "ATTEMPT": "1",
        "ASSUMEYES": "0",
        "SCRATCH_DIR": str(scratch),
        "CONFIG": str(setting.path),
    }
    log = directory / f"{step.name}.log"
    environment = step_environment(setting.config, plan, own)
    started = shim.start(step.argv, env=environment, log=log, record=directory / f"{step.name}.status")
    ending: Ending | None = started if isinstance(started, Ending) else None
    while ending is None:
        ending = shim.poll(1.0)
    status, message = judge(ending, timed_out=False, stopped=False)
    return Check(step.id, step.header.name, status, message, tuple(files.last_lines(log, TAIL)))
