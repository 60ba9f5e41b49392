# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks on their own: check/ scripts and facts of the host, all failures at once, outside any run."""

import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.host import clock, files
from orchestrator.host.facts import ProcessId
from orchestrator.host.processes import signal_group
from orchestrator.host.shimmed import Ending, Shim
from orchestrator.upgrade.begin import UpgradeOptions, preview
from orchestrator.upgrade.context import step_environment
from orchestrator.upgrade.plan import Plan
from orchestrator.upgrade.reports import environment_of
from orchestrator.upgrade.runstate import StepStatus
from orchestrator.upgrade.scripts import Step
from orchestrator.upgrade.setting import Setting
from orchestrator.upgrade.verdicts import judge

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
    """One check with its retries, as in a run."""
    for attempt in range(1, step.header.retry.times + 2):
        if attempt > 1:
            clock.sleep(step.header.retry.delay)
        check = _run_once(setting, plan, step, attempt, shim, directory)
        if check.status.good:
            break
    return check


def _run_once(setting: Setting, plan: Plan, step: Step, attempt: int, shim: Shim, directory: Path) -> Check:
    scratch = directory / f"{step.name}.{attempt}"
    scratch.mkdir()
    own = {
        "RUN_ID": "",
        "PHASE": "checks",
        "STEP": step.id,
        "KIND": step.kind.value,
        "ATTEMPT": str(attempt),
        "ASSUMEYES": "0",
        "SCRATCH_DIR": str(scratch),
        "CONFIG": str(setting.path),
    }
    log = directory / f"{step.name}.{attempt}.log"
    told = environment_of(lambda suffix: log.with_suffix(f".{suffix}"))
    environment = {**step_environment(setting.config, plan, own), **told}
    started = shim.start(step.argv, env=environment, log=log, record=log.with_suffix(".status"))
    if isinstance(started, Ending):
        ending, timed_out = started, False
    else:
        ending, timed_out = _wait(shim, started, step.header.timeout)
    status, message = judge(ending, timed_out=timed_out, stopped=False)
    return Check(step.id, step.header.name, status, message, tuple(files.last_lines(log, TAIL)))


def _wait(shim: Shim, process: ProcessId, limit: float | None) -> tuple[Ending, bool]:
    """The ending, and whether the time limit made it: a check is read-only, so it is killed at once."""
    began = clock.monotonic()
    timed_out = False
    try:
        while (ending := shim.poll(0.2)) is None:
            if limit is not None and not timed_out and clock.monotonic() - began > limit:
                timed_out = True
                signal_group(process, signal.SIGKILL)
    except KeyboardInterrupt:
        signal_group(process, signal.SIGKILL)
        raise
    return ending, timed_out
