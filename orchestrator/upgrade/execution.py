# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a step, the backup or a maintenance command: attempts and retries."""

from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.quantities import show_duration
from orchestrator.host import clock, facts
from orchestrator.host.facts import ProcessId
from orchestrator.host.shimmed import Ending, Shim
from orchestrator.upgrade.adoption import running_attempt
from orchestrator.upgrade.context import RunContext
from orchestrator.upgrade.journal import EventName
from orchestrator.upgrade.runstate import Attempt, StepStatus
from orchestrator.upgrade.watch import TICK, Task, Watch, end_attempt


@dataclass(frozen=True, slots=True)
class OwnExecution:
    shim: Shim
    process: ProcessId | None

    def poll(self, timeout: float) -> Ending | None:
        ending = self.shim.poll(timeout)
        if ending is not None and not ending.known and self.process:
            # The shim was killed; the command may still run, and only its end can be waited for.
            if facts.is_running(self.process):
                clock.sleep(timeout)
                return None
            return ending
        return ending


def run_task(context: RunContext, task: Task) -> Attempt:
    """Run `task` with its retries; the last attempt, whose status is never None."""
    tries = 0
    while True:
        attempt = _run_once(context, task)
        assert attempt.status is not None
        tries += 1
        retryable = attempt.status in (StepStatus.FAILED, StepStatus.LATER, StepStatus.TIMED_OUT)
        if not retryable or tries > task.retry.times or context.interrupts.stop_requested:
            return attempt
        context.note(
            f"{task.id} is tried again in {show_duration(task.retry.delay)} ({tries} of {task.retry.times})"
        )
        _pause(context, task.retry.delay)
        if context.interrupts.stop_requested:
            return attempt


def _pause(context: RunContext, seconds: float) -> None:
    until = clock.monotonic() + seconds
    while (left := until - clock.monotonic()) > 0 and not context.interrupts.stop_requested:
        clock.sleep(min(TICK, left))


def _run_once(context: RunContext, task: Task) -> Attempt:
    last = context.state.last_attempt(task.id)
    number = last.number + 1 if last else 1
    log = context.directory.step_file(task.id, number, "log")
    record = context.directory.step_file(task.id, number, "status")
    if not log.parent.is_dir():  # the first of its kind, or somebody has cleaned up
        log.parent.mkdir(parents=True, exist_ok=True)
    context.scratch.make(task.id)
    context.write(
        EventName.STEP_STARTED,
        step=task.id,
        attempt=number,
        phase=task.phase,
        sha256=task.sha256,
        inputs=task.inputs,
        log=str(log),
        expected=task.expected,
    )
    context.lock.describe(holder(context, task.id))
    began = clock.monotonic()
    started = _start(context, task, number, log, record)
    if isinstance(started, Ending):
        return end_attempt(context, task, number, log, started)
    watch = Watch(context, task, OwnExecution(context.shim, started), log, began)
    ending = watch.to_end()
    if not ending.known:
        context.renew_shim()
    return end_attempt(context, task, number, log, ending, watch)


def _start(context: RunContext, task: Task, number: int, log: Path, record: Path) -> ProcessId | Ending:
    environment = context.environment(task.id, task.kind, task.phase, number)
    started = context.shim.start(task.argv, env=environment, log=log, record=record)
    if isinstance(started, Ending) and not started.known and not record.exists():
        # Somebody killed the idle shim; the command has not begun.
        context.renew_shim()
        started = context.shim.start(task.argv, env=environment, log=log, record=record)
    if isinstance(started, Ending) and not started.known:
        return running_attempt(context.directory, task.id, number) or started
    return started


def holder(context: RunContext, step: str) -> dict[str, object]:
    """What the lock file says of us, for whoever finds it taken."""
    import os

    return {
        "pid": os.getpid(),
        "run": context.directory.id,
        "since": context.state.started,
        "step": step,
        "user": facts.user_name(),
    }
