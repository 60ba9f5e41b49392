# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of an archive, from its beginning on: of a file, of a pipe, and what either has packed with gzip.

A file is passed over where nobody wants it; of the others everything is read, some 100 KiB at a time, and no more is
ever unpacked than was asked for.
"""

import os
from typing import Protocol

from isal import igzip_lib

from orchestrator.errors import BadContent

_PIECE = 256 << 10
_LEAST = 4 << 10
_GZIP = b"\x1f\x8b"
_DAMAGED: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment] # its stub says it is an instance


class ByteStream(Protocol):
    def read(self, most: int) -> bytes:
        """The next bytes, at least one, at most `most`; empty at the end. Raises OSError, and BadContent when they
        cannot be unpacked."""

    def skip(self, count: int) -> bool:
        """Pass over so many; False when there are less."""

    def left(self) -> int | None:
        """How many bytes there still are, where that is known."""

    def close(self) -> None: ...


def read_fully(stream: ByteStream, count: int) -> bytes:
    """The next `count` bytes, or what there is of them."""
    data = stream.read(count)
    while 0 < len(data) < count and (more := stream.read(count - len(data))):
        data += more
    return data


def read_past(stream: ByteStream, count: int) -> bool:
    """`ByteStream.skip` for those that cannot but read."""
    while count > 0:
        data = stream.read(min(count, _PIECE))
        if not data:
            return False
        count -= len(data)
    return True


class FileStream:
    """A file that has places. `descriptor` is closed with it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = os.lseek(descriptor, 0, os.SEEK_END)
        self._at = 0
        # What was read ahead, and from where; the more, the longer nothing was passed over.
        self._ahead, self._begin, self._step = b"", 0, _LEAST

    def read(self, most: int) -> bytes:
        inside = self._at - self._begin
        if not 0 <= inside < len(self._ahead):
            if most >= _PIECE:
                data = os.pread(self._descriptor, most, self._at)
                self._at += len(data)
                return data
            self._step = min(2 * self._step, _PIECE) if inside == len(self._ahead) else _LEAST
            self._ahead = os.pread(self._descriptor, max(most, self._step), self._at)
            self._begin, inside = self._at, 0
        data = self._ahead[inside : inside + most]
        self._at += len(data)
        return data

    def skip(self, count: int) -> bool:
        self._at += count
        return self._at <= self._size

    def left(self) -> int | None:
        return self._size - self._at

    def close(self) -> None:
        os.close(self._descriptor)


class PipeStream:
    """What comes from a pipe. `begun` was read from it before. The descriptor is not closed."""

    def __init__(self, descriptor: int, begun: bytes = b"") -> None:
        self._descriptor, self._begun = descriptor, begun

    def read(self, most: int) -> bytes:
        if self._begun:
            data, self._begun = self._begun[:most], self._begun[most:]
            return data
        return os.read(self._descriptor, min(most, _PIECE))

    def skip(self, count: int) -> bool:
        return read_past(self, count)

    def left(self) -> int | None:
        return None

    def close(self) -> None:
        pass


class GzipStream:
    """What `packed`, called `name`, holds: the members of a gzip file, one after the other. What stands behind the
    last and is none does not count."""

    def __init__(self, packed: ByteStream, name: str) -> None:
        self._packed, self._name = packed, name
        self._member = _member()
        self._begun = self._ended = False
        self._ahead, self._at = b"", 0

    def read(self, most: int) -> bytes:
        if self._at == len(self._ahead):
            self._ahead, self._at = self._unpack(), 0
        data = self._ahead[self._at : self._at + most]
        self._at += len(data)
        return data

    def _unpack(self) -> bytes:
        try:
            while not self._ended:
                data = self._next()
                if data:
                    return data
        except _DAMAGED as error:
            raise BadContent(f"{self._name} is damaged: it cannot be unpacked ({error})") from None
        return b""

    def _next(self) -> bytes:
        """The next bytes, if some are at hand."""
        member = self._member
        if member.eof:
            rest = self._at_least(2, member.unused_data)
            self._ended = not rest.startswith(_GZIP)
            self._member, self._begun = _member(), not self._ended
            return b"" if self._ended else self._member.decompress(rest, _PIECE)
        if not member.needs_input:
            return member.decompress(b"", _PIECE)
        packed = self._packed.read(_PIECE)
        if not packed:
            raise BadContent(f"{self._name} is cut off")
        return member.decompress(packed, _PIECE)

    def _at_least(self, count: int, data: bytes) -> bytes:
        return data if len(data) >= count else data + read_fully(self._packed, _PIECE)

    def skip(self, count: int) -> bool:
        return read_past(self, count)

    def left(self) -> int | None:
        return None

    def close(self) -> None:
        self._packed.close()


def _member() -> igzip_lib.IgzipDecompressor:
    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
