# SPDX-License-Identifier: GPL-3.0-or-later
"""One command under the shim, watched to its end: output, time limit, requests to stop.

The same watching serves a command we started and one that a killed runner left running.
"""

import contextlib
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from orchestrator.config.quantities import show_duration
from orchestrator.host import clock, facts, files
from orchestrator.host.facts import ProcessId
from orchestrator.host.processes import Ending, Shim, read_record, signal_group
from orchestrator.upgrade.context import RunContext
from orchestrator.upgrade.header import Retry
from orchestrator.upgrade.journal import EventName
from orchestrator.upgrade.reporter import Progress
from orchestrator.upgrade.runs import RunDirectory
from orchestrator.upgrade.runstate import Attempt, StepStatus
from orchestrator.upgrade.tail import LogTail

TICK = 0.1
# Between TERM and KILL when a time limit has passed.
GRACE = 10.0
NOT_APPLICABLE = 77
TRY_LATER = 75
# What a step left behind is looked at again after this long: most of it is only about to end.
LEFT_SETTLES = 0.2


@dataclass(frozen=True, slots=True)
class Task:
    """Something to run: a step, the backup, a maintenance command. Seconds; None means no limit."""

    id: str
    kind: str
    phase: str
    argv: tuple[str, ...]
    sha256: str = ""
    inputs: str = ""
    timeout: float | None = None
    expected: float | None = None
    unsafe: bool = False
    retry: Retry = field(default_factory=Retry)


class Execution(Protocol):
    """A command that runs. `process` is None when nobody knows which it is."""

    @property
    def process(self) -> ProcessId | None: ...

    def poll(self, timeout: float) -> Ending | None:
        """The ending, or None when it still runs after `timeout` seconds."""


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


@dataclass(slots=True)
class _Watch:
    """Watches one execution to its end."""

    context: RunContext
    task: Task
    execution: Execution
    log: Path
    began: float
    heard: float = 0.0
    announced: int = 0
    terminated: float | None = None
    killed: bool = False
    timed_out: bool = False
    stopped: bool = False

    def to_end(self) -> Ending:
        tail = LogTail(self.log, everything=self.context.reporter.wants_all_output)
        self.heard = clock.monotonic()

        def take(data: bytes) -> None:
            self.context.reporter.output(self.task.id, data)

        self._tell()
        while (ending := self.execution.poll(TICK)) is None:
            if tail.pump(take):
                self.heard = clock.monotonic()
            self._tell()
            self._heed_interrupts()
            self._heed_timeout()
        tail.pump(take, to_end=True)
        return ending

    def _tell(self) -> None:
        now = clock.monotonic()
        context = self.context
        context.progress(
            Progress(
                run=context.directory.id,
                phase=self.task.phase,
                step=self.task.id,
                number=context.done_steps + 1,
                total=context.due_steps,
                elapsed=now - self.began,
                expected=self.task.expected,
                quiet=now - self.heard,
            )
        )

    def _heed_interrupts(self) -> None:
        presses = self.context.interrupts.presses
        if presses <= self.announced:
            return
        self.announced = presses
        # An unsafe step is asked for once more before it is touched.
        level = presses - 1 if self.task.unsafe and presses > 1 else presses
        asks_again = self.task.unsafe and presses == 2
        action = "ask" if asks_again else {1: "after-step", 2: "terminate"}.get(level, "kill")
        self.context.write(EventName.INTERRUPT, step=self.task.id, action=action, unsafe=self.task.unsafe)
        if action == "terminate":
            self.stopped = True
            self._signal(signal.SIGTERM)
        elif action == "kill":
            self.stopped = True
            self._signal(signal.SIGKILL)

    def _heed_timeout(self) -> None:
        now = clock.monotonic()
        limit = self.task.timeout
        if limit is None:
            return
        if not self.timed_out and now - self.began > limit:
            self.timed_out = True
            self.terminated = now
            self.context.note(f"{self.task.id} is over its time limit of {show_duration(limit)}: TERM")
            self._signal(signal.SIGTERM)
        elif self.terminated is not None and not self.killed and now - self.terminated > GRACE:
            self.killed = True
            self.context.note(f"{self.task.id} did not end {show_duration(GRACE)} after TERM: KILL")
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.execution.process is not None:
            signal_group(self.execution.process, number)


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
        return _end(context, task, number, log, started)
    watch = _Watch(context, task, OwnExecution(context.shim, started), log, began)
    ending = watch.to_end()
    if not ending.known:
        context.renew_shim()
    return _end(context, task, number, log, ending, watch)


def _start(context: RunContext, task: Task, number: int, log: Path, record: Path) -> ProcessId | Ending:
    environment = context.environment(task.id, task.kind, task.phase, number)
    started = context.shim.start(task.argv, env=environment, log=log, record=record)
    if isinstance(started, Ending) and not started.known and not record.exists():
        # Somebody killed the idle shim; the command has not begun.
        context.renew_shim()
        started = context.shim.start(task.argv, env=environment, log=log, record=record)
    if isinstance(started, Ending) and not started.known:
        return _running_attempt(context.directory, task.id, number) or started
    return started


