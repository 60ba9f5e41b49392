# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the sectors of an ISO image of anybody's: descriptors, directory records, Rock Ridge fields. Pure.

All functions raise ValueError, saying what is wrong, for bytes that cannot be what they should.
"""

import stat
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

SECTOR = 2048
FIRST_DESCRIPTOR = 16
_PRIMARY, _SUPPLEMENTARY, _END = 1, 2, 255
_UCS2 = (b"%/@", b"%/C", b"%/E")
_DIRECTORY, _ASSOCIATED, _GOES_ON = 2, 4, 0x80
_HEAD = 33
_RECORD = struct.Struct("<BBI4sI4s7xBBB4xB")
_BIG = struct.Struct(">I")
_MOST_CONTINUATIONS = 16


class Area(NamedTuple):
    """Bytes of an image: `start` is a sector."""

    start: int
    size: int


class Descriptor(NamedTuple):
    """Of a hierarchy; `sectors` is how large the image says it is."""

    root: Area
    sectors: int
    is_joliet: bool


def descriptor(data: bytes) -> Descriptor | None:
    """Of a sector from 16 on: None for one that describes something else, like a boot record or a partition."""
    if data[1:6] != b"CD001":
        raise ValueError("it is no ISO 9660 image")
    joliet = data[0] == _SUPPLEMENTARY and data[88:91] in _UCS2
    if data[0] != _PRIMARY and not joliet:
        return None
    if struct.unpack_from("<H", data, 128)[0] != SECTOR:
        raise ValueError(f"its blocks have not {SECTOR} bytes")
    root = next(records(data[156:190]), None)
    if root is None or not root.is_directory:
        raise ValueError("it has no root directory")
    return Descriptor(root.area, struct.unpack_from("<I", data, 80)[0], joliet)


def is_last(data: bytes) -> bool:
    return data[0] == _END


class Record(NamedTuple):
    """Of a directory: `fields` is what stands behind the identifier."""

    area: Area
    flags: int
    identifier: bytes
    fields: bytes

    @property
    def is_directory(self) -> bool:
        return bool(self.flags & _DIRECTORY)

    @property
    def is_associated(self) -> bool:
        """Belongs to the file behind it, and is none itself."""
        return bool(self.flags & _ASSOCIATED)

    @property
    def goes_on(self) -> bool:
        """The next record is of the next bytes of the same file."""
        return bool(self.flags & _GOES_ON)

    @property
    def is_relative(self) -> bool:
        """ "." or ".."."""
        return self.identifier in (b"\0", b"\1")


def records(sector: bytes) -> Iterator[Record]:
    """Of one sector of a directory (or a part of it that has one record)."""
    at = 0
    while at + _HEAD < len(sector) and sector[at]:
        length, skipped, start, big_start, size, big_size, flags, unit, gap, own = _RECORD.unpack_from(
            sector, at
        )
        end = at + _HEAD + own
        if length < _HEAD + own or not own or at + length > len(sector):
            raise ValueError("a directory is damaged")
        if _BIG.pack(start) != big_start or _BIG.pack(size) != big_size:
            raise ValueError("a directory contradicts itself")
        if unit or gap:
            raise ValueError("a file is interleaved with others")
        fields = sector[end + (own + 1) % 2 : at + length]
        yield Record(Area(start + skipped, size), flags, sector[at + _HEAD : end], fields)
        at += length


@dataclass(slots=True)
class RockRidge:
    """What its fields say of a file: `mode` is 0, and `name` empty, where they do not; `child` is the sector of the
    directory that was put somewhere else."""

    name: bytes = b""
    mode: int = 0
    child: int = 0
    is_moved: bool = False
    is_link: bool = False
    is_device: bool = False
    is_packed: bool = False

    @property
    def is_special(self) -> bool:
        """Neither a file nor a directory."""
        kind = stat.S_IFMT(self.mode)
        return self.is_link or self.is_device or (bool(kind) and kind not in (stat.S_IFREG, stat.S_IFDIR))


Elsewhere = Callable[[int, int, int], bytes]


def rock_ridge(fields: bytes, elsewhere: Elsewhere) -> RockRidge:
    """`elsewhere` gives so many bytes of a sector, from an offset in it on."""
    found = RockRidge()
    for _ in range(_MOST_CONTINUATIONS):
        more = None
        for signature, data in _fields(fields):
            if signature == b"CE":
                more = struct.unpack_from("<I4xI4xI", data.ljust(24, b"\0"))
            else:
                _take(found, signature, data)
        if more is None:
            return found
        if more[1] + more[2] > SECTOR:
            raise ValueError("fields of Rock Ridge are not within a sector")
        fields = elsewhere(*more)
    raise ValueError("fields of Rock Ridge go on without end")


def _fields(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Signature and content of each."""
    at = 0
    while at + 4 <= len(data) and data[at]:
        signature, length = data[at : at + 2], data[at + 2]
        if length < 4 or at + length > len(data):
            raise ValueError("fields of Rock Ridge are damaged")
        if signature == b"ST":
            return
        yield signature, data[at + 4 : at + length]
        at += length


def _take(found: RockRidge, signature: bytes, data: bytes) -> None:
    match signature:
        case b"NM":
            if not data or data[0] & ~1:
                raise ValueError("a name of Rock Ridge is none")
            found.name += data[1:]
        case b"PX":
            found.mode = int.from_bytes(data[:4], "little")
        case b"CL":
            found.child = int.from_bytes(data[:4], "little")
        case b"RE":
            found.is_moved = True
        case b"SL":
            found.is_link = True
        case b"PN":
            found.is_device = True
        case b"ZF" | b"SF":
            found.is_packed = True


def has_rock_ridge(own: Record, elsewhere: Elsewhere) -> int | None:
    """Of the record "." of the root: how many bytes in front of the fields of all other records are no fields; None
    where there is no Rock Ridge."""
    fields = own.fields
    if len(fields) < 7 or fields[:2] != b"SP" or fields[4:6] != b"\xbe\xef":
        return None
    return fields[6] if rock_ridge(fields, elsewhere).mode else None


def plain_name(identifier: bytes, *, is_joliet: bool) -> str:
    """An identifier without its version."""
    name = identifier.decode("utf-16-be" if is_joliet else "latin-1")
    stem, semicolon, version = name.rpartition(";")
    return stem.removesuffix(".") if semicolon and version.isdecimal() else name
