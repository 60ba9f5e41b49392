# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps of a runner that died: how they ended as far as anybody knows, and waiting for one that still runs."""

from dataclasses import dataclass
from pathlib import Path

from orchestrator.host import clock, facts, files
from orchestrator.host.facts import ProcessId
from orchestrator.host.shimmed import Ending, read_record
from orchestrator.upgrade.context import RunContext
from orchestrator.upgrade.runs import RunDirectory
from orchestrator.upgrade.runstate import Attempt, StepStatus
from orchestrator.upgrade.verdicts import judge
from orchestrator.upgrade.watch import TICK, Task, Watch, end_attempt


@dataclass(frozen=True, slots=True)
class AdoptedExecution:
    """A command of a runner that died. Its shim holds `lock` until the record is complete."""

    record: Path
    lock: Path
    process: ProcessId | None

    def poll(self, timeout: float) -> Ending | None:
        ending = read_record(self.record).ending
        if ending.known:
            return ending
        running = self.process is not None and facts.is_running(self.process)
        if running or files.lock_is_held(self.lock):
            clock.sleep(timeout)
            return None
        return read_record(self.record).ending


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """A command of a runner that died: how it ended, or that it still runs."""

    ending: Ending
    process: ProcessId | None
    shim_alive: bool

    @property
    def running(self) -> bool:
        if self.ending.known:
            return False
        return self.shim_alive or (self.process is not None and facts.is_running(self.process))


def _look(run: RunDirectory, attempt: Attempt) -> LeftBehind:
    # The lock first: once the shim is gone, its record does not change any more.
    shim_alive = files.lock_is_held(run.shim_lock)
    record = read_record(run.step_file(attempt.step, attempt.number, "status"))
    process = None
    if record.pid is not None and record.started is not None:
        # After a reboot the pid means nothing; the start time in ticks would hardly match, the boot does not.
        process = ProcessId(record.pid, record.started, record.boot)
    elif not shim_alive:
        process = running_attempt(run, attempt.step, attempt.number)
    return LeftBehind(record.ending, process, shim_alive)


def running_attempt(run: RunDirectory, step: str, number: int) -> ProcessId | None:
    """The main process of an attempt whose shim died before it could write down who that is."""
    environment = {"RUN_ID": run.id, "STEP": step, "ATTEMPT": str(number)}
    found = facts.started_with({f"ORCHESTRATOR_{name}": value for name, value in environment.items()})
    leaders = (facts.identify(pid) for pid in found if facts.leads_session(pid))
    return next((process for process in leaders if process and facts.is_running(process)), None)


def judge_left_behind(run: RunDirectory, attempt: Attempt) -> StepStatus | None:
    """How a killed runner's step ended, as far as anybody knows; None: it still runs."""
    left = _look(run, attempt)
    return None if left.running else judge(left.ending, timed_out=False, stopped=False)[0]


def adopt(context: RunContext, task: Task, attempt: Attempt) -> tuple[Attempt, bool]:
    """Wait for the attempt that a killed runner left and record how it ended; whether it still ran."""
    left = _look(context.directory, attempt)
    while left.running and left.process is None:  # its shim is about to start it
        clock.sleep(TICK / 10)
        left = _look(context.directory, attempt)
    running = left.running
    if running and left.process:
        context.note(f"{task.id} still runs (pid {left.process.pid}, since {attempt.time}): waiting for it")
    record = context.directory.step_file(task.id, attempt.number, "status")
    log = context.directory.step_file(task.id, attempt.number, "log")
    execution = AdoptedExecution(record, context.directory.shim_lock, left.process)
    # Its time limit counts from its own start.
    elapsed = facts.seconds_running(left.process) if left.process else 0.0
    watch = Watch(context, task, execution, log, clock.monotonic() - elapsed)
    return end_attempt(context, task, attempt.number, log, watch.to_end(), watch), running
