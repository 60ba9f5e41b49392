# SPDX-License-Identifier: GPL-3.0-or-later
"""One medium against the manifest: every small file, every object, every piece of one, and that none is missing."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.content.exports.manifest import (
    MANIFEST,
    README,
    SIGNATURE,
    SUMS,
    Manifest,
    Piece,
    index_place,
    inventory_place,
    read_index,
)
from orchestrator.content.exports.media import MediumReader, Member
from orchestrator.errors import BadContent

_PIECE = 1 << 20
# What is held in memory of a medium, at most.
_LARGEST_SMALL = 512 << 20


@dataclass(frozen=True, slots=True)
class Damage:
    """`chunk` is its number (0: beside the chunks), `file` what is damaged."""

    chunk: int
    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file} {self.what}"


class MediaCheck:
    """Of the media of one export, one after the other: objects that were cut are put together over several."""

    def __init__(
        self, manifest: Manifest, sealed: tuple[bytes, bytes], tell: Callable[[int], None] = lambda _: None
    ) -> None:
        """`sealed` are the bytes of manifest and signature (b"": nobody knows it) that are believed; `tell` is called
        with bytes read."""
        self._manifest, self._tell = manifest, tell
        self._sealed = {MANIFEST: sealed[0], SIGNATURE: sealed[1]}
        self._digests = {inventory_place(each.inventory): each.inventory for each in manifest.repositories}
        self._digests |= {index_place(each.number): each.index for each in manifest.chunks}
        self._cut: dict[str, tuple[hashlib._Hash, int]] = {}
        self.objects = self.bytes = 0

    def check(self, reader: MediumReader, number: int) -> list[Damage]:
        """What is wrong with the medium of chunk `number`. Raises what the reader does for one that cannot be read
        on, whose BadContent is damage, too."""
        damaged: list[Damage] = []
        try:
            damaged += _Medium(self, reader, number).check()
        except BadContent as error:
            damaged.append(Damage(number, error.message, ""))
        return damaged

    def small(self, path: str, data: bytes) -> str:
        """What is wrong with a small file, if anything is."""
        if path in self._sealed:
            return "" if self._sealed[path] in (b"", data) else "is not that of this export"
        if path in self._digests:
            return "" if hashlib.sha256(data).hexdigest() == self._digests[path] else "is damaged"
        return "" if path in (README, SUMS) or path.startswith("inventories/") else "is not of this export"

    def object(self, piece: Piece, member: Member) -> str:
        """The same, of an object or a segment."""
        digest, offset = (hashlib.sha256(), 0) if piece.is_whole else self._segment(piece)
        size = 0
        while data := member.read(_PIECE):
            digest.update(data)
            size += len(data)
            self._tell(len(data))
        self.objects += 1
        self.bytes += size
        if size != piece.length:
            return f"has {size} bytes instead of {piece.length}"
        if not piece.is_whole:
            if offset != piece.start:
                return ""  # what is before it is elsewhere: nobody knows its digest alone
            self._cut[piece.sha256] = digest, offset + size
            if offset + size < piece.size:
                return ""
        return "" if digest.hexdigest() == piece.sha256 else "is damaged"

    def _segment(self, piece: Piece) -> "tuple[hashlib._Hash, int]":
        return self._cut.get(piece.sha256, (hashlib.sha256(), 0))


class _Medium:
    def __init__(self, check: MediaCheck, reader: MediumReader, number: int) -> None:
        self._check, self._reader, self._number = check, reader, number
        self._small: dict[str, bytes] = {}
        self._left: dict[str, Piece] | None = None
        self._sums: dict[str, str] = {}

    def check(self) -> list[Damage]:
        found = []
        for member in self._reader.members():
            what = self._look(member)
            if what:
                found.append(Damage(self._number, member.path, what))
        missing = [path for path in (MANIFEST, SIGNATURE, README, SUMS) if path not in self._small]
        if self._left is None:
            missing.append(index_place(self._number))
        missing += list(self._left or ())
        return [
            *found,
            *(Damage(self._number, path, "is missing") for path in missing),
            *self._against_sums(),
        ]

    def _look(self, member: Member) -> str:
        if not member.path.startswith("objects/"):
            if member.size > _LARGEST_SMALL:
                return "is too large"
            data = member.read(member.size)
            while len(data) < member.size and (more := member.read(member.size - len(data))):
                data += more
            self._keep(member.path, data)
            return self._check.small(member.path, data)
        piece = (self._left or {}).pop(member.path, None)
        return "is not of this chunk" if piece is None else self._check.object(piece, member)

    def _keep(self, path: str, data: bytes) -> None:
        if path == index_place(self._number):
            pieces: Sequence[Piece] = read_index(data, path)
            self._left = {piece.place: piece for piece in pieces}
        self._small[path] = data if path == SUMS else hashlib.sha256(data).hexdigest().encode()

    def _against_sums(self) -> list[Damage]:
        """What SHA256SUMS says of the small files: of objects it says what their names do."""
        lines = self._small.get(SUMS, b"").decode(errors="replace").splitlines()
        found = []
        for sha256, _, path in (line.partition("  ") for line in lines):
            known = self._small.get(path)
            if known is not None and path != SUMS and known.decode() != sha256:
                found.append(Damage(self._number, SUMS, f"says something else of {path}"))
        return found
