# SPDX-License-Identifier: GPL-3.0-or-later
"""One of the two hierarchies of directories of an image: how much room it takes up, its bytes, its path tables. Pure.

What is different in the two is a `Naming`: the primary one has short names, with the others in Rock Ridge, and
Joliet's has names in UCS-2 and nothing else.
"""

import struct
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from orchestrator.content.exports.iso import rock_ridge
from orchestrator.content.exports.iso.fields import SECTOR, Place, sectors
from orchestrator.content.exports.iso.naming import distinct, distinct_joliet, joliet_name, short_name
from orchestrator.content.exports.iso.records import (
    DIRECTORY,
    GOES_ON,
    PARENT,
    SELF,
    bare,
    even,
    packed,
    packed_size,
    record,
)
from orchestrator.content.exports.iso.tree import Tree

# A larger file is several extents, each but the last this long: a multiple of the sector that fits 32 bits.
MOST_IN_EXTENT = (1 << 32) - SECTOR


class Entry(NamedTuple):
    """A file or a directory (`is_directory`), by its number, in a directory. Entries are sorted by `key`."""

    key: bytes
    identifier: bytes
    name: bytes
    is_directory: bool
    number: int


class Naming(NamedTuple):
    """`identifiers` gives key and identifier of each of some names, of which the first so many are directories."""

    identifiers: Callable[[Sequence[str], int], list[tuple[bytes, bytes]]]
    has_rock_ridge: bool


def _short(names: Sequence[str], directories: int) -> list[tuple[bytes, bytes]]:
    short = distinct([short_name(name, directory=at < directories) for at, name in enumerate(names)])
    found = []
    for at, (stem, extension) in enumerate(short):
        key = f"{stem}.{extension}".encode()
        found.append((key, stem.encode() if at < directories else key + b";1"))
    return found


def _joliet(names: Sequence[str], _directories: int) -> list[tuple[bytes, bytes]]:
    encoded = [name.encode("utf-16-be") for name, _ in distinct_joliet([joliet_name(name) for name in names])]
    return [(each, each) for each in encoded]


PRIMARY, JOLIET = Naming(_short, has_rock_ridge=True), Naming(_joliet, has_rock_ridge=False)


