# SPDX-License-Identifier: GPL-3.0-or-later
"""Where output goes: a console, lines, tables, questions."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.cli.layout import Entry, fold, in_table
from orchestrator.cli.options import Output
from orchestrator.cli.wording import Line

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {"good": "green", "bad": "bold red", "dim": "dim", "bold": "bold", "command": "bold", "": ""}


def is_rich(output: Output) -> bool:
    """Whether to show colours and moving parts: when asked to, or on a terminal that can."""
    able = sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    return output is Output.RICH or (output is Output.AUTO and able)


def make_console() -> "Console":
    """A console for `is_rich` output."""
    from rich.console import Console

    # The terminal knows its size; a COLUMNS of the environment is that of some other moment.
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    return Console(highlight=False, force_terminal=True, _environ=environment)


def _columns() -> int | None:
    """How wide stdout is; None where it is no terminal."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None


def say(items: Iterable[Line | Entry], output: Output = Output.AUTO) -> None:
    """Lines to stdout; folded and styled on a terminal."""
    width = _columns()
    lines = [line for item in items for line in fold(item, width)]
    if not is_rich(output):
        sys.stdout.write("".join(f"{line.text}\n" for line in lines))
        return
    from rich.text import Text

    console = make_console()
    for line in lines:
        console.print(Text(line.text, STYLES[line.style]), soft_wrap=True)


def show_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    output: Output = Output.AUTO,
    styles: Sequence[str] = (),
) -> None:
    """A table that fits the terminal; the last column takes what is left. Unbounded without a terminal."""
    say(in_table([columns, *rows], _columns(), ["bold", *styles]), output)


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
