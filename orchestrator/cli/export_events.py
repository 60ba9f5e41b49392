# SPDX-License-Identifier: GPL-3.0-or-later
"""What exports tell while they are made, in words. Pure, and light: `mirror` has these words, too."""

from collections.abc import Callable
from typing import Any

from orchestrator.cli.wording import Line
from orchestrator.config.quantities import show_size
from orchestrator.content.events import Name


def count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _exporting(fields: dict[str, Any]) -> Line:
    what = f"{count(fields['objects'], 'object')}, {show_size(fields['bytes'])}"
    chunks, left = fields["chunks"], fields["left"]
    if left != chunks:
        return Line(f"going on: {left} of {count(chunks, 'chunk')} left, of {what}")
    return Line(f"exporting {what}" + (f" in {count(chunks, 'chunk')}" if chunks > 1 else ""))


def _chunk(fields: dict[str, Any]) -> Line | None:
    if fields["chunks"] == 1:
        return None
    size = show_size(fields["bytes"])
    return Line(f"chunk {fields['number']} of {fields['chunks']} is done: {fields['file']}, {size}")


def _exported(fields: dict[str, Any]) -> Line:
    what = f"{count(fields['objects'], 'object')}, {show_size(fields['bytes'])}"
    chunks = f" in {count(fields['chunks'], 'chunk')}" if fields["chunks"] > 1 else ""
    return Line(f"export {fields['number']} is complete: {what}{chunks}", "good")


EXPORT_WORDS: dict[Name, Callable[[dict[str, Any]], Line | None]] = {
    Name.PLANNING: lambda _: Line("working out what to send", "dim"),
    Name.EXPORTING: _exporting,
    Name.CHUNK: _chunk,
    Name.EXPORTED: _exported,
    Name.REMOVED: lambda fields: Line(f"export {fields['number']} is removed: {fields['why']}"),
}
