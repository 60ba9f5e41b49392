# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports without a sender: signed media of contents that a test says, in memory or as directories.

What is on a medium is just what `exports` says is on one; the real writers have tests of their own.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from orchestrator.content import inventories
from orchestrator.content.exports import manifest as manifests
from orchestrator.content.exports.front import Front
from orchestrator.content.exports.manifest import (
    Base,
    ChunkEntry,
    EnvironmentEntry,
    KeyEntry,
    Manifest,
    Piece,
    ProductEntry,
    RepositoryEntry,
    Subject,
    VersionEntry,
    index_bytes,
)
from orchestrator.content.exports.media import Member
from orchestrator.content.model import StoredFile, safe_path
from orchestrator.content.signing import PublicKey, SigningKey
from orchestrator.errors import BadContent

ORGANIZATION = "acme"
_SECRET = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = SigningKey(PublicKey(_SECRET.public_key().public_bytes_raw()), _SECRET)
_OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
STRANGER = SigningKey(PublicKey(_OTHER.public_key().public_bytes_raw()), _OTHER)

_BASE = 32 * "0"
LIBRARY = Subject("library", ORGANIZATION)
Contents = Mapping[str, bytes]  # the files of a repository, by path


@dataclass
class MemoryMedium:
    """A medium that is a mapping. `files` may be changed: then it is damaged."""

    name: str
    files: dict[str, bytes]
    read: list[str] = field(default_factory=list)  # what was looked into

    def members(self, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[Member]:
        for path, data in self.files.items():
            try:
                safe_path(path)
            except ValueError as error:
                raise BadContent(f"{self.name}: {error}") from None
            if wanted(path):
                yield Member(path, len(data), self._reading(path, data))

    def _reading(self, path: str, data: bytes) -> Callable[[int], bytes]:
        stream = BytesIO(data)

        def read(most: int) -> bytes:
            self.read.append(path)
            return stream.read(most)

        return read

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Sent:
    """One repository of an export."""

    path: str
    contents: Contents
    type: Literal["deb", "rpm", "file"] = "file"
    made: str = "2026-01-01T00:00:00.000Z"
    base: str = ""
    keys: tuple[str, ...] = ()

    @property
    def files(self) -> list[StoredFile]:
        return [StoredFile(path, len(data), sha256(data)) for path, data in sorted(self.contents.items())]

    @property
    def listed(self) -> bytes:
        return inventories.list_bytes(self.files)

    @property
    def inventory(self) -> str:
        return inventories.digest_of(self.listed)

    @property
    def entry(self) -> RepositoryEntry:
        product, _, label = self.path.partition("/")
        size = sum({file.sha256: file.size for file in self.files}.values())
        return RepositoryEntry(
            product, label, self.type, self.inventory, len(self.contents), 1, size, self.made, self.base,
            suites=(".",), keys=self.keys,
        )  # fmt: skip


@dataclass(frozen=True)
class Sending:
    """An export: `chunk` objects on a medium, those larger than `segment` bytes cut; `known` (SHA-256) are not
    sent, for the receiver has them."""

    repositories: tuple[Sent, ...]
    subject: Subject = LIBRARY
    products: tuple[ProductEntry, ...] = ()
    versions: tuple[VersionEntry, ...] = ()
    environments: tuple[EnvironmentEntry, ...] = ()
    keys: tuple[KeyEntry, ...] = ()
    known: frozenset[str] = frozenset()
    chunk: int = 3
    segment: int = 0
    signer: SigningKey = KEY
    version: str = "1.0"

    @property
    def objects(self) -> dict[str, bytes]:
        found = {sha256(data): data for each in self.repositories for data in each.contents.values()}
        return {digest: data for digest, data in sorted(found.items()) if digest not in self.known}

    @property
    def pieces(self) -> list[list[Piece]]:
        """Of each chunk."""
        pieces: list[Piece] = []
        for digest, data in self.objects.items():
            step = self.segment if 0 < self.segment < len(data) else max(1, len(data))
            starts = range(0, max(1, len(data)), step)
            pieces += [Piece(digest, len(data), at, min(step, len(data) - at)) for at in starts]
        return [pieces[at : at + self.chunk] for at in range(0, max(1, len(pieces)), self.chunk)]

    @property
    def indexes(self) -> list[bytes]:
        chunks = self.pieces
        return [index_bytes(number, len(chunks), pieces) for number, pieces in enumerate(chunks, 1)]

    @property
    def manifest(self) -> Manifest:
        labels = dict.fromkeys(each.path.partition("/")[0] for each in self.repositories)
        chunks = tuple(
            ChunkEntry(number, sha256(index), len(pieces), sum(piece.length for piece in pieces))
            for number, (index, pieces) in enumerate(zip(self.indexes, self.pieces, strict=True), 1)
        )
        is_built_on = self.known or any(each.base for each in self.repositories)
        return manifests.with_id(
            Manifest(
                "increment" if is_built_on else "complete",
                "tar",
                self.subject,
                max(each.made for each in self.repositories),
                tuple(each.entry for each in self.repositories),
                self.products or tuple(ProductEntry(label, "custom") for label in labels),
                self.versions,
                self.environments,
                self.keys,
                chunks,
                base=Base(export=_BASE) if is_built_on else None,
                signer=self.signer.public.id,
                objects=len(self.objects),
                bytes=sum(map(len, self.objects.values())),
                version=self.version,
            )
        )

    @property
    def id(self) -> str:
        return self.manifest.id

    @property
    def front(self) -> Front:
        manifest = self.manifest
        data = manifests.to_bytes(manifest)
        lists = {each.inventory: each.listed for each in self.repositories}
        return Front(manifest, data, self.signer.sign(data), lists, self.indexes)

    def media(self) -> list[MemoryMedium]:
        """One for each chunk."""
        front, objects = self.front, self.objects
        return [
            MemoryMedium(
                f"{self.id[:6]}-{number}.tar",
                {small.path: small.data for small in front.of_chunk(number, pieces)}
                | {
                    piece.place: objects[piece.sha256][piece.start : piece.start + piece.length]
                    for piece in pieces
                },
            )
            for number, pieces in enumerate(self.pieces, 1)
        ]

    def directories(self, place: Path) -> list[Path]:
        """The media as directories, each with what a mounted or unpacked one has."""
        found = []
        for medium in self.media():
            directory = place / medium.name.removesuffix(".tar")
            for path, data in medium.files.items():
                (directory / path).parent.mkdir(parents=True, exist_ok=True)
                (directory / path).write_bytes(data)
            found.append(directory)
        return found


def increment(sending: Sending, base: Sending) -> Sending:
    """Only what is not in `base`."""
    bases = {each.path: each.inventory for each in base.repositories}
    repositories = tuple(replace(each, base=bases.get(each.path, "")) for each in sending.repositories)
    return replace(sending, repositories=repositories, known=frozenset(base.objects) | base.known)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def contents(*names: str, version: int = 1, size: int = 200) -> dict[str, bytes]:
    """Packages whose bytes say which they are, and an index that names them all."""
    packages = {f"pool/{name}.deb": (f"{name} {version} ".encode() * size)[:size] for name in names}
    index = "".join(f"{sha256(data)}  {path}\n" for path, data in packages.items())
    return {"index": index.encode(), **packages}


def of(*sent: Sent, **options: object) -> Sending:
    return Sending(tuple(sent), **options)  # type: ignore[arg-type]


def media_of(sendings: Sequence[Sending]) -> list[MemoryMedium]:
    return [medium for sending in sendings for medium in sending.media()]
