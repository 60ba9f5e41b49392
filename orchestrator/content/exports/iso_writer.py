# SPDX-License-Identifier: GPL-3.0-or-later
"""ISO images, written in one pass: every place in them is known before the first byte (`iso.layout`)."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from orchestrator.content.exports.iso.layout import END, Layout, padding
from orchestrator.content.exports.manifest import Piece
from orchestrator.content.exports.media import Chunk, Sink
from orchestrator.content.exports.objects import Part, write_parts


class IsoWriter:
    """A `MediumWriter`. A chunk's label is the volume's, as far as that can have it."""

    @property
    def suffix(self) -> str:
        return ".iso"

    def size(self, front: Sequence[tuple[str, int]], pieces: Sequence[Piece]) -> int:
        """Exact. Raises Refused for what no image has room for."""
        return Layout(front, pieces).size

    def write(
        self, chunk: Chunk, sink: Sink, place: Callable[[str], Path], tell: Callable[[int], None]
    ) -> None:
        write_parts(_parts(chunk), sink, place, tell)


def _parts(chunk: Chunk) -> Iterator[Part]:
    layout = Layout([(file.path, len(file.data)) for file in chunk.front], chunk.pieces)
    for some in layout.head(chunk.label, chunk.when):
        yield Part(some)
    for file in chunk.front:
        yield Part(file.data + padding(len(file.data)))
    before = b""
    for piece in chunk.pieces:
        yield Part(before, piece)
        before = padding(piece.length)
    yield Part(before + END)