class Hierarchy:
    """Measured when it is made; then it is put at its place, then written."""

    def __init__(self, tree: Tree, naming: Naming) -> None:
        self._tree, self._naming = tree, naming
        self._identifiers = [SELF] * len(tree.names)
        # In the order of the path table: by level, then parent, then name.
        self._order = [0]
        zeros = array("L", [0]) * len(tree.names)
        # Of each directory: where it begins, its bytes, and the sectors behind it of fields that go on.
        self._starts, self._sizes, self._behind = zeros[:], zeros[:], zeros
        for number in self._order:
            entries = self._entries(number)
            self._measure(number, entries)
            for entry in entries:
                if entry.is_directory:
                    self._identifiers[entry.number] = entry.identifier
                    self._order.append(entry.number)
        self.table_size = sum(8 + even(len(each)) for each in self._identifiers)

    def _entries(self, number: int) -> list[Entry]:
        tree = self._tree
        directories, files = tree.children[number], tree.files[number]
        names = [tree.names[each] for each in directories] + [tree.name(each) for each in files]
        kinds = [True] * len(directories) + [False] * len(files)
        numbers = [*directories, *files]
        identifiers = self._naming.identifiers(names, len(directories))
        found = [
            Entry(key, identifier, name.encode("utf-8", "surrogateescape"), kind, each)
            for (key, identifier), name, kind, each in zip(identifiers, names, kinds, numbers, strict=True)
        ]
        found.sort()
        return found

    def _measure(self, number: int, entries: list[Entry]) -> None:
        has_rock_ridge = self._naming.has_rock_ridge
        fixed = rock_ridge.FIXED if has_rock_ridge else 0
        first, behind = fixed, list[int]()
        if has_rock_ridge and not number:
            first += len(rock_ridge.START) + rock_ridge.CE
            behind.append(len(rock_ridge.EXTENSION))
        lengths = [even(bare(SELF) + first), even(bare(PARENT) + fixed)]
        for entry in entries:
            length = bare(entry.identifier)
            if has_rock_ridge:
                in_record, going_on = rock_ridge.room(entry.name, length)
                length = even(length + in_record)
                if going_on:
                    behind.append(going_on)
            lengths += [length] * self._records_of(entry)
        self._sizes[number] = packed_size(lengths)
        self._behind[number] = packed_size(behind) // SECTOR

    def _records_of(self, entry: Entry) -> int:
        """How many an entry has: a file one for each extent."""
        size = 0 if entry.is_directory else self._tree.sizes[entry.number]
        return 1 if size <= MOST_IN_EXTENT else -(-size // MOST_IN_EXTENT)

    def place(self, first: int) -> int:
        """Put the directories at sector `first` and what follows; the sector behind them."""
        for number in self._order:
            self._starts[number] = first
            first += self._sizes[number] // SECTOR + self._behind[number]
        return first

    def at(self, little_table: int, big_table: int) -> Place:
        return Place(self._starts[0], self._sizes[0], little_table, big_table, self.table_size)

    def table(self, *, big: bool) -> bytes:
        """A path table, in whole sectors."""
        form = ">BxIH" if big else "<BxIH"
        positions = {number: at for at, number in enumerate(self._order, 1)}
        found = bytearray()
        for number in self._order:
            identifier, parent = self._identifiers[number], positions[self._tree.parents[number]]
            found += struct.pack(form, len(identifier), self._starts[number], parent) + identifier
            found += bytes(len(identifier) % 2)
        return bytes(found).ljust(sectors(len(found)) * SECTOR, b"\0")

    def directories(self, starts: "array[int]", time: bytes) -> Iterator[bytes]:
        """The bytes of one directory after the other, with what is behind it. `starts` are the first sectors of the
        files, `time` is that of a record."""
        for number in self._order:
            behind = _Behind(self._starts[number] + self._sizes[number] // SECTOR)
            data = packed(self._records(number, starts, time, behind)) + behind.data()
            assert len(data) == self._sizes[number] + self._behind[number] * SECTOR
            yield data

    def _records(self, number: int, starts: "array[int]", time: bytes, behind: "_Behind") -> Iterator[bytes]:
        has_rock_ridge = self._naming.has_rock_ridge
        file_fields = rock_ridge.fixed(rock_ridge.FILE_MODE, 1, time, named=True)
        yield self._record(number, SELF, time, self._own_fields(number, time, behind))
        parent = self._tree.parents[number]
        yield self._record(parent, PARENT, time, self._fields(parent, time, b"") if has_rock_ridge else b"")
        for _, identifier, name, is_directory, child in self._entries(number):
            fields = b""
            if has_rock_ridge:
                fields = self._fields(child, time, name) if is_directory else file_fields
                fields += behind.name(name, bare(identifier))
            if is_directory:
                yield self._record(child, identifier, time, fields)
                continue
            start, left = starts[child], self._tree.sizes[child]
            while left > MOST_IN_EXTENT:
                yield record(identifier, start, MOST_IN_EXTENT, GOES_ON, time, fields)
                left -= MOST_IN_EXTENT
                start += MOST_IN_EXTENT // SECTOR
            yield record(identifier, start, left, 0, time, fields)

    def _record(self, number: int, identifier: bytes, time: bytes, fields: bytes) -> bytes:
        return record(identifier, self._starts[number], self._sizes[number], DIRECTORY, time, fields)

    def _own_fields(self, number: int, time: bytes, behind: "_Behind") -> bytes:
        """Of "."; that of the root says that there is Rock Ridge."""
        if not self._naming.has_rock_ridge:
            return b""
        fields = self._fields(number, time, b"")
        return fields if number else rock_ridge.START + fields + behind.put(rock_ridge.EXTENSION)

    def _fields(self, number: int, time: bytes, name: bytes) -> bytes:
        links = 2 + len(self._tree.children[number])
        return rock_ridge.fixed(rock_ridge.DIRECTORY_MODE, links, time, named=bool(name))


class _Behind:
    """The sectors from `first` on, for what has no room in the records of the directory before them."""

    def __init__(self, first: int) -> None:
        self._first, self._data = first, bytearray()

    def put(self, fields: bytes) -> bytes:
        """The field that leads to `fields`."""
        if len(self._data) % SECTOR + len(fields) > SECTOR:
            self._data += bytes(-len(self._data) % SECTOR)
        sector, offset = divmod(len(self._data), SECTOR)
        self._data += fields
        return rock_ridge.continuation(self._first + sector, offset, len(fields))

    def name(self, name: bytes, before: int) -> bytes:
        """The fields of a name in a record of `before` bytes."""
        fields = rock_ridge.names(name)
        return self.put(fields) if rock_ridge.room(name, before).behind else fields

    def data(self) -> bytes:
        return bytes(self._data.ljust(sectors(len(self._data)) * SECTOR, b"\0"))
