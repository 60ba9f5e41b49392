# SPDX-License-Identifier: GPL-3.0-or-later
"""Compressed metadata: by the name's suffix, and never more output than allowed (bombs)."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Literal, Protocol

from orchestrator.errors import BadContent

SUFFIXES = (".xz", ".zst", ".gz", ".bz2", ".lzma")
_PIECE = 4096
_BITE, _LARGE = 1 << 16, 1 << 20


def plain_name(name: str) -> str:
    """`name` without the suffix of its compression."""
    for suffix in SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def decompress(data: bytes, name: str, limit: int) -> bytes:
    """What `data` holds, by the suffix of `name` (none: `data` itself).

    Raises BadContent, naming `name`, when it is damaged, truncated, or more than `limit` bytes.
    """
    try:
        plain = _plain(data, name, limit)
    except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error) as error:
        raise BadContent(f"{name} cannot be decompressed: {error}") from None
    if len(plain) > limit:
        raise BadContent(f"{name} is larger than it may be ({limit} bytes) when it is decompressed")
    return plain


def _plain(data: bytes, name: str, limit: int) -> bytes:
    if name.endswith(".gz"):
        return _gzip(data, limit)
    if name.endswith(".bz2"):
        return _stream(data, bz2.BZ2Decompressor, limit)
    if name.endswith((".xz", ".lzma")):
        return _stream(data, lzma.LZMADecompressor, limit)
    if name.endswith(".zst"):
        return _zstd(data, limit)
    return data


class _Reader(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def _gzip(data: bytes, limit: int) -> bytes:
    from isal import isal_zlib

    damaged: type[Exception] = isal_zlib.error  # type: ignore[assignment] # its stub says it is an instance
    try:
        return _stream(data, lambda: isal_zlib.decompressobj(wbits=31), limit)
    except damaged as error:
        raise ValueError(str(error)) from None


def _stream(data: bytes, make: Callable[[], _Reader], limit: int) -> bytes:
    """All members of `data`, one after the other, up to one byte more than `limit`."""
    pieces: list[bytes] = []
    size, rest = 0, data
    while rest and size <= limit:
        reader = make()
        piece = reader.decompress(rest, limit + 1 - size)
        size += len(piece)
        pieces.append(piece)
        if not reader.eof:
            if size > limit:
                break
            raise EOFError("it ends in the middle")
        rest = reader.unused_data.lstrip(b"\0")
    return b"".join(pieces)


def _zstd(data: bytes, limit: int) -> bytes:
    """In small pieces: no more than 128 KiB come of four bytes, so a bomb is noticed soon."""
    import zstandard

    pieces: list[bytes] = []
    size, position = 0, 0
    try:
        while position < len(data) and size <= limit:
            reader = zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()
            while not reader.eof and position < len(data) and size <= limit:
                piece = reader.decompress(data[position : position + _PIECE])
                position += _PIECE
                size += len(piece)
                pieces.append(piece)
            position = min(position, len(data)) - len(reader.unused_data)
            if not reader.eof and size <= limit:
                raise EOFError("it ends in the middle")
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
    return b"".join(pieces)


def pieces(data: bytes, name: str, limit: int) -> Iterator[bytes]:
    """What `decompress` gives, in pieces of about a megabyte: of large indexes no more than one is held.

    Raises BadContent as `decompress` does, at the latest after the last piece.
    """
    size = 0
    try:
        for piece in _in_pieces(data, name):
            size += len(piece)
            if size > limit:
                raise BadContent(f"{name} is larger than it may be ({limit} bytes) when it is decompressed")
            yield piece
    except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error) as error:
        raise BadContent(f"{name} cannot be decompressed: {error}") from None


def _in_pieces(data: bytes, name: str) -> Iterator[bytes]:
    if name.endswith(".gz"):
        yield from _gzip_pieces(data)
    elif name.endswith(".bz2"):
        yield from _pieces_of_members(data, bz2.BZ2Decompressor)
    elif name.endswith((".xz", ".lzma")):
        yield from _pieces_of_members(data, lzma.LZMADecompressor)
    elif name.endswith(".zst"):
        yield from _zstd_pieces(data)
    else:
        yield from (data[start : start + _LARGE] for start in range(0, len(data), _LARGE))


class _BoundedReader(_Reader, Protocol):
    @property
    def needs_input(self) -> bool: ...


def _pieces_of_members(data: bytes, make: Callable[[], _BoundedReader]) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        reader = make()
        while not reader.eof:
            given = b""
            if reader.needs_input:
                given = data[position : position + _LARGE]
                position += len(given)
                if not given:
                    raise EOFError("it ends in the middle")
            yield reader.decompress(given, _LARGE)
        position -= len(reader.unused_data)
        position = _after_padding(data, position)


def _gzip_pieces(data: bytes) -> Iterator[bytes]:
    """Deflate makes at most a thousand bytes of one: a small bite bounds the piece."""
    from isal import isal_zlib

    damaged: type[Exception] = isal_zlib.error  # type: ignore[assignment] # its stub says it is an instance
    position = 0
    try:
        while position < len(data):
            reader = isal_zlib.decompressobj(wbits=31)
            while not reader.eof:
                bite = data[position : position + _BITE]
                if not bite:
                    raise EOFError("it ends in the middle")
                position += len(bite)
                yield reader.decompress(bite)
            position = _after_padding(data, position - len(reader.unused_data))
    except damaged as error:
        raise ValueError(str(error)) from None


def _after_padding(data: bytes, position: int) -> int:
    """Behind the zero bytes that may follow a member."""
    while data[position : position + 1] == b"\0":
        position += 1
    return position


def _zstd_pieces(data: bytes) -> Iterator[bytes]:
    import zstandard

    position = 0
    try:
        while position < len(data):
            reader = zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()
            while not reader.eof:
                bite = data[position : position + _PIECE]
                if not bite:
                    raise EOFError("it ends in the middle")
                position += len(bite)
                yield reader.decompress(bite)
            position -= len(reader.unused_data)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None


def compress(data: bytes, kind: Literal["xz", "gz", "zst"]) -> bytes:
    """The same bytes for the same input, on every run."""
    if kind == "gz":
        from isal import igzip

        return bytes(igzip.compress(data, 3, mtime=0))
    if kind == "zst":
        import zstandard

        return zstandard.ZstdCompressor(level=9, write_checksum=True).compress(data)
    return lzma.compress(data, preset=1)
