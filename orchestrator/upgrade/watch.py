# SPDX-License-Identifier: GPL-3.0-or-later
"""A command under the shim, watched to its end: output, time limit, requests to stop.

The same watching serves a command we started and one that a killed runner left running.
"""

import contextlib
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from orchestrator.config.quantities import show_duration
from orchestrator.host import clock, facts
from orchestrator.host.facts import ProcessId
from orchestrator.host.processes import signal_group
from orchestrator.host.shimmed import Ending
from orchestrator.upgrade.context import RunContext
from orchestrator.upgrade.header import Retry
from orchestrator.upgrade.journal import EventName
from orchestrator.upgrade.reporter import Progress
from orchestrator.upgrade.reports import MOST_JOURNALED, ReportTail, read_progress
from orchestrator.upgrade.runstate import Attempt, StepStatus
from orchestrator.upgrade.tail import LogTail
from orchestrator.upgrade.verdicts import judge

TICK = 0.1
# Between TERM and KILL when a time limit has passed.
GRACE = 10.0
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


@dataclass(slots=True)
class Watch:
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
    said: str = ""
    losses: int = 0

    def to_end(self) -> Ending:
        tail = LogTail(self.log, everything=self.context.reporter.wants_all_output)
        reports = ReportTail(self.log.with_suffix(".events"))
        self.heard = clock.monotonic()

        def take(data: bytes) -> None:
            self.context.reporter.output(self.task.id, data)

        self._tell()
        while (ending := self.execution.poll(TICK)) is None:
            if tail.pump(take):
                self.heard = clock.monotonic()
            self._record(reports)
            self._tell()
            self._heed_interrupts()
            self._heed_timeout()
        tail.pump(take, to_end=True)
        self._record(reports, to_end=True)
        return ending

    def _record(self, reports: ReportTail, *, to_end: bool = False) -> None:
        """What the step has told of itself, into the journal, but for what a killed runner has recorded already."""
        attempt = self.context.state.last_attempt(self.task.id)
        assert attempt is not None
        for report in reports.pump(to_end=to_end):
            if attempt.reported < report.number <= MOST_JOURNALED:
                about = {"step": self.task.id, "attempt": attempt.number, "number": report.number}
                self.context.write(EventName.STEP_REPORTED, **about, report=report.content)
        self.losses = reports.lost
        if to_end and reports.lines > MOST_JOURNALED:
            path = self.log.with_suffix(".events")
            self.context.note(f"{self.task.id}: {reports.lines - MOST_JOURNALED} more events are in {path}")

    def _tell(self) -> None:
        now = clock.monotonic()
        said = read_progress(self.log.with_suffix(".progress")) or self.said
        if said != self.said:
            self.said, self.heard = said, now
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
                said=self.said,
                unsafe=self.task.unsafe,
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


def end_attempt(
    context: RunContext, task: Task, number: int, log: Path, ending: Ending, watch: Watch | None = None
) -> Attempt:
    """Journal how an attempt ended."""
    status, message = judge(
        ending, timed_out=bool(watch and watch.timed_out), stopped=bool(watch and watch.stopped)
    )
    left = _describe_left(context, ending.left)
    losses = watch.losses if watch and status is StepStatus.DONE else 0
    with contextlib.suppress(OSError):
        log.with_suffix(".progress").unlink()
    context.write(
        EventName.STEP_ENDED,
        step=task.id,
        attempt=number,
        phase=task.phase,
        status=status.value,
        message=message or (f"{losses} lost" if losses else ""),
        seconds=round(ending.seconds, 3),
        left=left,
        log=str(log),
        **({"losses": losses} if losses else {}),
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
