# SPDX-License-Identifier: GPL-3.0-or-later
"""ISO images and discs, read in place: nothing is mounted or unpacked.

Names are those of Rock Ridge, or else Joliet's. What an image says of itself is believed within limits only, so that
none takes more time or room than one of its size may. Files are read in the order in which they lie on the medium,
some ten thousand at a time: a drive that has to go back and forth is slow.
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, Self

from orchestrator.content.exports.media import Member
from orchestrator.content.imports.iso_structures import (
    FIRST_DESCRIPTOR,
    SECTOR,
    Area,
    Descriptor,
    Record,
    RockRidge,
    descriptor,
    has_rock_ridge,
    is_last,
    plain_name,
    records,
    rock_ridge,
)
from orchestrator.content.model import safe_path
from orchestrator.errors import BadContent

_OBJECTS = "objects"
_MOST_DESCRIPTORS = 64
_MOST_EXTENTS = 1 << 12
_MOST_IN_DIRECTORY = 1 << 18
_MOST_DIRECTORIES = 1 << 16
_MOST_BYTES_OF_DIRECTORIES = 1 << 30
_LONGEST_PATH = 1024
_AT_ONCE = 1 << 16
_PIECE = 32 * SECTOR


class _File(NamedTuple):
    """`more` are the areas behind the first of a file that has several. Sorted as they lie on the medium."""

    first: Area
    path: str
    more: tuple[Area, ...]
    size: int


class _Directory(NamedTuple):
    area: Area
    path: str


class IsoReader:
    """A `MediumReader` of an image, or of a device with one. Raises BadContent when it is none, or cut off, and OSError
    when it cannot be read. A context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with self._bad():
                self._size = self._whole_size()
                self._open()
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        return str(self._path)

    @contextmanager
    def _bad(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise BadContent(f"{self._path}: {error}", hint="if it is a copy, copy it again") from None

    def _whole_size(self) -> int:
        try:
            return os.lseek(self._descriptor, 0, os.SEEK_END)
        except OSError as error:
            if error.errno == errno.ESPIPE:
                raise ValueError("an ISO image cannot be read from a pipe") from None
            raise

    def _open(self) -> None:
        primary, joliet = self._descriptors()
        if primary.sectors * SECTOR > self._size:
            raise ValueError(f"it is cut off: it has {self._size} of {primary.sectors * SECTOR} bytes")
        self._rock_ridge = self._look_for_rock_ridge(primary.root)
        if self._rock_ridge is None and joliet is None:
            raise ValueError("it has neither Rock Ridge nor Joliet, and its short names are not enough")
        self._root = primary.root if self._rock_ridge is not None or joliet is None else joliet.root

    def _descriptors(self) -> tuple[Descriptor, Descriptor | None]:
        primary = joliet = None
        for number in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + _MOST_DESCRIPTORS):
            data = self._read(number * SECTOR, SECTOR)
            found = descriptor(data)
            if found is not None and found.is_joliet:
                joliet = joliet or found
            elif found is not None:
                primary = primary or found
            if is_last(data):
                break
        if primary is None:
            raise ValueError("it is no ISO 9660 image")
        return primary, joliet

    def _look_for_rock_ridge(self, root: Area) -> int | None:
        own = next(records(self._read(root.start * SECTOR, SECTOR)), None)
        return None if own is None else has_rock_ridge(own, self._elsewhere)

    def _elsewhere(self, sector: int, offset: int, length: int) -> bytes:
        return self._read(sector * SECTOR + offset, length)

    def _read(self, offset: int, length: int) -> bytes:
        data = os.pread(self._descriptor, length, offset)
        while len(data) < length:
            more = os.pread(self._descriptor, length - len(data), offset + len(data))
            if not more:
                raise ValueError(f"it is cut off, or damaged: there is nothing at byte {offset + len(data)}")
            data += more
        return data

    # The files ----------------------------------------------------------------------------------------

    def members(self, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[Member]:
        """In the order in which they lie there, `objects` after all others. Raises BadContent and OSError."""
        with self._bad():
            walk = _Walk(self._size)
            found = list(self._entries(_Directory(self._root, ""), walk))
            files = [each for each in found if isinstance(each, _File)]
            directories = [each for each in found if isinstance(each, _Directory)]
            objects = [each for each in directories if each.path == _OBJECTS]
            others = [each for each in directories if each.path != _OBJECTS]
            for group in (chain(files, self._walk(others, walk)), self._walk(objects, walk)):
                yield from self._members(group, wanted)

    def _members(self, files: Iterable[_File], wanted: Callable[[str], bool]) -> Iterator[Member]:
        rest = iter(files)
        while some := list(islice(rest, _AT_ONCE)):
            some.sort()
            for file in some:
                if wanted(file.path):
                    yield Member(file.path, file.size, self._reading(file))

    def _walk(self, directories: list[_Directory], walk: "_Walk") -> Iterator[_File]:
        """The files in and below them."""
        waiting = directories[::-1]
        while waiting:
            for entry in self._entries(waiting.pop(), walk):
                if isinstance(entry, _File):
                    yield entry
                else:
                    waiting.append(entry)

    def _entries(self, directory: _Directory, walk: "_Walk") -> Iterator[_File | _Directory]:
        walk.enter(directory)
        names = set[str]()
        extents: list[Record] = []
        for record in self._records(directory.area):
            if record.is_relative or record.is_associated:
                continue
            if extents and (record.identifier != extents[0].identifier or record.is_directory):
                raise ValueError(f"a file in /{directory.path} has no end")
            extents.append(record)
            if record.goes_on:
                if record.is_directory or record.area.size % SECTOR or len(extents) == _MOST_EXTENTS:
                    raise ValueError(f"a file in /{directory.path} is in pieces that cannot be")
                continue
            entry = self._entry(directory.path, extents)
            extents = []
            if entry is None:
                continue
            if entry.path in names or len(names) == _MOST_IN_DIRECTORY:
                raise ValueError(f"{entry.path} is there twice, or one of far too many")
            names.add(entry.path)
            yield entry
        if extents:
            raise ValueError(f"a file in /{directory.path} has no end")

    def _records(self, area: Area) -> Iterator[Record]:
        begin, end = area.start * SECTOR, area.start * SECTOR + area.size
        for offset in range(begin, end, _PIECE):
            data = self._read(offset, min(_PIECE, end - offset))
            for at in range(0, len(data), SECTOR):
                yield from records(data[at : at + SECTOR])

    def _entry(self, above: str, extents: list[Record]) -> _File | _Directory | None:
        """None for a directory that was moved here from where it belongs."""
        record, posix = extents[0], RockRidge()
        if self._rock_ridge is not None:
            posix = rock_ridge(record.fields[self._rock_ridge :], self._elsewhere)
        path = _path(above, self._name(record, posix))
        if posix.is_special:
            raise ValueError(f"{path} is neither a file nor a directory")
        if posix.is_packed:
            raise ValueError(f"{path} is compressed (zisofs) or sparse, which is not read")
        if posix.is_moved:
            return None
        if posix.child:
            return _Directory(self._own_area(posix.child), path)
        if record.is_directory:
            return _Directory(self._within(record.area, path), path)
        areas = [self._within(each.area, path) for each in extents]
        size = sum(area.size for area in areas)
        if size > self._size:
            raise ValueError(f"{path} is larger than the image")
        return _File(areas[0], path, tuple(areas[1:]), size)

    def _name(self, record: Record, posix: RockRidge) -> str:
        if posix.name:
            return posix.name.decode("utf-8", "surrogateescape")
        return plain_name(record.identifier, is_joliet=self._rock_ridge is None)

    def _own_area(self, start: int) -> Area:
        """Of the directory that begins at a sector: its "." says it."""
        own = next(records(self._read(start * SECTOR, SECTOR)), None)
        if own is None or not own.is_directory or own.area.start != start:
            raise ValueError(f"there is no directory at sector {start}")
        return self._within(own.area, f"the directory at sector {start}")

    def _within(self, area: Area, path: str) -> Area:
        if area.size and area.start * SECTOR + area.size > self._size:
            raise ValueError(f"{path} is not within the image: it is cut off, or damaged")
        return area

    def _reading(self, file: _File) -> Callable[[int], bytes]:
        areas = [file.first, *file.more]
        at, offset = 0, 0

        def read(most: int) -> bytes:
            nonlocal at, offset
            while at < len(areas):
                start, size = areas[at]
                if offset < size:
                    with self._bad():
                        # Not more than asked for in one call: `most` may be far more than there is.
                        data = self._read_some(start * SECTOR + offset, min(most, size - offset), file.path)
                    offset += len(data)
                    return data
                at, offset = at + 1, 0
            return b""

        return read

    def _read_some(self, offset: int, most: int, path: str) -> bytes:
        data = os.pread(self._descriptor, most, offset)
        if most and not data:
            raise ValueError(f"{path} is cut off")
        return data

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Walk:
    """Which directories were entered: none twice, and not more than an image of `size` bytes may have."""

    def __init__(self, size: int) -> None:
        self._seen = set[int]()
        self._left = min(size, _MOST_BYTES_OF_DIRECTORIES)

    def enter(self, directory: _Directory) -> None:
        start, size = directory.area
        if start in self._seen:
            raise ValueError(f"the directory /{directory.path} is also somewhere else")
        self._seen.add(start)
        self._left -= size
        if self._left < 0 or len(self._seen) > _MOST_DIRECTORIES:
            raise ValueError("its directories are more, or larger, than they can be")


def _path(above: str, name: str) -> str:
    path = f"{above}/{name}" if above else name
    if "/" in name or safe_path(path) != path or len(path) > _LONGEST_PATH:
        raise ValueError(f"{path[:_LONGEST_PATH]!r} is no name of a file")
    return path
