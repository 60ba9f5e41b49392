# SPDX-License-Identifier: GPL-3.0-or-later
"""The media of an export: its objects divided so that each has room for them and for the small files, whose sizes
depend on the division again. Pure.

Each round divides by the sizes that the small files had in the last one; the first that holds is taken. The same
objects, sizes and names give the same media.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from orchestrator.content.exports import readme
from orchestrator.content.exports.front import SUM_BYTES
from orchestrator.content.exports.manifest import (
    MANIFEST,
    README,
    SIGNATURE,
    SUMS,
    ChunkEntry,
    Manifest,
    Piece,
    index_bytes,
    index_place,
    inventory_place,
    to_bytes,
    with_id,
)
from orchestrator.content.exports.media import MediumWriter
from orchestrator.content.exports.partition import SECTOR, partition
from orchestrator.content.signing import SIGNATURE_BYTES
from orchestrator.errors import Refused

_ROUNDS = 12
# What a README is about as long as, and the longest line of an index; how many media are guessed at most.
_README, _LINE, _MOST_GUESSED = 4096, 256, 1000
_SUM_OF_OBJECT = SUM_BYTES + len(Piece("0" * 64, 0, 0, 0).place)


@dataclass(frozen=True, slots=True)
class Media:
    """`manifest` is whole, with its id; `sizes` are those of the media's files."""

    manifest: Manifest
    pieces: tuple[tuple[Piece, ...], ...]
    indexes: tuple[bytes, ...]
    sizes: tuple[int, ...]


class Divider:
    """Divides `objects` (sizes by SHA-256) for the writer of a format.

    `draft` is the manifest without chunks, `inventories` the sizes of the lists by digest. `owners` says which
    repositories need an object, `named` what to call it.
    """

    def __init__(
        self,
        draft: Manifest,
        objects: Mapping[str, int],
        inventories: Mapping[str, int],
        writer: MediumWriter,
        owners: Callable[[Sequence[Piece]], tuple[str, ...]],
    ) -> None:
        self._draft, self._writer, self._owners = draft, writer, owners
        self._objects = [Piece(sha256, size, 0, size) for sha256, size in objects.items()]
        self._paths = tuple(sorted({each.path for each in draft.repositories}))
        self._inventories = [(inventory_place(digest), size) for digest, size in sorted(inventories.items())]

    def divide(self, capacity: int, *, strict: bool, named: Callable[[str], str]) -> Media:
        """For media of `capacity` bytes, 0 for one of any size. Raises Refused, as `partition` does."""
        if not capacity:
            return self._media([self._objects])
        small = self._guess(capacity)
        for number in range(1, _ROUNDS + 1):
            measure = partial(self._size, small)
            media = self._media(partition(self._objects, capacity, measure, strict=strict, named=named))
            if max(media.sizes) <= capacity:
                return media
            small = [size + number * _LINE for size in self._small(media)]
        raise Refused(
            f"the export cannot be divided into media of {capacity} bytes: their lists alone take up too much",
            hint="take larger media",
        )

    def _guess(self, capacity: int) -> list[int]:
        """The sizes of the manifest, the README and the indexes, rather too large than too small."""
        needed = sum(piece.length + _SUM_OF_OBJECT + SECTOR // 2 for piece in self._objects)
        room = capacity - self._size([len(to_bytes(self._draft)), _README, 0], ())
        count = 1 if room <= 0 else min(needed // room + 2, _MOST_GUESSED)
        chunk = ChunkEntry(count, "0" * 64, len(self._objects), needed, self._paths)
        manifest = len(to_bytes(with_id(replace(self._draft, chunks=(chunk,) * count))))
        lines = len(index_bytes(count, count, self._objects))
        return [manifest, _README, *[lines * 5 // (4 * count) + _LINE] * count]

    def _small(self, media: Media) -> list[int]:
        """The same, of media that are divided."""
        text = readme.of_chunk(media.manifest, len(media.pieces))
        return [len(to_bytes(media.manifest)), len(text.encode()), *map(len, media.indexes)]

    def _size(self, small: Sequence[int], pieces: Sequence[Piece]) -> int:
        """Of a medium with these pieces. `small`: the sizes of the manifest, the README and each index."""
        front = [(MANIFEST, small[0]), (SIGNATURE, SIGNATURE_BYTES), (README, small[1]), *self._inventories]
        front += [(index_place(number), size) for number, size in enumerate(small[2:], 1)]
        sums = sum(SUM_BYTES + len(path) for path, _ in front)
        sums += _SUM_OF_OBJECT * sum(piece.length == piece.size for piece in pieces)
        return self._writer.size([*front, (SUMS, sums)], pieces)

    def _media(self, divided: Sequence[Sequence[Piece]]) -> Media:
        of = len(divided)
        indexes = tuple(index_bytes(number, of, pieces) for number, pieces in enumerate(divided, 1))
        entries = tuple(
            ChunkEntry(
                number,
                hashlib.sha256(index).hexdigest(),
                len(pieces),
                sum(piece.length for piece in pieces),
                self._owners(pieces),
            )
            for number, (pieces, index) in enumerate(zip(divided, indexes, strict=True), 1)
        )
        manifest = with_id(replace(self._draft, chunks=entries))
        small = [len(to_bytes(manifest)), 0, *map(len, indexes)]
        sizes = []
        for number, pieces in enumerate(divided, 1):
            small[1] = len(readme.of_chunk(manifest, number).encode())
            sizes.append(self._size(small, pieces))
        return Media(manifest, tuple(map(tuple, divided)), indexes, tuple(sizes))
