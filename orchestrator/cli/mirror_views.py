# SPDX-License-Identifier: GPL-3.0-or-later
"""Who watches the content engine: a progress bar on a terminal, plain lines elsewhere, JSON lines for programs."""

import contextlib
import json
import sys
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Self, TextIO

from orchestrator.cli.layout import crop, fold
from orchestrator.cli.mirror_wording import describe
from orchestrator.cli.options import Output
from orchestrator.cli.terminal import STYLES, is_rich, make_console
from orchestrator.config.quantities import show_duration, show_size
from orchestrator.content.events import Event, Name, Watcher
from orchestrator.host.clock import monotonic

if TYPE_CHECKING:
    from rich.console import RenderableType

# A plain log gets a line of progress at most so often (seconds).
_PLAIN_EVERY = 10.0


@contextlib.contextmanager
def watching(output: Output, *, quiet: bool = False, aside: bool = False) -> Iterator[Watcher]:
    """The watcher that fits `output`; the terminal is left as it was found. `quiet`: only what is wrong is told.
    `aside`: stdout belongs to something else, and all is told on stderr."""
    if output is Output.JSON:
        yield partial(_json, sys.stderr if aside else sys.stdout)
    elif quiet:
        yield _Plain(only=(Name.WARNING, Name.LOST))
    elif aside:
        yield _Plain(aside=True)
    elif is_rich(output):
        with _Bar() as bar:
            yield bar
    else:
        yield _Plain()


def _json(stream: TextIO, event: Event) -> None:
    document = {"event": event.name.value, "source": event.source} | event.fields
    stream.write(json.dumps(document) + "\n")
    stream.flush()


class _Plain:
    """Lines on stdout; warnings of commands whose output is read by others on stderr."""

    def __init__(self, only: tuple[Name, ...] = (), *, aside: bool = False) -> None:
        self._only, self._aside = only, aside or bool(only)
        self._told = monotonic()

    def __call__(self, event: Event) -> None:
        if self._only and event.name not in self._only:
            return
        text = ""
        if event.name is Name.PROGRESS:
            if monotonic() - self._told >= _PLAIN_EVERY:
                text = f"{event.source}: {progress_text(event)}"
        else:
            line = describe(event)
            text = line.text if line else ""
        if text:
            self._told = monotonic()
            out = sys.stderr if self._aside else sys.stdout
            out.write(text + "\n")
            out.flush()


def progress_text(event: Event) -> str:
    """`120 of 2000 files, 9.1 MiB of 143 MiB, 4.5 MiB/s, 30 s left`."""
    fields = event.fields
    total, things = fields["files_total"], fields.get("things", "files")
    files = f"{fields['files']} of {total} {things}, " if total > (things == "chunks") else ""
    size = f"{show_size(fields['bytes'])} of {show_size(fields['bytes_total'])}"
    rate = fields["rate"]
    left = fields["bytes_total"] - fields["bytes"]
    eta = f", {show_duration(left / rate)} left" if rate > 0 and left > 0 else ""
    return f"{files}{size}, {show_size(rate)}/s{eta}"


class _Bar:
    """Lines scroll by; below them stays the bar of what is being downloaded."""

    def __init__(self) -> None:
        from rich.live import Live

        self._console = make_console()
        self._latest: Event | None = None
        self._live = Live(
            console=self._console, get_renderable=self._render, refresh_per_second=8, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._latest = None
        self._live.stop()

    def __call__(self, event: Event) -> None:
        from rich.text import Text

        if event.name is Name.PROGRESS:
            if event.fields["bytes_total"]:  # or it is an entry file, of which nobody knows the size
                self._latest = event
            return
        self._latest = None
        line = describe(event)
        if line:
            for folded in fold(line, self._console.width):
                self._console.print(Text(folded.text, STYLES[folded.style]), soft_wrap=True)

    def _render(self) -> "RenderableType":
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        event = self._latest
        if event is None:
            return Text("")
        width = self._console.width
        bar = ProgressBar(
            total=max(1, event.fields["bytes_total"]), completed=event.fields["bytes"], width=width
        )
        text = crop(f"{event.source}: {progress_text(event)}", width)
        return Group(Text(text, no_wrap=True), bar)  # the bar does not end its line
