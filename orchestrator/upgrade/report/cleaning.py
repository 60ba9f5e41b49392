# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of others, made fit to be shown: no escape sequences, no control characters, nothing endless. Pure.

What steps print, what services are heard to say and even names may hold anything; a report is opened in a
browser, in a terminal and in other people's tools.
"""

import re
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.upgrade.report.model import Output

LONGEST_LINE = 500
MOST_LINES = 40

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])?"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
# Control characters, half of a surrogate pair, and what turns the direction of writing around.
_UNFIT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)
_UNREADABLE = re.compile("\N{REPLACEMENT CHARACTER}{4,}")


class Redacting(Protocol):
    """Takes secrets out of a text, and says how many."""

    def redact(self, text: str) -> tuple[str, int]: ...


class Untouched:
    """Takes nothing out."""

    def redact(self, text: str) -> tuple[str, int]:
        return text, 0


def clean(text: str) -> str:
    """`text` without anything that a terminal or a browser would act on."""
    readable = _UNFIT.sub("\N{REPLACEMENT CHARACTER}", _ESCAPES.sub("", text).expandtabs())
    return _UNREADABLE.sub("\N{REPLACEMENT CHARACTER}" * 3, readable)


def cut(text: str, most: int = LONGEST_LINE) -> str:
    """`text` with its middle left out where it is too long: both ends tell most."""
    if len(text) <= most:
        return text
    head = most * 2 // 3
    return f"{text[:head]} [... {len(text) - most} characters ...] {text[len(text) - (most - head) :]}"


def last_on_line(line: str) -> str:
    """What stands on a line that was written over and over, as progress bars do."""
    return line.rstrip("\r").rpartition("\r")[2]


@dataclass(slots=True)
class Editor:
    """Everything that gets into a report passes through here. `redacted` counts what was taken out."""

    redactor: Redacting = field(default_factory=Untouched)
    redacted: int = 0

    def name(self, value: object) -> str:
        """What something is called, or where it lies: never a secret, though it may sound like one's name."""
        return cut(clean(str(value)))

    def text(self, value: object, most: int = 2000) -> str:
        """One line or a short text."""
        return cut(self._redact(clean(str(value))), most)

    def output(self, data: bytes, before: int = 0, most: int = MOST_LINES) -> Output:
        """The end of a log; `before`: how many bytes of it stand before `data`, which then begins within a line."""
        if before:
            _, newline, rest = data.partition(b"\n")
            if newline:
                before, data = before + len(data) - len(rest), rest
        cleaned = (
            clean(last_on_line(line)) for line in data.decode("utf-8", "replace").rstrip("\n").split("\n")
        )
        # As a whole, and before anything of it is left out: a key may go over several lines.
        lines = self._redact("\n".join(cleaned)).split("\n")
        before += sum(len(line.encode()) + 1 for line in lines[:-most])
        kept = lines[-most:]
        return Output(tuple(map(cut, kept)) if kept != [""] else (), before)

    def _redact(self, text: str) -> str:
        redacted, number = self.redactor.redact(text)
        self.redacted += number
        return redacted
