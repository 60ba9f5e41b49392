# SPDX-License-Identifier: GPL-3.0-or-later
"""Following a run of another process: what its own reporter hears, from the files that it writes.

Events come from the journal, a step's output from its log, how far it is from `status.json`. Nothing here can be
noticed by the run.
"""

from dataclasses import replace
from pathlib import Path

from orchestrator.host import clock
from orchestrator.upgrade import lock, statusfile
from orchestrator.upgrade.journal import Event, EventName, parse_line
from orchestrator.upgrade.reporter import Progress, Reporter
from orchestrator.upgrade.runs import RunDirectory
from orchestrator.upgrade.standing import BEGINS, ENDS, last_part
from orchestrator.upgrade.tail import LogTail


class Follower:
    """`end` is the last event of the process that is followed, once it has written it; `died`: it is gone without."""

    def __init__(self, state_dir: Path, run: RunDirectory, reporter: Reporter) -> None:
        self._state_dir, self._reporter = state_dir, reporter
        self._journal = LogTail(run.journal, everything=True)
        self._unread = b""
        self._pid = 0
        self._step: Event | None = None
        self._log: LogTail | None = None
        self.end: Event | None = None
        self.died = False

    def catch_up(self) -> None:
        """Tell what the process that works on the run now has done so far, without the output of what has ended."""
        events = self._new_events()
        latest = last_part(events)
        for event in events[: len(events) - len(latest)]:
            self._follow(event)
        for event in latest:
            self._follow(event)
            self._reporter.event(event)

    def look(self) -> None:
        """Tell what is new."""
        alive = self._lives()  # before the journal: who lets go of the lock has written its last event first
        for event in self._new_events():
            if event.name is EventName.STEP_ENDED:
                self._tell_output(to_end=True)
            self._follow(event)
            self._reporter.event(event)
        self._tell_output()
        if self.end is None:
            self._tell_progress()
            self.died = not alive

    def _new_events(self) -> list[Event]:
        pieces: list[bytes] = []
        self._journal.pump(pieces.append, to_end=True)
        *lines, self._unread = b"".join([self._unread, *pieces]).split(b"\n")
        events = (parse_line(line.decode("utf-8", "replace")) for line in lines)
        return [event for event in events if event is not None]

    def _follow(self, event: Event) -> None:
        if event.name in BEGINS:
            self._pid, self.end = event["pid"], None
        elif event.name in ENDS:
            self.end = event
        elif event.name is EventName.STEP_STARTED:
            self._step = event
            self._log = LogTail(Path(event["log"]), everything=self._reporter.wants_all_output)
        elif event.name is EventName.STEP_ENDED:
            self._step = self._log = None

    def _tell_output(self, *, to_end: bool = False) -> None:
        if self._step is not None and self._log is not None:
            step = self._step["step"]
            self._log.pump(lambda data: self._reporter.output(step, data), to_end=to_end)

    def _tell_progress(self) -> None:
        now = clock.monotonic()
        told = statusfile.progress_of(statusfile.read_status(self._state_dir), self._pid, now)
        if told is not None and told.service:
            self._reporter.progress(told)
        if self._step is not None:
            self._reporter.progress(step_progress(self._step, told, now))

    def _lives(self) -> bool:
        if not lock.is_held(self._state_dir):
            return False
        # It says nothing of itself for an instant, while it writes anew what it does.
        holder = lock.read_holder(self._state_dir)
        return bool(holder.get("pid", self._pid) == self._pid)


def step_progress(started: Event, told: Progress | None, now: float) -> Progress:
    """How the step is that was `started`: as `told`, if that is of this step yet. `now` is the monotonic clock."""
    elapsed = max(0.0, now - started.mono)
    if told is not None and told.step == started["step"]:
        # A step that was adopted began before the process that tells of it.
        return replace(told, elapsed=max(elapsed, told.elapsed))
    return Progress(
        run="",
        phase=started.get("phase", ""),
        step=started["step"],
        number=0,
        total=0,
        elapsed=elapsed,
        expected=started.get("expected"),
        quiet=elapsed,
    )
