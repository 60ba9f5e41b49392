# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines and tables for any width: what does not fit goes on under itself, never at the margin. Pure.

Without a width nothing is folded: a pipe gets one line for each thing.
"""

import re
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from orchestrator.cli.wording import Line, clean

# A text begins on a line of its own where it has less room than this beside its head, ...
_LEAST_ROOM = 24
# ... and where it would be a narrow pillar of many lines.
_MOST_LINES, _ENOUGH_ROOM = 2, 40
_BELOW = "      "
_UNDER = "    "
_GAP = re.compile(r" {2,}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A head that stays together, and a text that is folded beside it."""

    head: str
    text: str
    style: str = ""


def fold(item: Line | Entry, width: int | None) -> list[Line]:
    """The lines of `item`, none wider than `width` cells; commands stay whole, to be copied."""
    if isinstance(item, Line):
        if item.style == "command":
            return [Line(clean(item.text), item.style)]
        text = item.text.lstrip(" ")
        item = Entry(" " * (len(item.text) - len(text)), text, item.style)
        below = item.head + "  "
    else:
        below = " " * cells(item.head)
    head, text = clean(item.head), clean(item.text)
    if width is None or cells(head) + cells(text) <= width:
        return [Line((head + text).rstrip(), item.style)]
    room = width - len(below)
    lines = _wrap(text, room) if room >= _LEAST_ROOM else []
    if lines and (len(lines) <= _MOST_LINES or room >= _ENOUGH_ROOM):
        folded = [head + lines[0], *(below + line for line in lines[1:])]
    else:
        below = _BELOW if width > 2 * len(_BELOW) else ""
        if cells(head.rstrip()) > width:
            head = "\n".join(_wrap("  ".join(_GAP.split(head.strip())), width - 2, "  "))
        folded = [*head.splitlines(), *_wrap(text, width - len(below), below)]
    return [Line(line.rstrip(), item.style) for line in folded]


def _wrap(text: str, width: int, indent: str = "") -> list[str]:
    # Wide characters take two cells: leave room for as many as there are at most in a line.
    wide = cells(text) > len(text)
    room = max(1, width // 2 if wide else width)
    lines = textwrap.wrap(text, room, break_on_hyphens=False) or [""]
    return [indent + line for line in lines] if text else []


def cells(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def crop(text: str, width: int) -> str:
    """`text`, cut to `width` cells; a cut is shown."""
    if cells(text) <= width:
        return text
    while text and cells(text) > width - 1:
        text = text[: max(0, width - 1)] if text.isascii() else text[:-1]
    return f"{text}\N{HORIZONTAL ELLIPSIS}" if width > 0 else ""


def in_columns(rows: Iterable[Sequence[str]], style: str = "") -> list[Entry]:
    """Rows whose cells stand below each other; the last cell of each is what is folded."""
    rows = [[clean(" ".join(cell.split())) for cell in row] for row in rows]
    widths = [max(map(cells, column)) for column in zip(*(row[:-1] for row in rows), strict=True)]

    def head(row: Sequence[str]) -> str:
        padded = (cell + " " * (width - cells(cell)) for cell, width in zip(row, widths, strict=False))
        return "".join(f"{cell}  " for cell in padded)

    return [Entry(head(row), row[-1], style) for row in rows]


def in_table(rows: Sequence[Sequence[str]], width: int | None, styles: Sequence[str] = ()) -> list[Entry]:
    """Rows in columns, the first row their heads; where these are too wide, the first cell of each stands above the
    others. On a terminal a last column without any text is left out. `styles`: of rows."""
    if width is not None and len(rows) > 1 and not any(row[-1] for row in rows[1:]):
        rows = [row[:-1] for row in rows]
    entries = in_columns(rows)
    beside = max((cells(entry.text) for entry in entries), default=0)
    head = max((cells(entry.head) for entry in entries), default=0)
    above: list[Entry] = []
    if width is not None and head + min(beside, _LEAST_ROOM) > width and len(rows[0]) > 2:
        above = [Entry("", row[0]) for row in rows]
        entries = [Entry(_UNDER + other.head, other.text) for other in in_columns([row[1:] for row in rows])]
    styled = []
    for number, entry in enumerate(entries):
        style = styles[number] if number < len(styles) else ""
        styled += [replace(one, style=style) for one in (*above[number : number + 1], entry)]
    return styled
