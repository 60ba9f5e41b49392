# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers and times of ECMA-119, and the volume descriptors that are made of them. Pure."""

import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from orchestrator.content.exports.iso.naming import joliet_volume_id, volume_id

SECTOR = 2048
_PROGRAM = "ORCHESTRATOR"
_PRIMARY, _JOLIET, _END = 1, 2, 255
_LEVEL_3 = b"%/E"
_NO_TIME = b"0" * 16 + b"\0"
# What the one byte of a year in a directory record can say.
_EARLIEST = int(datetime(1900, 1, 1, tzinfo=UTC).timestamp())
_LATEST = int(datetime(2155, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())


def both16(number: int) -> bytes:
    """In both byte orders, 4 bytes."""
    return struct.pack("<H", number) + struct.pack(">H", number)


def both32(number: int) -> bytes:
    """In both byte orders, 8 bytes."""
    return struct.pack("<I", number) + struct.pack(">I", number)


def sectors(size: int) -> int:
    """How many `size` bytes take up."""
    return -(-size // SECTOR)


def record_time(when: int) -> bytes:
    """The 7 bytes of a directory record and of Rock Ridge, in UTC."""
    moment = _moment(when)
    return bytes((moment.year - 1900, moment.month, moment.day, moment.hour, moment.minute, moment.second, 0))


def _descriptor_time(when: int) -> bytes:
    return _moment(when).strftime("%Y%m%d%H%M%S00").encode() + b"\0"


def _moment(when: int) -> datetime:
    return datetime.fromtimestamp(min(max(when, _EARLIEST), _LATEST), UTC)


class Place(NamedTuple):
    """Of one of the two trees: where its root is and how many bytes that has, the same of its path tables."""

    root: int
    root_size: int
    little_table: int
    big_table: int
    table_size: int


def descriptors(label: str, when: int, space: int, primary: Place, joliet: Place) -> bytes:
    """The three sectors from 16 on; `space` is the number of sectors of the image."""
    return (
        _descriptor(_PRIMARY, volume_id(label), _ascii, when, space, primary)
        + _descriptor(_JOLIET, joliet_volume_id(label), _ucs2, when, space, joliet)
        + (bytes([_END]) + b"CD001\1").ljust(SECTOR, b"\0")
    )


def _ascii(text: str, size: int) -> bytes:
    return text.ljust(size).encode()


def _ucs2(text: str, size: int) -> bytes:
    # Of a field of odd length the last byte belongs to no character.
    return text.ljust(size // 2).encode("utf-16-be").ljust(size, b"\0")


def _descriptor(
    kind: int, label: bytes, text: Callable[[str, int], bytes], when: int, space: int, place: Place
) -> bytes:
    root = b"".join(
        (
            bytes((34, 0)),
            both32(place.root),
            both32(place.root_size),
            record_time(when),
            b"\2\0\0",
            both16(1),
            b"\1\0",
        )
    )
    made = _descriptor_time(when)
    return b"".join(
        (
            bytes([kind]) + b"CD001\1\0",
            text("", 32),
            label,
            bytes(8),
            both32(space),
            (_LEVEL_3 if kind == _JOLIET else b"").ljust(32, b"\0"),
            both16(1),  # volumes of the set
            both16(1),  # which of them
            both16(SECTOR),
            both32(place.table_size),
            struct.pack("<II", place.little_table, 0),
            struct.pack(">II", place.big_table, 0),
            root,
            text("", 128),  # volume set
            text("", 128),  # publisher
            text(_PROGRAM, 128),  # preparer
            text(_PROGRAM, 128),  # application
            text("", 37),  # copyright, abstract, bibliography
            text("", 37),
            text("", 37),
            made,
            made,
            _NO_TIME,
            _NO_TIME,
            b"\1",
        )
    ).ljust(SECTOR, b"\0")
