# SPDX-License-Identifier: GPL-3.0-or-later
"""Text without its secrets. Pure.

What is known to be secret is removed in every form it is met in; what is called a secret, or looks like one, by rules
that rather take too much. Names stay, so that the text still says what was there: `DB_PASSWORD=[removed]`.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orchestrator.upgrade.bundle import secret_names, secret_shapes
from orchestrator.upgrade.bundle.secret_blocks import Blocks
from orchestrator.upgrade.bundle.secret_forms import searching
from orchestrator.upgrade.bundle.secret_values import REMOVED, Span, named_values

_LINES = re.compile(r"[^\n]*\n|[^\n]+\Z")


@dataclass(slots=True)
class Redaction:
    """One text, handed over in pieces of whole lines."""

    _known: "re.Pattern[str] | None"
    _blocks: Blocks
    removed: int = 0

    def feed(self, text: str) -> str:
        """`text` without secrets; `removed` counts them."""
        if self._known:
            text, number = self._known.subn(REMOVED, text)
            self.removed += number
        return "".join(map(self._line, self._blocks.remove(_LINES.findall(text), self._count)))

    def _count(self) -> None:
        self.removed += 1

    def _line(self, line: str) -> str:
        bare = line.rstrip("\r\n")
        spans = _merged(secret_spans(bare))
        if not spans:
            return line
        pieces, at = [], 0
        for span in spans:
            pieces += [bare[at : span.start], span.instead]
            at = span.end
        self.removed += len(spans)
        return "".join([*pieces, bare[at:], line[len(bare) :]])


class Redactor:
    """`known`: values that must not be in any text, whatever they are called there."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = searching(value for value in known if value not in REMOVED)

    def redact(self, text: str) -> tuple[str, int]:
        """`text` without secrets, and how many were removed."""
        begun = self.begin()
        return begun.feed(text), begun.removed

    def redact_known(self, text: str) -> tuple[str, int]:
        """Without the known values only: for a format that the rules would take for text."""
        return self._known.subn(REMOVED, text) if self._known else (text, 0)

    def begin(self) -> Redaction:
        """For a text that comes in pieces."""
        return Redaction(self._known, Blocks())

    def stream(self, pieces: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
        """Bytes of any encoding without secrets, with the number removed from each piece; takes memory for a piece
        and the line that it breaks off in."""
        begun, rest, before = self.begin(), b"", 0
        for piece in itertools.chain(pieces, (None,)):
            data = rest + (piece or b"")
            cut = len(data) if piece is None else data.rfind(b"\n") + 1
            rest = data[cut:]
            if cut:
                clean = begun.feed(data[:cut].decode("utf-8", "surrogateescape"))
                yield clean.encode("utf-8", "surrogateescape"), begun.removed - before
                before = begun.removed


def secret_spans(line: str) -> Iterator[Span]:
    """Where secrets stand in a line by the rules; they may overlap."""
    if secret_names.may_name(line):
        yield from named_values(line)
    yield from secret_shapes.shaped_values(line)
    yield from secret_shapes.pgpass_values(line)


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if span.start >= span.end:
            continue
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = Span(last.start, max(last.end, span.end), last.instead)
        else:
            merged.append(span)
    return merged


def secrets_in(text: str) -> set[str]:
    """The values that the rules find in `text`: of a command line, an address, a unit's environment."""
    return {line[span.start : span.end] for line in text.splitlines() for span in secret_spans(line)}
