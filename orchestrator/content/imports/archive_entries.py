# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a tar archive, one after the other, of a stream that may be anybody's.

Read are the forms of POSIX (ustar, pax) and GNU tar, and those before them, as far as files need: long names, large
sizes. Directories are passed over. Whatever else there is, links, devices, sparse files, paths that lead out of the
archive, is refused where it stands.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.content.imports.streams import ByteStream, read_fully
from orchestrator.content.model import safe_path
from orchestrator.errors import BadContent

_UNIT = 512
_END = bytes(_UNIT)
# What stands in a header before and after its check sum.
_SUM = slice(148, 156)
_OCTAL = re.compile(rb"[ \0]*([0-7]*)[ \0]*")
_USTAR = b"ustar\00000"
_OUR_OWNER = b"0000644\0" + 2 * b"0000000\0"
_FILES, _DIRECTORY = (b"0", b"\0", b"7"), b"5"
_KINDS = {
    b"1": "a link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a pipe",
    b"S": "sparse",
}
# More than any path needs.
_LONGEST_EXTENSION = 1 << 20
_LARGEST = 1 << 62


class _Damaged(Exception):
    """What is wrong with an archive, without its name."""


@dataclass(slots=True)
class Entry:
    """A file. `is_ours`: its header is as we write it."""

    path: str
    size: int
    is_ours: bool
    _stream: ByteStream
    _left: int
    _name: str

    def read(self, most: int) -> bytes:
        """Its next bytes, empty at the end. Raises BadContent when the archive is cut off."""
        if self._left <= 0 or most <= 0:
            return b""
        data = self._stream.read(min(most, self._left))
        if not data:
            raise BadContent(f"{self._name} is cut off in the middle of {self.path}")
        self._left -= len(data)
        return data

    def pass_over(self) -> bool:
        """What is left of it, and what fills up its last unit. False when the archive ends before."""
        left, self._left = self._left, 0
        return self._stream.skip(left + -self.size % _UNIT)


@dataclass(slots=True)
class _Extended:
    """What a header before the header said of a file."""

    path: bytes | None = None
    size: int | None = None


def entries(stream: ByteStream, name: str) -> Iterator[Entry]:
    """Each file of the archive `name`. Raises BadContent, naming it, and what the stream raises."""
    try:
        yield from _entries(stream, name)
    except _Damaged as error:
        raise BadContent(f"{name} is no medium, or damaged: {error}") from None


def _entries(stream: ByteStream, name: str) -> Iterator[Entry]:
    extended, found = _Extended(), False
    while (header := _next_header(stream)) is not None:
        found, kind, size = True, header[156:157], _number(header[124:136])
        if kind in (b"x", b"g", b"L", b"K"):
            _extend(extended, kind, _extension(stream, size))
            continue
        raw = extended.path if extended.path is not None else _path(header)
        size = extended.size if extended.size is not None else size
        extended = _Extended()
        if kind == _DIRECTORY or (kind in _FILES and raw.endswith(b"/")):
            _check_directory(raw)
            continue
        path = _checked(raw)
        if kind not in _FILES:
            raise _Damaged(f"{path} is {_KINDS.get(kind, f'of the unknown kind {kind!r}')}, not a file")
        left = stream.left()
        if left is not None and size > left:
            raise _Damaged(f"{path} ends behind the end: it is cut off")
        is_ours = raw == path.encode() and header[100:124] == _OUR_OWNER and header[257:265] == _USTAR
        entry = Entry(path, size, is_ours, stream, size, name)
        yield entry
        if not entry.pass_over():
            raise _Damaged(f"it is cut off in the middle of {path}")
    if not found:
        raise _Damaged("it is empty")


def _next_header(stream: ByteStream) -> bytes | None:
    """None at the end, which is a unit of zeros."""
    header = read_fully(stream, _UNIT)
    if header == _END:
        return None
    if len(header) < _UNIT:
        raise _Damaged("it is cut off")
    said = _number(header[_SUM])
    rest = header[: _SUM.start] + 8 * b" " + header[_SUM.stop :]
    if said != sum(rest) and said != sum(byte - 256 if byte > 127 else byte for byte in rest):
        raise _Damaged("the header of a file is none")
    return header


def _number(data: bytes) -> int:
    if data[0] == 0x80:
        value = int.from_bytes(data[1:], "big")
    else:
        found = _OCTAL.fullmatch(data)
        if not found:
            raise _Damaged("a number in the header of a file is none")
        value = int(found[1] or b"0", 8)
    if value >= _LARGEST:
        raise _Damaged(f"a file of {value} bytes is in it")
    return value


def _path(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _checked(raw: bytes) -> str:
    try:
        return safe_path(raw.decode())
    except ValueError as error:
        raise _Damaged(f"a file has no name that a medium has: {error}") from None


def _check_directory(raw: bytes) -> None:
    if raw.rstrip(b"/") != b".":
        _checked(raw)


def _extension(stream: ByteStream, size: int) -> bytes:
    if size > _LONGEST_EXTENSION:
        raise _Damaged(f"the name of a file has {size} bytes")
    data = read_fully(stream, size + -size % _UNIT)
    if len(data) < size:
        raise _Damaged("it is cut off")
    return data[:size]


def _extend(extended: _Extended, kind: bytes, data: bytes) -> None:
    if kind == b"L":
        extended.path = data.partition(b"\0")[0]
    elif kind != b"K":
        _extend_by_records(extended, data, for_all=kind == b"g")


def _extend_by_records(extended: _Extended, data: bytes, *, for_all: bool) -> None:
    for key, value in _records(data):
        if key.startswith(b"GNU.sparse."):
            raise _Damaged("a file is sparse (made without --no-read-sparse, or with -S)")
        if key in (b"path", b"size") and for_all:
            raise _Damaged("all files have one name or size")
        if key == b"path":
            extended.path = value
        elif key == b"size":
            if not re.fullmatch(rb"[0-9]{1,18}", value):
                raise _Damaged("the size of a file is none")
            extended.size = int(value)


def _records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Of a pax header: `length key=value\\n`, one after the other."""
    while data:
        length, space, _ = data[:20].partition(b" ")
        if not space or not re.fullmatch(rb"[0-9]{1,18}", length):
            raise _Damaged("an extended header is none")
        record, data = data[: int(length)], data[int(length) :]
        key, equals, value = record[len(length) + 1 : -1].partition(b"=")
        if not equals or len(record) != int(length) or not record.endswith(b"\n"):
            raise _Damaged("an extended header is none")
        yield key, value
