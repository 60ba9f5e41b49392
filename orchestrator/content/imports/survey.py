# SPDX-License-Identifier: GPL-3.0-or-later
"""What the given media hold: exports whose manifests are signed by a trusted key, with the lists that the manifests
vouch for; and what is wrong with each medium. Nothing else of a medium is believed, and nothing is changed.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.content import inventories
from orchestrator.content.exports import manifest as manifests
from orchestrator.content.exports.manifest import Manifest, Piece, index_place, inventory_place, read_index
from orchestrator.content.exports.media import MediumReader
from orchestrator.content.imports.medium import Medium
from orchestrator.content.model import StoredFile
from orchestrator.errors import BadContent, OrchestratorError, Problem
from orchestrator.host.refusals import refused_by_system

# Raises Refused when who signed is not trusted, BadContent when the signature does not fit: manifest, signature,
# the medium's name.
Verify = Callable[[bytes, bytes, str], object]


@dataclass(slots=True)
class MediumReport:
    """What was found out about one medium. `export` is "" when it could not be told; `chunks` are the numbers of
    those that are on it; `problems` what is wrong with it, for people."""

    name: str
    export: str = ""
    chunks: tuple[int, ...] = ()
    error: OrchestratorError | None = None  # why nothing could be taken of it
    problems: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        told = [self.error.message] if self.error else []
        return {
            "name": self.name,
            "export": self.export,
            "chunks": list(self.chunks),
            "problems": told + self.problems,
        }


@dataclass(slots=True)
class FoundExport:
    """An export that is signed by somebody who is trusted. `lists` are the inventories that are here, by digest;
    `indexes` those of the chunks by number: as bytes, which take a tenth of the room. Both are what the manifest
    says they are."""

    manifest: Manifest
    document: bytes
    signature: bytes
    lists: dict[str, bytes] = field(default_factory=dict)
    indexes: dict[int, bytes] = field(default_factory=dict)
    media: list[Medium] = field(default_factory=list)
    chunks: set[int] = field(default_factory=set)  # those on the media

    @property
    def id(self) -> str:
        return self.manifest.id

    def pieces(self, number: int) -> Iterator[Piece]:
        """Of a chunk whose index is here; none of another. Raises BadContent when it is no index."""
        yield from read_index(self.indexes[number], index_place(number)) if number in self.indexes else ()

    def chunk_of(self, path: str) -> int | None:
        """The number of the chunk that an object's place on a medium belongs to."""
        name = path.rpartition("/")[2].partition(".")[0] if path.startswith("objects/") else ""
        line = f"\n{name} ".encode()
        holders = [number for number, data in self.indexes.items() if name and line in data]
        if len(holders) == 1:
            return holders[0]
        return next((each for each in holders if any(p.place == path for p in self.pieces(each))), None)

    def inventory(self, digest: str) -> Sequence[StoredFile]:
        """Raises BadContent when it is on no medium, or no list."""
        if digest not in self.lists:
            raise BadContent(
                f"the inventory {digest[:12]} of the export {self.id[:12]} is on none of its media, or damaged",
                hint="give a medium on which it can be read",
            )
        return inventories.read_list(self.lists[digest], inventory_place(digest))

    def lists_wanted(self) -> set[str]:
        return {each.inventory for each in self.manifest.repositories}


@dataclass(slots=True)
class Survey:
    exports: list[FoundExport]
    reports: dict[str, MediumReport]

    def check(self) -> None:
        """Raises what is wrong when nothing at all can be imported."""
        if self.exports:
            return
        errors = [report.error for report in self.reports.values() if report.error is not None]
        if len(errors) == 1:
            raise errors[0]
        worst = next((error for error in errors if not isinstance(error, BadContent)), BadContent(""))
        kind, hint = type(worst), worst.hint
        problems = [Problem("", error.message) for error in errors]
        raise kind("none of the media can be imported", problems=problems, hint=hint)


