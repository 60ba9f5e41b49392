# SPDX-License-Identifier: GPL-3.0-or-later
"""One repository's metadata as it lies in the pool: the records of its repomd.xml, opened piece by piece."""

import hashlib
from collections.abc import Iterator
from functools import cached_property

from orchestrator.content import compression
from orchestrator.content.formats.rpm import repomd
from orchestrator.content.formats.rpm.repomd import Record
from orchestrator.content.model import Metadata, StoredFile
from orchestrator.content.pool import Pool
from orchestrator.errors import BadContent

# How much a list may grow when it is decompressed: honest ones grow thirty times at most.
_SMALL, _GROWTH = 64 << 20, 300
# The most of one that is held in memory at once (comps, modules; those of packages never are).
_WHOLE = 256 << 20


def base_of(repository: str) -> str:
    """What the paths of a repository begin with."""
    return "" if repository == "." else f"{repository}/"


class Reading:
    """Raises BadContent, naming file and address, wherever bytes are not what repomd.xml says."""

    def __init__(self, metadata: Metadata, pool: Pool) -> None:
        self.metadata, self._pool = metadata, pool
        self.repository = metadata.repository
        self.base = base_of(metadata.repository)

    @cached_property
    def repomd(self) -> repomd.Repomd:
        return repomd.parse(self._pool.read(self.metadata.entry[0].sha256), self.metadata.url)

    def record(self, *types: str) -> Record | None:
        """The first of these that was brought in."""
        return next((r for type_ in types if (r := self.repomd.record(type_)) and self.stored(r)), None)

    def stored(self, record: Record) -> StoredFile | None:
        return self._by_role.get(record.type)

    @cached_property
    def _by_role(self) -> dict[str, StoredFile]:
        return {file.role: file for file in self.metadata.indexes}

    def name(self, record: Record) -> str:
        """What errors call a record: its address."""
        return self.metadata.url.removesuffix(repomd.ENTRY) + record.href

    def pieces(self, record: Record) -> Iterator[bytes]:
        """The record's text, decompressed and verified; the verdict comes with the end."""
        stored = self.stored(record)
        assert stored is not None
        name, limit = self.name(record), max(_SMALL, _GROWTH * stored.size)
        if record.open_size is not None:
            limit = min(limit, record.open_size)
        size = 0
        expected = record.open_digest
        found = hashlib.new(expected.algorithm, usedforsecurity=False) if expected else None
        for piece in compression.pieces(self._pool.read(stored.sha256), name, limit):
            size += len(piece)
            if found:
                found.update(piece)
            yield piece
        if record.open_size is not None and size != record.open_size:
            raise BadContent(f"{name} has {size} bytes instead of {record.open_size} when it is decompressed")
        if found and expected and found.hexdigest() != expected.value:
            raise BadContent(
                f"{name} is not, decompressed, what repomd.xml says: its {expected.algorithm} differs"
            )

    def text(self, record: Record) -> bytes:
        """All of a small record."""
        pieces, size = [], 0
        for piece in self.pieces(record):
            size += len(piece)
            if size > _WHOLE:
                raise BadContent(f"{self.name(record)} has more than {_WHOLE} bytes when it is decompressed")
            pieces.append(piece)
        return b"".join(pieces)
