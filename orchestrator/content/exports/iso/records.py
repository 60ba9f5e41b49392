# SPDX-License-Identifier: GPL-3.0-or-later
"""Directory records, and how they are put into sectors. Pure."""

import struct
from collections.abc import Iterable

from orchestrator.content.exports.iso.fields import SECTOR

SELF, PARENT = b"\0", b"\1"
DIRECTORY, GOES_ON = 2, 0x80
_HEAD = 33
# Length, no extended attributes, start and size in both orders, time, flags, no interleaving, volume 1 in both orders,
# length of the identifier.
_RECORD = struct.Struct("<BxI4sI4s7sBxxIB")
_BIG = struct.Struct(">I")
_VOLUME_1 = 0x01000001


def even(length: int) -> int:
    return length + length % 2


def bare(identifier: bytes) -> int:
    """The length of a record without fields behind it."""
    return even(_HEAD + len(identifier))


def record(identifier: bytes, start: int, size: int, flags: int, time: bytes, fields: bytes = b"") -> bytes:
    own, more = len(identifier), len(fields)
    head = _RECORD.pack(
        even(_HEAD + own) + even(more),
        start,
        _BIG.pack(start),
        size,
        _BIG.pack(size),
        time,
        flags,
        _VOLUME_1,
        own,
    )
    # Behind an identifier of even length there is a byte of nothing, as the 33 before it are odd.
    return b"".join((head, identifier, b"" if own % 2 else b"\0", fields, b"\0" if more % 2 else b""))


def packed_size(lengths: Iterable[int]) -> int:
    """The bytes of whole sectors that records of these lengths take up: none is across the end of one."""
    full, at = 0, 0
    for length in lengths:
        at += length
        if at > SECTOR:
            full += SECTOR
            at = length
    return full + (SECTOR if at else 0)


def packed(records: Iterable[bytes]) -> bytes:
    """The records in whole sectors."""
    found, at = bytearray(), 0
    for each in records:
        at += len(each)
        if at > SECTOR:
            found += bytes(-len(found) % SECTOR)
            at = len(each)
        found += each
    return bytes(found + bytes(-len(found) % SECTOR))