def survey(readers: Iterable[MediumReader], verify: Verify, known: Callable[[str], bytes | None]) -> Survey:
    """Look at all media. `known` gives lists that this server has already. Raises nothing for bad media: the reports
    say what is wrong."""
    media = [Medium(reader) for reader in readers]
    exports: dict[str, FoundExport] = {}
    reports: dict[str, MediumReport] = {}
    for medium in media:
        report = reports[_free(medium.name, reports)] = MediumReport(medium.name)
        try:
            _look(medium, report, exports, verify, known)
        except OrchestratorError as error:
            report.error = error
        except OSError as error:
            report.error = refused_by_system(error, medium.name)
        if report.error is not None or len(media) > 1:
            medium.release()
    return Survey(in_order(exports.values()), reports)


def _free(name: str, taken: dict[str, MediumReport]) -> str:
    while name in taken:
        name += " (again)"
    return name


def _look(
    medium: Medium,
    report: MediumReport,
    exports: dict[str, FoundExport],
    verify: Verify,
    known: Callable[[str], bytes | None],
) -> None:
    document, signature = medium.sealed()
    verify(document, signature, f"the manifest on {medium.name}")
    manifest = manifests.from_bytes(document, f"the manifest on {medium.name}")
    found = exports.setdefault(manifest.id, FoundExport(manifest, document, signature))
    for digest in found.lists_wanted() - found.lists.keys():
        listed = known(digest)
        if listed is not None:
            found.lists[digest] = listed
    report.export = manifest.id
    _read_front(medium, report, found)
    found.media.append(medium)
    on_it = _chunks_on(medium, found)
    for number in sorted(on_it & found.chunks):
        report.problems.append(f"chunk {number} is on another medium, too")
    found.chunks |= on_it
    report.chunks = tuple(sorted(on_it))


def _read_front(medium: Medium, report: MediumReport, found: FoundExport) -> None:
    """Take the lists from it that are not here yet."""
    lists = {inventory_place(digest): digest for digest in found.lists_wanted() - found.lists.keys()}
    chunks = {
        index_place(chunk.number): chunk
        for chunk in found.manifest.chunks
        if chunk.number not in found.indexes
    }
    for path, data in medium.front(lambda path: path in lists or path in chunks):
        digest = hashlib.sha256(data).hexdigest()
        if digest not in (lists.get(path), chunks[path].index if path in chunks else ""):
            report.problems.append(f"{path} is damaged")
        elif path in lists:
            found.lists[digest] = data
        else:
            found.indexes[chunks[path].number] = data


def _chunks_on(medium: Medium, found: FoundExport) -> set[int]:
    """The chunks that are on a medium: that of its first object; of a directory, which may hold several, those of
    all its objects."""
    if not Path(medium.name).is_dir():
        number = found.chunk_of(medium.first)
        return set() if number is None else {number}
    of_place = {piece.place: number for number in found.indexes for piece in found.pieces(number)}
    numbers: set[int] = set()
    medium.release()  # two looks at one medium do not go together
    for member in medium.reader.members(of_place.__contains__):
        numbers.add(of_place[member.path])
        if len(numbers) == len(found.manifest.chunks):
            break
    return numbers


def in_order(exports: Iterable[FoundExport]) -> list[FoundExport]:
    """In the order that fits: what others are built on first, older ones before newer ones."""
    waiting = sorted(exports, key=lambda each: (each.manifest.created, each.manifest.kind, each.id))
    ordered: list[FoundExport] = []
    while waiting:
        ready = next((each for each in waiting if not _is_built_on(each, waiting)), waiting[0])
        waiting.remove(ready)
        ordered.append(ready)
    return ordered


def _is_built_on(export: FoundExport, others: Iterable[FoundExport]) -> bool:
    """Whether any of the `others` brings what this one takes for granted."""
    bases = {(each.path, each.base) for each in export.manifest.repositories if each.base}
    bases -= {(each.path, each.inventory) for each in export.manifest.repositories}
    return any(
        (each.path, each.inventory) in bases
        for other in others
        if other is not export
        for each in other.manifest.repositories
    )
