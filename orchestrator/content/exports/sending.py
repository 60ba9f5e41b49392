# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a draft's repositories has to be sent: the objects of their inventories without those of the bases'.

Lists are read one after the other; what stays in memory is one entry for each object.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.content.exports import layouts
from orchestrator.content.exports.manifest import Manifest, Piece, RepositoryEntry
from orchestrator.content.inventories import digest_of, each_file
from orchestrator.content.model import StoredFile
from orchestrator.content.workspace import Workspace
from orchestrator.errors import BadContent, Refused


@dataclass(frozen=True, slots=True)
class Sending:
    """`objects` are sizes by SHA-256, in their order; `owners` has a bit for each of the `entries` (of which the
    suites are known now) that needs an object."""

    entries: tuple[RepositoryEntry, ...]
    objects: Mapping[str, int]
    owners: Mapping[str, int]
    inventories: Mapping[str, bytes]

    def owners_of(self, pieces: Sequence[Piece]) -> tuple[str, ...]:
        """The paths of the repositories that need any of the pieces, sorted."""
        bits = 0
        for piece in pieces:
            bits |= self.owners[piece.sha256]
        return tuple(sorted({each.path for place, each in enumerate(self.entries) if bits >> place & 1}))

    def name_of(self, sha256: str) -> str:
        """An object as people know it."""
        bits = self.owners[sha256]
        entry = next(each for place, each in enumerate(self.entries) if bits >> place & 1)
        listed = each_file(self.inventories[entry.inventory])
        path = next((file.path for file in listed if file.sha256 == sha256), sha256)
        return f"{path} of {entry.path}"


def sending_of(workspace: Workspace, draft: Manifest, only: Mapping[str, int] | None) -> Sending:
    """`only` these objects, when it is not None. Raises Refused when an inventory is not here, or what is asked for
    is not in the export; BadContent for a damaged one."""
    inventories = {each.inventory: _read(workspace, each.inventory) for each in draft.repositories}
    collector = _Collector(inventories)
    if only is None and any(each.base != each.inventory for each in draft.repositories):
        for digest in sorted({each.base for each in draft.repositories if each.base}):
            collector.subtract(inventories.get(digest) or _read(workspace, digest))
    for place, entry in enumerate(draft.repositories):
        workspace.check_stop()
        collector.add(place, entry, only)
    if only is not None:
        foreign = next((sha256 for sha256 in only if only[sha256] != collector.objects.get(sha256)), None)
        if foreign is not None:
            raise Refused(f"the request asks for {foreign}, which is not in the export, or of another size")
    return Sending(tuple(collector.entries), collector.objects, collector.owners, inventories)


def _read(workspace: Workspace, digest: str) -> bytes:
    path = workspace.inventories.path(digest)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise Refused(
            f"the inventory {digest[:12]} is not kept here any more",
            hint="export anew, or build on something else",
        ) from None
    if digest_of(data) != digest:
        raise BadContent(f"{path} is damaged: its bytes are not those of its name")
    return data


class _Collector:
    def __init__(self, inventories: Mapping[str, bytes]) -> None:
        self._inventories = inventories
        self._there: set[str] = set()
        self.entries: list[RepositoryEntry] = []
        self.objects: dict[str, int] = {}
        self.owners: dict[str, int] = {}

    def subtract(self, listed: bytes) -> None:
        """What is in this list the receiver has."""
        self._there.update(line[:64].decode() for line in io.BytesIO(listed) if line[:1] != b"#")

    def add(self, place: int, entry: RepositoryEntry, only: Mapping[str, int] | None) -> None:
        """What of it is to be sent, and its suites."""
        is_metadata, names_a_part = layouts.is_metadata(entry.type), layouts.names_a_part(entry.type)
        unchanged, there, bit = only is None and entry.base == entry.inventory, self._there, 1 << place
        parts: list[str] = []
        later: dict[str, int] = {}
        for path, size, sha256, _ in each_file(self._inventories[entry.inventory]):
            metadata = is_metadata(path)
            if metadata and names_a_part(path):
                parts.append(path)
            if unchanged or (only is not None and sha256 not in only):
                continue
            if metadata:
                self._send(sha256, size, bit)
            elif only is not None or sha256 not in there:
                later[sha256] = size
            elif sha256 in self.objects:
                self.owners[sha256] |= bit
        for sha256, size in later.items():
            self._send(sha256, size, bit)
        self.entries.append(replace(entry, suites=layouts.suites(entry.type, parts)))

    def _send(self, sha256: str, size: int, bit: int) -> None:
        self.objects.setdefault(sha256, size)
        self.owners[sha256] = self.owners.get(sha256, 0) | bit


def missing_of(
    workspace: Workspace, sending: Sending
) -> list[tuple[RepositoryEntry, tuple[StoredFile, ...]]]:
    """What is to be sent and is not in the pool, by its places in the repositories."""
    size = workspace.pool.size
    absent = {sha256 for sha256, length in sending.objects.items() if size(sha256) != length}
    found = []
    for each in sending.entries if absent else ():
        listed = each_file(sending.inventories[each.inventory])
        files = tuple(file for file in listed if file.sha256 in absent)
        if files:
            found.append((each, files))
    return found
