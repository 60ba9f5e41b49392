# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that an import lacks: which they are, where they may be on media, and which of them will come."""

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from orchestrator.content.imports.assembly import Range, covers
from orchestrator.content.imports.survey import FoundExport
from orchestrator.errors import BadContent

Sizes = Mapping[str, int]  # by SHA-256


@dataclass(frozen=True, slots=True)
class Lack:
    """`objects` that are missing, and their `bytes`. `chunks`: how many of them are in which chunk of the export;
    `elsewhere`: how many are in none, for the export is built on them."""

    objects: int = 0
    bytes: int = 0
    chunks: tuple[tuple[int, int], ...] = ()
    elsewhere: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "objects": self.objects,
            "bytes": self.bytes,
            "chunks": {str(number): count for number, count in self.chunks},
            "elsewhere": self.elsewhere,
        }


NOTHING = Lack()


class Place(NamedTuple):
    """What a file on a medium is: an object, or the segment of one from `start` on."""

    sha256: str
    size: int
    start: int | None


def add_needed(sizes: dict[str, int], found: FoundExport, digest: str) -> None:
    """Add the objects of an inventory to `sizes`. Raises BadContent when it is not here, or contradicts what is
    there; then nothing is added."""
    more = {file.sha256: file.size for file in found.inventory(digest)}
    if any(sizes.get(sha256, size) != size for sha256, size in more.items()):
        raise BadContent(f"the inventory {digest[:12]} contradicts another one of the export {found.id[:12]}")
    sizes |= more


def missing(sizes: Sizes, have: Callable[[str], int | None]) -> dict[str, int]:
    return {sha256: size for sha256, size in sizes.items() if have(sha256) != size}


def lack(found: FoundExport, absent: Sizes, ranges: Callable[[str], list[Range]] = lambda _: []) -> Lack:
    """What `absent` objects mean to this export. The chunks are those that bring more of them than the segments
    (`ranges`) that have come."""
    counts: Counter[int] = Counter()
    seen: set[str] = set()
    for number in found.indexes if absent else ():
        due: set[str] = set()
        for piece in found.pieces(number):
            if piece.sha256 in absent:
                seen.add(piece.sha256)
                if piece.is_whole or not covers(ranges(piece.sha256), piece.start, piece.length):
                    due.add(piece.sha256)
        if due:
            counts[number] = len(due)
    elsewhere = len(absent) - len(seen) if found.manifest.chunks else 0
    return Lack(len(absent), sum(absent.values()), tuple(sorted(counts.items())), elsewhere)


def on_media(found: FoundExport, wanted: Sizes, ranges: Callable[[str], list[Range]]) -> set[str]:
    """Those of the `wanted` objects that the given media have all of, as far as their lists say; with the `ranges`
    that came before."""
    whole: set[str] = set()
    parts: dict[str, tuple[int, list[Range]]] = {}
    for number in found.chunks:
        for piece in found.pieces(number):
            if wanted.get(piece.sha256) != piece.size:
                continue
            if piece.is_whole:
                whole.add(piece.sha256)
            else:
                parts.setdefault(piece.sha256, (piece.size, ranges(piece.sha256)))
                parts[piece.sha256][1].append((piece.start, piece.length))
    whole |= {sha256 for sha256, (size, there) in parts.items() if covers(there, 0, size)}
    places = in_trees(found, wanted)
    for medium in found.media if places else ():
        medium.release()
        with contextlib.suppress(BadContent, OSError):  # what is wrong is told when it is taken
            for member in medium.reader.members(places.__contains__):
                whole.add(places[member.path])
    return whole


def in_trees(found: FoundExport, wanted: Collection[str]) -> dict[str, str]:
    """Where the `wanted` objects are in the trees of a directory export, by path."""
    places: dict[str, str] = {}
    for entry in found.manifest.repositories:
        if not entry.trees or entry.inventory not in found.lists:
            continue
        try:
            files = found.inventory(entry.inventory)
        except BadContent:
            continue  # no list: what it is of is refused
        for file in files:
            if file.sha256 in wanted:
                places |= {f"{tree}/{file.path}": file.sha256 for tree in entry.trees}
    return places


class Sought:
    """The missing objects of several exports, found by their places on media. What has come is to be `taken`."""

    def __init__(self, sizes: dict[str, int], places: Mapping[str, str]) -> None:
        self.sizes, self._places = sizes, places

    def place(self, path: str) -> Place | None:
        """What is wanted at this place of a medium, if anything is."""
        sha256 = self._places.get(path)
        start = None
        if sha256 is None:
            directory, _, name = path.rpartition("/")
            sha256, dot, at = name.partition(".")
            if directory != f"objects/{sha256[:2]}" or (dot and not at.isdecimal()):
                return None
            start = int(at) if dot else None
        size = self.sizes.get(sha256)
        return None if size is None else Place(sha256, size, start)

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and self.place(path) is not None

    def taken(self, sha256: str) -> None:
        self.sizes.pop(sha256, None)
