# SPDX-License-Identifier: GPL-3.0-or-later
"""Where on a medium what is, so that each kind of place can be damaged in turn.

A kind is the beginning of a member's path ("manifest.json", "inventories", "objects"), "segment" for a part of an
object, or "structure" for all that is of no member: headers, descriptors, directories, padding, and everything that is
packed.
"""

import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.content.imports.opening import open_media


@dataclass(frozen=True)
class Spot:
    """A byte of the file `path` below a medium ("": of the medium itself)."""

    kind: str
    path: str
    offset: int


def members_of(medium: Path) -> dict[str, bytes]:
    """Every file of a medium, by our reader."""
    [reader] = open_media([medium])
    try:
        found = {}
        for member in reader.members():
            data = b""
            while more := member.read(1 << 20):
                data += more
            found[member.path] = data
        return found
    finally:
        reader.close()


def spots(medium: Path, chance: random.Random, each: int, structure: int) -> list[Spot]:
    """`each` bytes of all kinds of members, and so many of the `structure`, most of them with something in it."""
    if medium.is_dir():
        by_kind: dict[str, list[tuple[str, int]]] = {}
        for path in sorted(path for path in medium.rglob("*") if path.is_file()):
            place = str(path.relative_to(medium))
            by_kind.setdefault(_kind(place), []).append((place, path.stat().st_size))
        return [
            Spot(kind, place, chance.randrange(size))
            for kind, files in by_kind.items()
            for place, size in (chance.choice(files) for _ in range(each))
        ]
    data = medium.read_bytes()
    areas = _areas(medium, data)
    found = [
        Spot(kind, "", chance.randrange(begin, end))
        for kind, ranges in areas.items()
        for begin, end in (chance.choice(ranges) for _ in range(each))
    ]
    taken = {offset for ranges in areas.values() for begin, end in ranges for offset in range(begin, end)}
    rest = [offset for offset in range(len(data)) if offset not in taken]
    used = [offset for offset in rest if data[offset]]
    chosen = chance.sample(used, min(structure, len(used))) + chance.sample(
        rest, min(structure // 4, len(rest))
    )
    return found + [Spot("structure", "", offset) for offset in chosen]


def _areas(medium: Path, data: bytes) -> Mapping[str, list[tuple[int, int]]]:
    """Where the bytes of members are; nowhere when they are packed."""
    areas: dict[str, list[tuple[int, int]]] = {}
    for path, content in members_of(medium).items():
        begin = data.find(content) if content else -1
        if begin >= 0:
            areas.setdefault(_kind(path), []).append((begin, begin + len(content)))
    return areas


def _kind(path: str) -> str:
    first, _, rest = path.partition("/")
    return "segment" if first == "objects" and "." in rest else first


def flip(medium: Path, spot: Spot, to: Path, bit: int = 2) -> Path:
    """A copy of the medium with one bit changed, at `to`."""
    if medium.is_dir():
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(medium, to)
    else:
        shutil.copyfile(medium, to)
    file = to / spot.path if spot.path else to
    with file.open("r+b") as stream:
        stream.seek(spot.offset)
        [byte] = stream.read(1)
        stream.seek(spot.offset)
        stream.write(bytes([byte ^ 1 << bit]))
    return to
