# SPDX-License-Identifier: GPL-3.0-or-later
"""Where output goes: a console that survives the loss of its terminal, tables, questions."""

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from orchestrator.cli.options import Output
from orchestrator.cli.wording import Line, clean

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {"good": "green", "bad": "bold red", "dim": "dim", "bold": "bold", "": ""}
WIDE = 400


class SurvivingStream:
    """Writes until the other side is gone (a lost ssh, a closed pipe), and is silent from then on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._gone = False

    def write(self, text: str) -> int:
        if not self._gone:
            try:
                return self._stream.write(text)
            except (OSError, ValueError):
                self._lose()
        return len(text)

    def flush(self) -> None:
        if not self._gone:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self._lose()

    def _lose(self) -> None:
        """What is still in the buffer goes nowhere, or the interpreter would fail with it at its end."""
        self._gone = True
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)

    def isatty(self) -> bool:
        return not self._gone and self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:
        return self._stream.encoding


def make_console(output: Output) -> "Console":
    """A console for `output`; without a terminal lines are not folded and carry no escape sequences."""
    from rich.console import Console

    stream: Any = SurvivingStream(sys.stdout)
    on_terminal = sys.stdout.isatty()
    if output is Output.RICH or (output is Output.AUTO and on_terminal):
        return Console(file=stream, highlight=False, force_terminal=True)
    return Console(file=stream, highlight=False, force_terminal=False, color_system=None, width=WIDE)


def say(lines: Sequence[Line], stream: "TextIO | SurvivingStream | None" = None) -> None:
    """Plain lines to stdout, or to `stream` in its place; styled on a terminal."""
    if sys.stdout.isatty():
        from rich.text import Text

        console = make_console(Output.AUTO)
        for line in lines:
            console.print(Text(line.text, STYLES[line.style]))
        return
    out = stream or sys.stdout
    for line in lines:
        out.write(line.text + "\n")


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], output: Output = Output.AUTO) -> None:
    """A table that fits the terminal; the last column takes what is left. Unbounded without a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console = make_console(output)
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False, show_edge=False)
    for index, column in enumerate(columns):
        last = index == len(columns) - 1
        table.add_column(
            column, overflow="fold", no_wrap=False, ratio=1 if last and console.is_terminal else None
        )
    for row in rows:
        table.add_row(*(Text(clean(" ".join(cell.split()))) for cell in row))
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    sys.stdout.write("\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")


def show_json(content: Any) -> None:
    import json

    sys.stdout.write(json.dumps(content, indent=1) + "\n")


def can_ask() -> bool:
    """Whether somebody sits at both ends."""
    return bool(sys.stdin and sys.stdin.isatty() and sys.stdout.isatty())


def ask_yes(text: str, *, word: str = "") -> bool:
    """A question at the terminal. `word`: what must be typed in full to agree; else y or yes. No input is no."""
    prompt = f"{text} Type {word} to agree: " if word else f"{text} [y/N] "
    try:
        reply = input(prompt).strip().lower()
    except EOFError:
        sys.stdout.write("\n")
        return False
    return reply == word.lower() if word else reply in ("y", "yes")
