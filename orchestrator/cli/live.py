# SPDX-License-Identifier: GPL-3.0-or-later
"""The live view: what has happened scrolls by; below it stay a progress bar, what runs now, and the end of
the step's output (docs/terminal.md)."""

import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.cli.heartbeat import far_over, roughly
from orchestrator.cli.layout import cells, crop, fold
from orchestrator.cli.outlook import Outlook
from orchestrator.cli.terminal import STYLES, make_console
from orchestrator.cli.wording import Line, LineSplitter, after_stop, clean, describe, leftovers
from orchestrator.config.quantities import show_duration
from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.reporter import Progress

TAIL_LINES = 5
# A step that says nothing for so long is pointed out.
QUIET = 10.0
_SHORTEST_BAR = 12
# As much of a step's name is shown at least.
_LEAST_NAME = 24
_END = (EventName.RUN_ENDED, EventName.RUN_STOPPED, EventName.RECOVERED)
_SERVICE_BEGINS = {EventName.SERVICE_STOPPING: "stopping", EventName.SERVICE_STARTING: "starting"}
_SERVICE_ENDS = (EventName.SERVICE_DOWN, EventName.SERVICE_READY, EventName.SERVICE_FAILED)


class LiveReporter:
    """`verbose`: all output scrolls by instead of the last lines staying below the bar."""

    def __init__(self, continue_command: str, *, verbose: bool) -> None:
        self.wants_all_output = verbose
        self._console = make_console()
        self._command = continue_command
        self._outlook = Outlook()
        self._splitter = LineSplitter()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._step: Progress | None = None
        # Services on their way: name -> stopping or starting, and what is heard of them.
        self._moving: dict[str, str] = {}
        self._heard: dict[str, Progress] = {}
        # For the picture alone. Whoever draws it holds the lock of the Live and wants this one: nobody may print,
        # start or stop, for which the Live takes its own, while holding this.
        self._guard = threading.Lock()
        self._live = Live(
            console=self._console, get_renderable=self._render, refresh_per_second=8, transient=True
        )

    def expect(self, plan: Mapping[str, Any]) -> None:
        self._outlook = Outlook(plan)

    def close(self) -> None:
        with self._guard:
            self._step = None
            self._moving.clear()
        self._live.stop()

    def event(self, event: Event) -> None:
        with self._guard:
            output = self._follow(event)
        if event.name not in _END:
            self._live.start()
        self._show(output)
        told = event.name is EventName.STEP_REPORTED and self.wants_all_output  # by the step's output already
        for line in (None if told else describe(event), leftovers(event)):
            if line:
                self._print(line)
        if event.name in _END:
            self.close()
        if event.name is EventName.RUN_STOPPED:
            for line in after_stop(event, self._command):
                self._print(line)

    def _follow(self, event: Event) -> list[str]:
        """Keep the picture true to `event`; the output that is to be shown before it."""
        self._outlook.follow(event)
        if event.name is EventName.STEP_STARTED:
            self._splitter = LineSplitter()
            self._tail.clear()
        elif event.name is EventName.STEP_ENDED:
            self._tail.clear()
            self._step = None
            return self._splitter.flush()
        elif event.name in _SERVICE_BEGINS:
            self._moving[event["service"]] = _SERVICE_BEGINS[event.name]
        elif event.name in _SERVICE_ENDS:
            self._moving.pop(event["service"], None)
            self._heard.pop(event["service"], None)
        return []

    def output(self, step: str, data: bytes) -> None:  # noqa: ARG002 - the view shows the step above
        with self._guard:
            lines = self._splitter.feed(data)
            self._tail.extend(line for line in lines if line.strip())
        self._show(lines)

    def _show(self, lines: list[str]) -> None:
        if self.wants_all_output and lines:
            self._console.print(Text("\n".join(f"  | {line}" for line in lines), "dim"))

    def progress(self, progress: Progress) -> None:
        with self._guard:
            if progress.service:
                self._heard[progress.service] = progress
            else:
                self._step = progress

    def _print(self, line: Line) -> None:
        for folded in fold(line, self._console.width):
            self._console.print(Text(folded.text, STYLES[folded.style]), soft_wrap=True)

    # What stays below ---------------------------------------------------------------------------------

    def _render(self) -> RenderableType:
        with self._guard:
            width = self._console.width
            told = self._doing(width)
            lines = [crop(f"  | {line}", width) for line in self._details()]
            room = max(0, self._console.height - len(told) - 2)
            below = [Text(line, "dim", no_wrap=True) for line in lines[-room:]] if room else []
            bar = [self._bar(width)] if self._outlook.total else []
            return Group(*bar, *told, *below)

    def _bar(self, width: int) -> Table:
        text = self._outlook.describe(width - _SHORTEST_BAR - 1, self._step)
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(ratio=1)
        grid.add_column(no_wrap=True)
        bar = ProgressBar(total=max(1, self._outlook.total), completed=self._outlook.done)
        grid.add_row(bar, Text(text))
        return grid

    def _doing(self, width: int) -> list[Text]:
        told = [_step_text(self._step, width)] if self._step else []
        if self._step and self._step.said:
            told.append(crop(f"  {clean(self._step.said)}", width))
        for verb in ("stopping", "starting"):
            names = sorted(name for name, what in self._moving.items() if what == verb)
            if names:
                longest = max(
                    (self._heard[name].elapsed for name in names if name in self._heard), default=0.0
                )
                told.append(_with_time(f"{verb} {', '.join(names)}", width, show_duration(longest)))
        return [Text(text, "bold", no_wrap=True) for text in told]

    def _details(self) -> list[str]:
        if self._moving:
            heard = ((name, self._heard[name].reason) for name in self._moving if name in self._heard)
            return [f"{name}: {clean(reason)}" for name, reason in heard if reason]
        return [] if self.wants_all_output else list(self._tail)


def _step_text(progress: Progress, width: int) -> str:
    elapsed, left = show_duration(progress.elapsed), ""
    if progress.expected:
        seconds = progress.expected - progress.elapsed
        usual = show_duration(progress.expected)
        left = f", about {show_duration(seconds)} left" if seconds > 0 else f", usually {usual}"
        if far_over(progress.elapsed, progress.expected):
            left = f", far over the usual {roughly(progress.expected)}"
    silent = f", silent for {show_duration(progress.quiet)}" if progress.quiet > QUIET else ""
    return _with_time(progress.step, width, elapsed + left + silent, elapsed + silent, elapsed)


def _with_time(text: str, width: int, *times: str) -> str:
    """`text`, and the first of `times` that leaves enough room for it."""
    wanted = min(cells(text), _LEAST_NAME)
    time = next((time for time in times if width - cells(time) - 2 >= wanted), times[-1])
    return crop(f"{crop(text, max(0, width - cells(time) - 2))}  {time}", width)
