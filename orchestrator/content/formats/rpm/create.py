# SPDX-License-Identifier: GPL-3.0-or-later
"""A new repository of local .rpm files: their headers read by createrepo_c, the lists written as for any mirror."""

import os
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

from orchestrator.content.formats.rpm.lists import COMMON, FILELISTS, OTHER, RPM, Records, document
from orchestrator.content.formats.rpm.reading import base_of
from orchestrator.content.model import StoredFile
from orchestrator.content.pool import Pool
from orchestrator.content.signatures import Signer
from orchestrator.content.source import Source
from orchestrator.errors import BadContent

_LEAD, _LEAD_SIZE, _HEADER = b"\xed\xab\xee\xdb", 96, b"\x8e\xad\xe8"
_KINDS = (
    ("primary", "metadata", {"xmlns": COMMON, "xmlns:rpm": RPM}),
    ("filelists", "filelists", {"xmlns": FILELISTS}),
    ("other", "otherdata", {"xmlns": OTHER}),
)


def create(
    files: Sequence[StoredFile], source: Source, pool: Pool, when: float, signer: Signer | None
) -> list[StoredFile]:
    """As `Format.create`; everything goes into the source's first repository."""
    repository = source.repositories[0] if source.repositories else "."
    placed: list[StoredFile] = []
    elements: list[tuple[bytes, ...]] = []
    seen: dict[str, str] = {}
    for file in sorted(files, key=lambda file: file.path):
        href = f"Packages/{file.path[0].lower()}/{file.path}"
        package = _read(file, href, pool)
        other = seen.setdefault(package.nevra(), file.path)
        if other != file.path:
            raise BadContent(f"{other} and {file.path} are both {package.nevra()}")
        placed.append(StoredFile(base_of(repository) + href, file.size, file.sha256, file.role))
        elements.append(_elements(package))
    records = Records(pool, repository, when)
    for place, (type_, tag, namespaces) in enumerate(_KINDS):
        attributes = {**namespaces, "packages": str(len(elements))}
        text = document(tag, attributes, (each[place] for each in elements), type_)
        records.write(type_, f"{type_}.xml", text)
    return [*placed, *records.close("", signer)]


def _read(file: StoredFile, href: str, pool: Pool) -> Any:
    import createrepo_c

    path = pool.path(file.sha256)
    with path.open("rb") as stream:
        # Before librpm sees it, which tells its opinion of anything else on the standard error.
        if not _has_headers(stream, file.size):
            raise BadContent(f"{file.path} is no rpm package, or not a whole one")
    try:
        package = createrepo_c.package_from_rpm(str(path), createrepo_c.SHA256, href)
    except (createrepo_c.CreaterepoCError, OSError) as error:
        why = str(error).rpartition(": ")[2]
        raise BadContent(f"{file.path} is no rpm package that can be read: {why}") from None
    # The file's own time is that of its way here.
    package.time_file = package.time_build
    return package


def _has_headers(stream: BinaryIO, size: int) -> bool:
    """Whether lead, signature header and header are there in full (the format: rpm-v4(7))."""
    if stream.read(_LEAD_SIZE)[:4] != _LEAD:
        return False
    for _ in range(2):
        stream.seek(-stream.tell() % 8, os.SEEK_CUR)
        intro = stream.read(16)
        if len(intro) < 16 or intro[:3] != _HEADER:
            return False
        entries, data = struct.unpack(">II", intro[8:])
        stream.seek(16 * entries + data, os.SEEK_CUR)
    return stream.tell() <= size


def _elements(package: Any) -> tuple[bytes, ...]:
    """Of primary, filelists and other."""
    import createrepo_c

    return tuple(text.encode() for text in createrepo_c.xml_dump(package)[:3])
