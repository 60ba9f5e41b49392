# SPDX-License-Identifier: GPL-3.0-or-later
"""Media as tar archives in gzip, as quick as a plain archive where its content is packages.

What is compressed already (packages, compressed metadata: told by the first bytes of an object) is not compressed
again, only framed: stored blocks of deflate, and a CRC. The rest is compressed with ISA-L. An archive is a row of
gzip members, each a run of objects of one kind, and of blocks that several threads make at once; gzip, tar, bsdtar
and everybody's libraries read that as one. Bytes depend on the content (and the version of ISA-L) alone.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from isal import isal_zlib

from orchestrator.content.exports.manifest import Piece
from orchestrator.content.exports.media import Chunk, Sink
from orchestrator.content.exports.objects import BLOCK, Packing, Stretch, write_parts
from orchestrator.content.exports.tar import UNIT, archive, archive_size

_LEVEL = 1
_RAW = -15
# No name, no time, no system: nothing that differs from run to run.
_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_TAIL = struct.Struct("<II")
_STORED = struct.Struct("<BHH")
_MOST_STORED = 65535
# Of a member, with the stored block that it may have more than the archive's length needs.
_FRAME = len(_HEAD) + _TAIL.size + _STORED.size
# What fills up one object, and the header of the next.
_LONGEST_HEADERS = 2 * UNIT
# For a block in which every object is of another kind than the one before it.
_ROOM = BLOCK + BLOCK // UNIT * _FRAME + BLOCK // _MOST_STORED * _STORED.size + 4 * _FRAME
_PACKED = (
    b"!<arch>\n",  # deb
    b"\xed\xab\xee\xdb",  # rpm
    b"\xfd7zXZ\0",
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",  # zstd
    b"BZh",
    b"LZIP",
    b"\x5d\0\0",  # lzma
    b"\x04\x22\x4d\x18",  # lz4
    b"PK\x03\x04",
    b"7z\xbc\xaf\x27\x1c",
    b"hsqs",  # squashfs
    b"\x89PNG",
    b"\xff\xd8\xff",  # jpeg
)


class TgzWriter:
    """See `MediumWriter`. The size is what it would be if nothing could be compressed."""

    @property
    def suffix(self) -> str:
        return ".tgz"

    def size(self, front: Sequence[tuple[str, int]], pieces: Sequence[Piece]) -> int:
        plain = archive_size(front, pieces)
        # Two blocks in a row are more than one block full. In each a run may begin and another end.
        blocks = 2 * plain // BLOCK + 1
        runs = len(front) + len(pieces) + 3 * blocks
        return plain + plain // _MOST_STORED * _STORED.size + runs * _FRAME

    def write(
        self, chunk: Chunk, sink: Sink, place: Callable[[str], Path], tell: Callable[[int], None]
    ) -> None:
        write_parts(archive(chunk), sink, place, tell, Packing(_pack, _ROOM))


def _pack(plain: memoryview, stretches: Sequence[Stretch], room: memoryview) -> int:
    """A block of an archive as gzip members."""
    size = 0
    for begin, end, is_packed in _runs(len(plain), stretches):
        size += _write_member(room[size:], plain[begin:end], store=is_packed)
    return size


def _runs(length: int, stretches: Sequence[Stretch]) -> Iterator[tuple[int, int, bool]]:
    """What of a block is of one kind: begin, end, whether it is compressed already."""
    begin, last, kind = 0, 0, False
    for end, is_packed in _kinds(length, stretches):
        if is_packed != kind and last > begin:
            yield begin, last, kind
            begin = last
        last, kind = end, is_packed
    if last > begin:
        yield begin, last, kind


def _kinds(length: int, stretches: Sequence[Stretch]) -> Iterator[tuple[int, bool]]:
    """Where an object, with the header before it, ends, and its kind. Where more than headers is between objects,
    it is small files, or zeros at the end: for themselves."""
    end, kind = 0, False
    for at, size, beginning in stretches:
        if not size:
            continue
        if at - end > _LONGEST_HEADERS:
            yield at, False
        end, kind = at + size, beginning.startswith(_PACKED)
        yield end, kind
    yield length, kind and length - end <= _LONGEST_HEADERS


def _write_member(room: memoryview, plain: memoryview, *, store: bool) -> int:
    """How many bytes it took: with the frame, never more than as stored blocks."""
    room[: len(_HEAD)] = _HEAD
    size = len(_HEAD)
    compressed = b"" if store else isal_zlib.compress(plain, _LEVEL, _RAW)
    if store or len(compressed) > _stored_size(len(plain)):
        size += _write_stored(room[size:], plain)
    else:
        room[size : size + len(compressed)] = compressed
        size += len(compressed)
    _TAIL.pack_into(room, size, isal_zlib.crc32(plain), len(plain))
    return size + _TAIL.size


def _stored_size(length: int) -> int:
    return length + -(-length // _MOST_STORED) * _STORED.size


def _write_stored(room: memoryview, plain: memoryview) -> int:
    size = 0
    for begin in range(0, len(plain), _MOST_STORED):
        some = plain[begin : begin + _MOST_STORED]
        last = begin + len(some) == len(plain)
        _STORED.pack_into(room, size, last, len(some), len(some) ^ _MOST_STORED)
        size += _STORED.size
        room[size : size + len(some)] = some
        size += len(some)
    return size
