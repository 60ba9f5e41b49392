# SPDX-License-Identifier: GPL-3.0-or-later
"""Rock Ridge: the fields behind a directory record that say what POSIX wants to know. Pure.

RRIP 1.10 ("RRIP_1991A"), which every reader knows: SP and ER once in the root, and RR, PX, TF and NM of every file.
What has no room in a record goes into a continuation area, to which CE leads.
"""

from typing import NamedTuple

from orchestrator.content.exports.iso.fields import both32

# A record's length is an even number in one byte.
MOST_IN_RECORD = 254
_MOST_OF_NAME = 250
_ID = b"RRIP_1991A"
_DESCRIPTION = b"THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS"
_SOURCE = (
    b"PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  "
    b"SEE PUBLISHER IDENTIFIER IN PRIMARY VOLUME DESCRIPTOR FOR CONTACT INFORMATION."
)
_HAS_PX, _HAS_NM, _HAS_TF = 1, 8, 128
_MODIFIED_READ_CHANGED = 0x0E
CE, FIXED, _NM = 28, 5 + 36 + 26, 5
FILE_MODE, DIRECTORY_MODE = 0o100644, 0o040755

START = b"SP\x07\x01\xbe\xef\0"
EXTENSION = (
    b"ER"
    + bytes(
        (8 + len(_ID) + len(_DESCRIPTION) + len(_SOURCE), 1, len(_ID), len(_DESCRIPTION), len(_SOURCE), 1)
    )
    + _ID
    + _DESCRIPTION
    + _SOURCE
)


class Room(NamedTuple):
    """Bytes of all fields in a record, and of those of the name that have no room there and stand elsewhere."""

    record: int
    behind: int


def room(name: bytes, before: int) -> Room:
    """Of a file or directory called `name`, whose record has `before` bytes without fields."""
    size = FIXED + _NM + len(name)
    if before + size <= MOST_IN_RECORD:
        return Room(size, 0)
    return Room(FIXED + CE, len(names(name)))


def fixed(mode: int, links: int, time: bytes, *, named: bool) -> bytes:
    """RR, PX and TF; `time` is that of a directory record."""
    has = _HAS_PX | _HAS_TF | (_HAS_NM if named else 0)
    return b"".join(
        (
            b"RR\x05\x01",
            bytes([has]),
            b"PX\x24\x01",
            both32(mode),
            both32(links),
            bytes(16),  # root's
            b"TF\x1a\x01",
            bytes([_MODIFIED_READ_CHANGED]),
            time * 3,
        )
    )


def names(name: bytes) -> bytes:
    """NM fields of a name of any length: all but the last say that it goes on."""
    if len(name) <= _MOST_OF_NAME:
        return b"NM" + bytes((_NM + len(name), 1, 0)) + name
    parts = [name[start : start + _MOST_OF_NAME] for start in range(0, len(name), _MOST_OF_NAME)]
    return b"".join(
        b"NM" + bytes((_NM + len(part), 1, int(number < len(parts)))) + part
        for number, part in enumerate(parts, 1)
    )


def continuation(sector: int, offset: int, length: int) -> bytes:
    """CE: where the fields go on."""
    return b"CE\x1c\x01" + both32(sector) + both32(offset) + both32(length)
