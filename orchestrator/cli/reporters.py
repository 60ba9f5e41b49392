# SPDX-License-Identifier: GPL-3.0-or-later
"""Who watches a run: plain lines (no terminal), and JSON lines. The live view has a file of its own."""

import sys

from orchestrator.cli.options import Output
from orchestrator.cli.wording import LineSplitter, after_stop, describe, leftovers
from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.reporter import Progress, Reporter


class PlainReporter:
    """Lines; a step's output prefixed with its name."""

    wants_all_output = True

    def __init__(self, continue_command: str) -> None:
        self._out = sys.stdout
        self._splitter = LineSplitter()
        self._command = continue_command

    def event(self, event: Event) -> None:
        if event.name is EventName.STEP_STARTED:
            self._splitter = LineSplitter()
            self._out.write(f"  run    {event['step']}\n")
        if event.name is EventName.STEP_ENDED:
            self._write(event["step"], self._splitter.flush())
        if event.name is EventName.RUN_STOPPED:
            self._out.write("".join(f"{line.text}\n" for line in after_stop(event, self._command)))
        for line in (describe(event), leftovers(event)):
            if line:
                self._out.write(line.text + "\n")
        self._out.flush()

    def output(self, step: str, data: bytes) -> None:
        self._write(step, self._splitter.feed(data))
        self._out.flush()

    def _write(self, step: str, lines: list[str]) -> None:
        name = step.rpartition("/")[2]
        self._out.write("".join(f"{name}: {line}\n" for line in lines))

    def progress(self, progress: Progress) -> None:
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


def make_reporter(output: Output, *, verbose: bool, continue_command: str) -> Reporter:
    if output is Output.JSON:
        return JsonReporter()
    if output is Output.RICH or (output is Output.AUTO and sys.stdout.isatty()):
        from orchestrator.cli.live import LiveReporter

        return LiveReporter(continue_command, verbose=verbose)
    return PlainReporter(continue_command)
