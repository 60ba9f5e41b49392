# SPDX-License-Identifier: GPL-3.0-or-later
"""Files beside the binary packages: source packages by the Sources indexes, installer images by SHA256SUMS."""

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from orchestrator.content.formats.deb.control import Buffer, fields, normal, stanzas
from orchestrator.content.formats.deb.plain import read_plain
from orchestrator.content.formats.deb.selection import IndexRole, readable
from orchestrator.content.model import Digest, FileRef, Metadata, Package, safe_path
from orchestrator.content.pool import Pool
from orchestrator.content.source import Source
from orchestrator.errors import BadContent

# The strongest first; the fields of a Sources stanza.
_LISTS = (("sha256", "Checksums-Sha256"), ("sha512", "Checksums-Sha512"))
_WEAK_LISTS = (("sha1", "Checksums-Sha1"), ("md5", "Files"))
_SUMS = re.compile(rb"^([0-9a-f]{64}) [ *]([^\n]+)$", re.MULTILINE)
_VERSION = re.compile(r"\(([^)]+)\)")


class Holder(Protocol):
    """As much of an offer as is needed here."""

    @property
    def source(self) -> Source: ...
    @property
    def metadata(self) -> Sequence[Metadata]: ...
    @property
    def pool(self) -> Pool: ...
    def fields(self, package: Package) -> Mapping[str, str]: ...


def source_files(offer: Holder, kept: Collection[Package]) -> Iterator[FileRef]:
    """The files of the source packages that `kept` were built from, or of all that the indexes list when the
    tree gets the upstream's metadata as it is."""
    if not offer.source.sources:
        return
    wanted = {_origin(package, offer.fields(package)) for package in kept} if offer.source.rebuilt else None
    for metadata in offer.metadata:
        for stored in readable(metadata.indexes, IndexRole.SOURCES):
            data = normal(read_plain(stored, offer.pool))
            for start, end in stanzas(data):
                stanza = fields(data[start:end])
                name = (stanza.get("Package", ""), stanza.get("Version", ""))
                if wanted is None or name in wanted:
                    yield from listed_files(stanza, stored.path, weak=offer.source.unsigned)


def listed_files(stanza: Mapping[str, str], index: str, *, weak: bool = False) -> list[FileRef]:
    """The files of one source package. Raises BadContent naming it and `index`."""
    for algorithm, field in (*_LISTS, *_WEAK_LISTS) if weak else _LISTS:
        if field in stanza:
            try:
                rows = [line.split() for line in stanza[field].split("\n") if line.strip()]
                directory = stanza.get("Directory", ".")
                return [
                    FileRef(safe_path(f"{directory}/{name}"), int(size), Digest(algorithm, value.lower()))
                    for value, size, name in rows
                    if _is_digest(value, algorithm)
                ]
            except ValueError as error:
                raise BadContent(f"{index}: source package {stanza.get('Package')}: {error}") from None
    raise BadContent(f"{index}: source package {stanza.get('Package')} has no SHA-256 of its files")


def image_files(offer: Holder) -> Iterator[FileRef]:
    """All files of the installer's images, as the verified lists of their digests name them."""
    for metadata in offer.metadata:
        for stored in readable(metadata.indexes, IndexRole.IMAGES):
            if posixpath.basename(stored.path) == "SHA256SUMS":
                data = read_plain(stored, offer.pool)
                yield from _images(data, stored.path)


def _images(data: Buffer, path: str) -> Iterator[FileRef]:
    for match in _SUMS.finditer(data):
        try:
            place = safe_path(f"{posixpath.dirname(path)}/{match[2].decode()}")
        except ValueError as error:
            raise BadContent(f"{path}: {error}") from None
        yield FileRef(place, None, Digest("sha256", match[1].decode()))


def _origin(package: Package, stanza: Mapping[str, str]) -> tuple[str, str]:
    """Name and version of the source package; its version is told where it is another one."""
    told = _VERSION.search(stanza.get("Source", ""))
    return package.origin, told[1] if told else package.version


def _is_digest(value: str, algorithm: str) -> bool:
    if not re.fullmatch(
        {"sha256": "[0-9a-fA-F]{64}", "sha512": "[0-9a-fA-F]{128}"}.get(algorithm, "[0-9a-fA-F]+"), value
    ):
        raise ValueError(f"{value!r} is no {algorithm}")
    return True
