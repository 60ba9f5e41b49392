# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of an export: known whole, to the last byte of every medium, before the first is written.

Of each repository whose inventory is not that of its base go the metadata, whole, and the objects that no base has;
of an unchanged one nothing. Each object goes once, in the order of the repositories' paths, metadata first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.content.exports.front import Front
from orchestrator.content.exports.manifest import Manifest, Piece
from orchestrator.content.exports.media import Chunk, SmallFile
from orchestrator.content.exports.request import ExportRequest
from orchestrator.content.model import StoredFile
from orchestrator.content.publication.inventory import from_bytes
from orchestrator.content.workspace import Workspace


@dataclass(frozen=True, slots=True)
class PlannedChunk:
    """One medium. `size` are the bytes of its file: exact, of a tgz at most so many. `medium` builds its small files
    anew at each call."""

    number: int
    of: int
    label: str
    file_name: str
    pieces: Sequence[Piece]
    size: int
    when: int
    _front: Front

    @property
    def bytes(self) -> int:
        """Of objects."""
        return sum(piece.length for piece in self.pieces)

    def medium(self) -> Chunk:
        return Chunk(self.label, self._front.of_chunk(self.number, self.pieces), self.pieces, self.when)


@dataclass(frozen=True, slots=True)
class MissingFiles:
    """What of a snapshot cannot be sent: its bytes are not in the pool."""

    path: str
    snapshot: int
    files: tuple[StoredFile, ...]


@dataclass(frozen=True, slots=True)
class PlannedTree:
    """A tree of a `dir` export: `place` is content/..., `inventory` what it is a tree of."""

    place: str
    inventory: str


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """`objects` are the sizes of what is sent, by SHA-256, in the order of the media; `public_key` (PEM) is what the
    `signature` is verified with, and stays here. `receipt` is the digest of the receipt that this leads to. A `dir`
    export has `trees` and no chunks."""

    request: ExportRequest
    manifest: Manifest
    manifest_bytes: bytes
    signature: bytes
    public_key: bytes
    receipt: str
    objects: Mapping[str, int]
    inventories: Mapping[str, bytes]
    chunks: tuple[PlannedChunk, ...] = ()
    trees: tuple[PlannedTree, ...] = ()
    missing: tuple[MissingFiles, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Of the objects, each once."""
        return self.manifest.bytes

    @property
    def media_bytes(self) -> int:
        """Of all chunks' files."""
        return sum(chunk.size for chunk in self.chunks)

    def files_of(self, tree: PlannedTree) -> Iterator[StoredFile]:
        """What goes into a tree: all of it, of an increment what is sent."""
        listed = from_bytes(self.inventories[tree.inventory], tree.inventory)
        return (file for file in listed.own if file.sha256 in self.objects)

    def directory_front(self) -> tuple[SmallFile, ...]:
        """What stands beside the trees of a `dir` export."""
        front = Front(self.manifest, self.manifest_bytes, self.signature, self.inventories)
        return front.of_directory((tree.place, file) for tree in self.trees for file in self.files_of(tree))


def plan_export(workspace: Workspace, request: ExportRequest) -> ExportPlan:
    """Raises Invalid for a request that contradicts itself; Refused when there is nothing to export, no base to build
    on, or the media are too small for it; BadContent when what is kept here is damaged."""
    raise NotImplementedError


def plan_again(workspace: Workspace, manifest: bytes, request: ExportRequest) -> ExportPlan:
    """The same export once more, from its manifest: for a chunk that got lost, or one that was cut off while the
    catalog went on. Of the request the chunk size counts (0: that of the manifest), `strict_chunks`, `sign_with` and
    `request_file`. Raises Refused when it would be another one."""
    raise NotImplementedError