def _running_attempt(run: RunDirectory, step: str, number: int) -> ProcessId | None:
    """The main process of an attempt whose shim died before it could write down who that is."""
    environment = {"RUN_ID": run.id, "STEP": step, "ATTEMPT": str(number)}
    found = facts.started_with({f"ORCHESTRATOR_{name}": value for name, value in environment.items()})
    leaders = (facts.identify(pid) for pid in found if facts.leads_session(pid))
    return next((process for process in leaders if process and facts.is_running(process)), None)


@dataclass(frozen=True, slots=True)
class _LeftBehind:
    """A command of a runner that died: how it ended, or that it still runs."""

    ending: Ending
    process: ProcessId | None
    shim_alive: bool

    @property
    def running(self) -> bool:
        if self.ending.known:
            return False
        return self.shim_alive or (self.process is not None and facts.is_running(self.process))


def _look_at_left_behind(run: RunDirectory, attempt: Attempt) -> _LeftBehind:
    # The lock first: once the shim is gone, its record does not change any more.
    shim_alive = files.lock_is_held(run.shim_lock)
    record = read_record(run.step_file(attempt.step, attempt.number, "status"))
    process = None
    if record.pid is not None and record.started is not None:
        # After a reboot the pid means nothing; the start time in ticks would hardly match, the boot does not.
        process = ProcessId(record.pid, record.started, record.boot)
    elif not shim_alive:
        process = _running_attempt(run, attempt.step, attempt.number)
    return _LeftBehind(record.ending, process, shim_alive)


def judge_left_behind(run: RunDirectory, attempt: Attempt) -> StepStatus | None:
    """How a killed runner's step ended, as far as anybody knows; None: it still runs."""
    left = _look_at_left_behind(run, attempt)
    return None if left.running else judge(left.ending, timed_out=False, stopped=False)[0]


def adopt(context: RunContext, task: Task, attempt: Attempt) -> tuple[Attempt, bool]:
    """Wait for the attempt that a killed runner left and record how it ended; whether it still ran."""
    left = _look_at_left_behind(context.directory, attempt)
    while left.running and left.process is None:  # its shim is about to start it
        clock.sleep(TICK / 10)
        left = _look_at_left_behind(context.directory, attempt)
    running = left.running
    if running and left.process:
        context.note(f"{task.id} still runs (pid {left.process.pid}, since {attempt.time}): waiting for it")
    record = context.directory.step_file(task.id, attempt.number, "status")
    log = context.directory.step_file(task.id, attempt.number, "log")
    execution = AdoptedExecution(record, context.directory.shim_lock, left.process)
    watch = _Watch(context, task, execution, log, clock.monotonic())
    return _end(context, task, attempt.number, log, watch.to_end(), watch), running


def _end(
    context: RunContext, task: Task, number: int, log: Path, ending: Ending, watch: _Watch | None = None
) -> Attempt:
    """Journal how an attempt ended."""
    status, message = judge(
        ending, timed_out=bool(watch and watch.timed_out), stopped=bool(watch and watch.stopped)
    )
    left = _describe_left(context, ending.left)
    context.write(
        EventName.STEP_ENDED,
        step=task.id,
        attempt=number,
        phase=task.phase,
        status=status.value,
        message=message,
        seconds=round(ending.seconds, 3),
        left=left,
        log=str(log),
        **({"exit": ending.exit} if ending.exit is not None else {}),
        **({"signal": ending.signal} if ending.signal is not None else {}),
    )
    if status.good:
        context.scratch.release(task.id, in_use=bool(ending.left))
    last = context.state.last_attempt(task.id)
    assert last is not None
    return last


def _describe_left(context: RunContext, pids: tuple[int, ...]) -> list[str]:
    """Processes that a step left behind, that are not just about to end, and that are no service's."""
    if not pids:
        return []
    clock.sleep(LEFT_SETTLES)
    of_services = {process.pid for service in context.services.values() for process in service.family()}
    found = [process for pid in pids if (process := facts.identify(pid)) and facts.is_running(process)]
    found = [process for process in found if process.pid not in of_services]
    return [f"{process.pid} ({facts.command_of(process.pid)})" for process in found]


def judge(ending: Ending, *, timed_out: bool, stopped: bool) -> tuple[StepStatus, str]:
    """What an ending means. Pure. Success is the command's own word: exit status 0, whatever we sent it."""
    if ending.exit == 0:
        return StepStatus.DONE, ""
    if ending.error:
        return StepStatus.FAILED, f"could not be started: {ending.error}"
    if not ending.known:
        return StepStatus.UNKNOWN, "nobody saw how it ended"
    if stopped:
        return StepStatus.STOPPED, "stopped on request"
    if timed_out:
        return StepStatus.TIMED_OUT, "did not end within its time limit"
    return _judge_failure(ending)


def _judge_failure(ending: Ending) -> tuple[StepStatus, str]:
    if ending.exit == NOT_APPLICABLE:
        return StepStatus.NOT_APPLICABLE, "does not apply here"
    if ending.exit == TRY_LATER:
        return StepStatus.LATER, "asks to be tried again later (exit status 75)"
    if ending.signal is not None:
        return StepStatus.FAILED, f"killed by {_signal_name(ending.signal)}"
    return StepStatus.FAILED, f"exit status {ending.exit}"


def _signal_name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


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
