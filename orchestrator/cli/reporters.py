# SPDX-License-Identifier: GPL-3.0-or-later
"""Who watches a run: plain lines (no terminal), and JSON lines. The live view has a file of its own."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from orchestrator.cli.heartbeat import EVERY, Heartbeat
from orchestrator.cli.options import Output
from orchestrator.cli.terminal import is_rich
from orchestrator.cli.wording import LineSplitter, after_stop, clean, describe, leftovers
from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.reporter import Progress, Reporter


class View(Reporter, Protocol):
    """A reporter for people, or for their programs."""

    def expect(self, plan: Mapping[str, Any]) -> None:
        """The plan of the run that is about to begin, as it stands in plan.json."""

    def close(self) -> None:
        """Leave the terminal as it was found."""


class PlainReporter:
    """Lines; a step's output prefixed with its name. What is silent gets a line every `heartbeat` seconds."""

    wants_all_output = True

    def __init__(self, continue_command: str, *, heartbeat: float = EVERY) -> None:
        self._out = sys.stdout
        self._heartbeat = Heartbeat(heartbeat)
        self._splitter = LineSplitter()
        self._command = continue_command

    def event(self, event: Event) -> None:
        if event.name is EventName.STEP_STARTED:
            self._splitter = LineSplitter()
            self._heartbeat.forget(event["step"])
            self._out.write(f"  run    {event['step']}\n")
        if event.name in (EventName.SERVICE_STOPPING, EventName.SERVICE_STARTING):
            self._heartbeat.forget(event["service"])
        if event.name is EventName.STEP_ENDED:
            self._write(event["step"], self._splitter.flush())
        if event.name is EventName.RUN_STOPPED:
            self._out.write("".join(f"{line.text}\n" for line in after_stop(event, self._command)))
        told = event.name is EventName.STEP_REPORTED  # by the step's output already
        for line in (None if told else describe(event), leftovers(event)):
            if line:
                self._out.write(line.text + "\n")
        self._out.flush()

    def output(self, step: str, data: bytes) -> None:
        self._write(step, self._splitter.feed(data))
        self._out.flush()

    def _write(self, step: str, lines: list[str]) -> None:
        if lines:
            prefix = f"{step.rpartition('/')[2]}: "
            self._out.write(prefix + f"\n{prefix}".join(lines) + "\n")

    def progress(self, progress: Progress) -> None:
        for line in self._heartbeat.lines(progress):
            self._out.write(f"{clean(line)}\n")
            self._out.flush()

    def expect(self, plan: Mapping[str, Any]) -> None:
        pass

    def close(self) -> None:
        pass


class JsonReporter:
    """The journal's own lines."""

    wants_all_output = False

    def __init__(self) -> None:
        self._out = sys.stdout

    def event(self, event: Event) -> None:
        self._out.write(event.to_json() + "\n")
        self._out.flush()

    def output(self, step: str, data: bytes) -> None:
        pass

    def progress(self, progress: Progress) -> None:
        pass

    def expect(self, plan: Mapping[str, Any]) -> None:
        pass

    def close(self) -> None:
        pass


@contextlib.contextmanager
def watching(output: Output, *, verbose: bool, continue_command: str) -> Iterator[View]:
    """The view that fits `output`, closed at the end whatever happens."""
    view = _make(output, verbose=verbose, continue_command=continue_command)
    try:
        yield view
    finally:
        view.close()


def _make(output: Output, *, verbose: bool, continue_command: str) -> View:
    if output is Output.JSON:
        return JsonReporter()
    if is_rich(output):
        from orchestrator.cli.live import LiveReporter

        return LiveReporter(continue_command, verbose=verbose)
    return PlainReporter(continue_command)
