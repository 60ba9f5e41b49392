# SPDX-License-Identifier: GPL-3.0-or-later
"""The small files of an export, in the order in which they stand on every medium, before the objects. Pure.

What all media have in common is in memory once; what is a medium's own (README, checksums) is made when it is
written.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.content.exports import readme
from orchestrator.content.exports.manifest import (
    MANIFEST,
    README,
    SIGNATURE,
    SUMS,
    Manifest,
    Piece,
    index_place,
    inventory_place,
)
from orchestrator.content.exports.media import SmallFile
from orchestrator.content.model import StoredFile

# Of a line of SHA256SUMS but the path: the digest, two blanks, the newline.
SUM_BYTES = 64 + 2 + 1


@dataclass(frozen=True, slots=True)
class Front:
    """`inventories` by digest, `indexes` of the chunks in their order."""

    manifest: Manifest
    manifest_bytes: bytes
    signature: bytes
    inventories: Mapping[str, bytes]
    indexes: Sequence[bytes] = ()

    def of_chunk(self, number: int, pieces: Sequence[Piece]) -> tuple[SmallFile, ...]:
        """Everything that stands before the objects of a chunk."""
        files = self._before(readme.of_chunk(self.manifest, number))
        return (*files, SmallFile(SUMS, _sums(files, _whole(pieces))))

    def of_directory(self, placed: Iterable[tuple[str, StoredFile]]) -> tuple[SmallFile, ...]:
        """What stands beside the trees of a `dir` export, in which the files are `placed` (path of the tree, file)."""
        files = self._before(readme.of_directory(self.manifest))
        sums = _sums(files, ((f"{tree}/{file.path}", file.sha256) for tree, file in placed))
        return (*files, SmallFile(SUMS, sums))

    def _before(self, text: str) -> list[SmallFile]:
        return [
            SmallFile(MANIFEST, self.manifest_bytes),
            SmallFile(SIGNATURE, self.signature),
            SmallFile(README, text.encode()),
            *(SmallFile(inventory_place(digest), data) for digest, data in sorted(self.inventories.items())),
            *(SmallFile(index_place(number), data) for number, data in enumerate(self.indexes, 1)),
        ]


def _whole(pieces: Iterable[Piece]) -> Iterable[tuple[str, str]]:
    return ((piece.place, piece.sha256) for piece in pieces if piece.is_whole)


def _sums(files: Iterable[SmallFile], others: Iterable[tuple[str, str]]) -> bytes:
    """As sha256sum writes it: escaped where a name needs it."""
    lines = [f"{hashlib.sha256(file.data).hexdigest()}  {file.path}" for file in files]
    lines += [f"{sha256}  {path}" for path, sha256 in others]
    return "\n".join([*lines, ""]).encode(errors="surrogateescape")
