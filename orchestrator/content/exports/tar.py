# SPDX-License-Identifier: GPL-3.0-or-later
"""Media as tar archives of the POSIX form (ustar), which everybody's tar reads, written in one pass.

Sizes over 8 GiB are in the form in which GNU tar and bsdtar write them too. Owner, mode and time of all files are
the same, and so the bytes of an archive depend on what is in it alone.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from orchestrator.content.exports.manifest import Piece
from orchestrator.content.exports.media import Chunk, Sink
from orchestrator.content.exports.objects import Part, write_parts

UNIT, _RECORD = 512, 10240
_ZEROS = bytes(_RECORD)
_LONGEST_NAME = 100
_LARGEST_OCTAL = 8**11
# Mode, uid, gid; then size and time; then the check sum as it is counted, and the rest.
_OWNER = b"0000644\0" + 2 * b"0000000\0"
_SPACES = 8 * b" "
_REST = b"0" + bytes(100) + b"ustar\00000" + b"root".ljust(32, b"\0") * 2 + 2 * b"0000000\0" + bytes(167)
_CONSTANT = sum(_OWNER) + sum(_SPACES) + sum(_REST)


class TarWriter:
    """See `MediumWriter`; the size is exact."""

    @property
    def suffix(self) -> str:
        return ".tar"

    def size(self, front: Sequence[tuple[str, int]], pieces: Sequence[Piece]) -> int:
        return archive_size(front, pieces)

    def write(
        self, chunk: Chunk, sink: Sink, place: Callable[[str], Path], tell: Callable[[int], None]
    ) -> None:
        write_parts(archive(chunk), sink, place, tell)


def archive_size(front: Sequence[tuple[str, int]], pieces: Sequence[Piece]) -> int:
    """Of the archive of these files, in bytes."""
    size = sum(2 * UNIT - 1 + length & -UNIT for _, length in front)
    size += sum(2 * UNIT - 1 + piece.length & -UNIT for piece in pieces)
    return -(-(size + 2 * UNIT) // _RECORD) * _RECORD


def archive(chunk: Chunk) -> Iterator[Part]:
    """The parts of the archive: what fills up the last unit of one file stands before the next."""
    behind, size = b"", 0
    for path, data in chunk.front:
        head = behind + header(path, len(data), chunk.when) + data
        yield Part(head)
        size += len(head)
        behind = _filling(len(data))
    for piece in chunk.pieces:
        head = behind + header(piece.place, piece.length, chunk.when)
        yield Part(head, piece)
        size += len(head) + piece.length
        behind = _filling(piece.length)
    end = behind + 2 * _ZEROS[:UNIT]
    yield Part(end + _ZEROS[: -(size + len(end)) % _RECORD])


def header(path: str, size: int, when: int) -> bytes:
    """The header of a regular file. Raises ValueError for a path of more than 100 bytes: a medium has none."""
    name = path.encode()
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"{path} is too long for the header of an archive")
    middle = _OWNER + _number(size) + _number(when)
    total = sum(name) + sum(middle) - sum(_OWNER) + _CONSTANT
    return b"%s%s%06o\0 %s" % (name.ljust(_LONGEST_NAME, b"\0"), middle, total, _REST)


def _number(value: int) -> bytes:
    if value < _LARGEST_OCTAL:
        return b"%011o\0" % value
    return b"\x80" + value.to_bytes(11, "big")


def _filling(size: int) -> bytes:
    return _ZEROS[: -size % UNIT]
