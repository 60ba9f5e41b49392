# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything of an image is, decided from names and sizes alone. Pure."""

from array import array
from collections.abc import Iterator, Sequence

from orchestrator.content.exports.iso.fields import SECTOR, descriptors, record_time, sectors
from orchestrator.content.exports.iso.hierarchy import JOLIET, PRIMARY, Hierarchy
from orchestrator.content.exports.iso.tree import Tree
from orchestrator.content.exports.pieces import Piece
from orchestrator.errors import Refused

_SYSTEM_AREA, _DESCRIPTORS = 16, 3
# mkisofs writes the same: what drives read ahead into, and what some cannot read of a track's end.
_PADDING = 150
_MOST_SECTORS = (1 << 32) - 1


class Layout:
    """Of an image with these small files (path, size) and pieces. `sectors` is all it takes up.

    Raises Refused for what no image has room for.
    """

    def __init__(self, front: Sequence[tuple[str, int]], pieces: Sequence[Piece]) -> None:
        tree = Tree(front, pieces)
        self._primary, self._joliet = Hierarchy(tree, PRIMARY), Hierarchy(tree, JOLIET)
        self._tables = []
        at = _SYSTEM_AREA + _DESCRIPTORS
        for hierarchy in (self._primary, self._primary, self._joliet, self._joliet):
            self._tables.append(at)
            at += sectors(hierarchy.table_size)
        self._starts = array("Q")
        at = self._joliet.place(self._primary.place(at))
        for size in tree.sizes:
            self._starts.append(at)
            at += sectors(size)
        self.sectors = at + _PADDING
        if self.sectors > _MOST_SECTORS:
            raise Refused(
                f"an ISO image of {self.sectors * SECTOR} bytes is larger than they can be ({_MOST_SECTORS * SECTOR})",
                hint="choose a smaller --chunk-size, or another format",
            )

    @property
    def size(self) -> int:
        return self.sectors * SECTOR

    def head(self, label: str, when: int) -> Iterator[bytes]:
        """All that stands before the files, some of it at a time."""
        primary = self._primary.at(self._tables[0], self._tables[1])
        joliet = self._joliet.at(self._tables[2], self._tables[3])
        yield bytes(_SYSTEM_AREA * SECTOR) + descriptors(label, when, self.sectors, primary, joliet)
        for hierarchy in (self._primary, self._joliet):
            yield hierarchy.table(big=False)
            yield hierarchy.table(big=True)
        time = record_time(when)
        yield from self._primary.directories(self._starts, time)
        yield from self._joliet.directories(self._starts, time)


def padding(size: int) -> bytes:
    """What a file of `size` bytes lacks to whole sectors."""
    return bytes(-size % SECTOR)


END = bytes(_PADDING * SECTOR)
