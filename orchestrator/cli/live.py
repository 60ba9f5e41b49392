# SPDX-License-Identifier: GPL-3.0-or-later
"""The live view: what has happened scrolls by; below it stay a progress bar and the end of the step's output."""

import threading
from collections import deque

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.cli.options import Output
from orchestrator.cli.terminal import STYLES, make_console
from orchestrator.cli.wording import Line, LineSplitter, after_stop, describe, leftovers
from orchestrator.config.quantities import show_duration
from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.reporter import Progress

TAIL_LINES = 5
# A step that says nothing for so long is pointed out.
QUIET = 10.0


class LiveReporter:
    """`verbose`: all output scrolls by instead of the last lines staying below the bar."""

    def __init__(self, continue_command: str, *, verbose: bool) -> None:
        self.wants_all_output = verbose
        self._console: Console = make_console(Output.RICH)
        self._command = continue_command
        self._splitter = LineSplitter()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._progress: Progress | None = None
        self._guard = threading.RLock()
        self._live = Live(
            console=self._console, get_renderable=self._render, refresh_per_second=8, transient=True
        )
        self._running = False

    def event(self, event: Event) -> None:
        with self._guard:
            if event.name in (EventName.RUN_STARTED, EventName.RUN_CONTINUED) and not self._running:
                self._live.start()
                self._running = True
            if event.name is EventName.STEP_STARTED:
                self._splitter = LineSplitter()
                self._tail.clear()
            if event.name is EventName.STEP_ENDED:
                self._take(self._splitter.flush())
            for line in (describe(event), leftovers(event)):
                if line:
                    self._print(line)
            if event.name in (EventName.RUN_ENDED, EventName.RUN_STOPPED):
                self._stop()
            if event.name is EventName.RUN_STOPPED:
                for line in after_stop(event, self._command):
                    self._print(line)

    def _stop(self) -> None:
        if self._running:
            self._running = False
            self._progress = None
            self._live.stop()

    def output(self, step: str, data: bytes) -> None:  # noqa: ARG002 - the view shows the step above
        with self._guard:
            self._take(self._splitter.feed(data))

    def _take(self, lines: list[str]) -> None:
        if self.wants_all_output:
            for line in lines:
                self._console.print(Text(f"  | {line}", "dim"))
        else:
            self._tail.extend(line for line in lines if line.strip())

    def progress(self, progress: Progress) -> None:
        self._progress = progress

    def _print(self, line: Line) -> None:
        self._console.print(Text(line.text, STYLES[line.style]))

    def _render(self) -> RenderableType:
        progress = self._progress
        if progress is None:
            return Text("")
        parts: list[RenderableType] = [_bar(progress), _doing(progress)]
        width = max(10, self._console.width - 4)
        parts += [
            Text(f"  | {line[:width]}", "dim", no_wrap=True, overflow="ellipsis") for line in self._tail
        ]
        return Group(*parts)


def _bar(progress: Progress) -> Table:
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(ratio=1)
    grid.add_column(no_wrap=True)
    done = max(0, progress.number - 1)
    count = f"{progress.number}/{progress.total}"
    grid.add_row(ProgressBar(total=max(1, progress.total), completed=done), Text(f"{count} {progress.phase}"))
    return grid


def _doing(progress: Progress) -> Text:
    text = f"{progress.step}  {show_duration(progress.elapsed)}"
    if progress.expected:
        left = progress.expected - progress.elapsed
        text += (
            f", about {show_duration(left)} left"
            if left > 0
            else f" (usually {show_duration(progress.expected)})"
        )
    if progress.quiet > QUIET:
        text += f", silent for {show_duration(progress.quiet)}"
    return Text(text, "bold", no_wrap=True, overflow="ellipsis")
