# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing metadata of our own: lists of packages piece by piece, records, and the repomd.xml over them.

Compression is gzip, which every client reads, those of el6 and el7 too; by isal it costs next to nothing. The
same input gives the same bytes.
"""

import hashlib
from collections.abc import Iterable, Iterator

from orchestrator.content.formats.rpm import repomd
from orchestrator.content.formats.rpm.markup import attribute, checked
from orchestrator.content.formats.rpm.reading import base_of
from orchestrator.content.formats.rpm.repomd import Record
from orchestrator.content.model import Digest, StoredFile
from orchestrator.content.pool import Pool
from orchestrator.content.signatures import Signer
from orchestrator.errors import BadContent

_LEVEL = 3
# Namespaces.
COMMON = "http://linux.duke.edu/metadata/common"
RPM = "http://linux.duke.edu/metadata/rpm"
FILELISTS = "http://linux.duke.edu/metadata/filelists"
OTHER = "http://linux.duke.edu/metadata/other"


class Records:
    """The records of one new repository, on their way into the pool; `when` dates them, in seconds."""

    def __init__(self, pool: Pool, repository: str, when: float) -> None:
        self._pool, self._base, self._when = pool, base_of(repository), float(int(when))
        self.records: list[Record] = []
        self.files: dict[str, StoredFile] = {}

    def carry_over(self, record: Record, stored: StoredFile) -> None:
        """A record as it is, under a digest that counts today."""
        strong = record.open_digest is not None and record.open_digest.algorithm not in ("md5", "sha1")
        open_digest, open_size = (record.open_digest, record.open_size) if strong else (None, None)
        digest = Digest("sha256", stored.sha256)
        self._add(
            Record(record.type, record.href, stored.size, digest, open_size, open_digest, self._when), stored
        )

    def write(self, type_: str, file_name: str, pieces: Iterable[bytes], *, compressed: bool = True) -> None:
        """A record of these pieces, under a name that is never used for anything else."""
        from isal import isal_zlib

        deflate = isal_zlib.compressobj(_LEVEL, wbits=31)
        plain, size, written = hashlib.sha256(), 0, []
        for piece in pieces:
            plain.update(piece)
            size += len(piece)
            written.append(deflate.compress(piece) if compressed else piece)
        if compressed:
            written.append(deflate.flush())
        data = b"".join(written)
        sha256 = self._pool.add_bytes(data)
        href = f"repodata/{sha256}-{file_name}{'.gz' if compressed else ''}"
        digest, open_digest = Digest("sha256", sha256), Digest("sha256", plain.hexdigest())
        record = Record(type_, href, len(data), digest, size, open_digest, self._when)
        self._add(record, StoredFile(self._base + href, len(data), sha256, type_))

    def _add(self, record: Record, stored: StoredFile) -> None:
        other = self.files.setdefault(stored.path, stored)
        if other.sha256 != stored.sha256:
            raise BadContent(f"{stored.path} cannot be both {other.role} and {stored.role}")
        self.records.append(record)

    def close(self, tags: str, signer: Signer | None) -> list[StoredFile]:
        """All files, with repomd.xml and its signature."""
        data = repomd.write(str(int(self._when)), self.records, tags)
        signed = {"": data} if signer is None else {"": data, ".asc": signer.sign_detached(data)}
        entry = [
            StoredFile(
                self._base + repomd.ENTRY + suffix, len(text), self._pool.add_bytes(text), f"repomd{suffix}"
            )
            for suffix, text in signed.items()
        ]
        return [*self.files.values(), *entry]


def document(tag: str, attributes: dict[str, str], elements: Iterable[bytes], name: str) -> Iterator[bytes]:
    """An XML document around elements that others wrote; one that is not well-formed raises BadContent, naming
    `name`."""
    return checked(_around(tag, attributes, elements), name)


def _around(tag: str, attributes: dict[str, str], elements: Iterable[bytes]) -> Iterator[bytes]:
    written = "".join(f' {key}="{attribute(value)}"' for key, value in attributes.items())
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<{tag}{written}>\n'.encode()
    yield from elements
    yield f"</{tag}>\n".encode()
