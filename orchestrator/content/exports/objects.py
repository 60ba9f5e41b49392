# SPDX-License-Identifier: GPL-3.0-or-later
"""One pass over objects: from the pool to a medium, read once, hashed as they pass, written in order.

What a medium holds is a sequence of parts: some bytes of its format, then an object. Parts are laid into blocks of
some MiB. Threads fill blocks, each a different one: they read the objects into it and hash them where they lie,
which both happen outside of Python's lock; the caller's thread writes the blocks one after the other. So the
disk's work and that of all cores overlap, and the room needed is that of a few blocks, used again and again.

Where one block ends and the next begins depends on the sizes of the parts alone. A part that fits into a block is
in one; of an object that is larger, each block has a piece, hashed when the one before it is through.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from orchestrator.content.exports.manifest import Piece
from orchestrator.content.exports.media import Sink
from orchestrator.errors import BadContent

# Small enough that what was read is still near the core when it is hashed, and large enough to be one write.
BLOCK = 2 << 20
_MOST_THREADS = 8
# Of an object, for those who want to know of what kind it is.
BEGINNING = 16


class Part(NamedTuple):
    """Bytes of the medium's format, and the object that stands behind them."""

    head: bytes
    piece: Piece | None = None


class Stretch(NamedTuple):
    """The bytes of an object in a block, and (for those who pack blocks) with which the object begins."""

    at: int
    length: int
    beginning: bytes


class Packing(NamedTuple):
    """What turns a block into what is written instead of it: given the block, the objects in it and `room` bytes, it
    says how many of these it used. It is called in several threads."""

    pack: Callable[[memoryview, Sequence[Stretch], memoryview], int]
    room: int


class _Span(NamedTuple):
    """`length` bytes of a piece, from its `offset` on, which belong `at` a place in a block. `digest` is that of an
    object in several blocks, as far as it has come."""

    at: int
    piece: Piece
    offset: int
    length: int
    digest: "hashlib._Hash | None"


@dataclass(slots=True)
class _Block:
    length: int = 0
    of_objects: int = 0  # bytes
    heads: list[tuple[int, bytes]] = field(default_factory=list)
    spans: list[_Span] = field(default_factory=list)

    @property
    def room(self) -> int:
        return BLOCK - self.length

    @property
    def goes_on(self) -> bool:
        """Whether it begins within an object."""
        return bool(self.spans) and self.spans[0].offset > 0

    def add_head(self, some: bytes) -> None:
        self.heads.append((self.length, some))
        self.length += len(some)

    def add_span(self, piece: Piece, offset: int, length: int, digest: "hashlib._Hash | None") -> None:
        self.spans.append(_Span(self.length, piece, offset, length, digest))
        self.length += length
        self.of_objects += length


def write_parts(
    parts: Iterable[Part],
    sink: Sink,
    place: Callable[[str], Path],
    tell: Callable[[int], None],
    packing: Packing | None = None,
) -> None:
    """Write `parts` to `sink`; `place` and `tell` are those of `MediumWriter.write`, and so is what is raised."""
    threads = max(2, min(_MOST_THREADS, len(os.sched_getaffinity(0))))
    free = [_Room(packing) for _ in range(threads + 2)]
    waiting: deque[tuple[_Block, _Room, Future[memoryview]]] = deque()

    def write_next() -> None:
        block, room, filling = waiting.popleft()
        sink.write(filling.result())
        free.append(room)
        if block.of_objects:
            tell(block.of_objects)

    executor = ThreadPoolExecutor(threads, "medium")
    try:
        before: Future[memoryview] | None = None
        for block in _blocks(parts):
            if not free:
                write_next()
            room = free.pop()
            fill = _Fill(block, room, place, before if block.goes_on else None)
            before = executor.submit(fill.run)
            waiting.append((block, room, before))
        while waiting:
            write_next()
    finally:
        executor.shutdown(cancel_futures=True)


def _blocks(parts: Iterable[Part]) -> Iterator[_Block]:
    block = _Block()
    for head, piece in parts:
        length = 0 if piece is None else piece.length
        if block.length and len(head) + length > block.room:
            yield block
            block = _Block()
        for begin in range(0, len(head), BLOCK):
            if begin:
                yield block
                block = _Block()
            block.add_head(head[begin : begin + BLOCK])
        if piece is None:
            continue
        digest = hashlib.sha256() if length > block.room else None
        some = min(length, block.room)
        block.add_span(piece, 0, some, digest)
        for offset in range(some, length, BLOCK):
            yield block
            block = _Block()
            block.add_span(piece, offset, min(BLOCK, length - offset), digest)
    if block.length:
        yield block


class _Room:
    """Where a block is filled, and packed."""

    def __init__(self, packing: Packing | None) -> None:
        # To see where an object ends one byte more is asked for.
        self.block = memoryview(bytearray(BLOCK + 1))
        self.packing = packing
        self.packed = memoryview(bytearray(packing.room if packing else 0))


@dataclass(slots=True)
class _Fill:
    """The work of a thread on one block. `before` is that on the block in which its first object began."""

    block: _Block
    room: _Room
    place: Callable[[str], Path]
    before: Future[memoryview] | None

    def run(self) -> memoryview:
        room, packing = self.room.block, self.room.packing
        stretches = [self._take(span, room) for span in self.block.spans]
        for at, head in self.block.heads:  # last: objects may have got one byte too much
            room[at : at + len(head)] = head
        whole = room[: self.block.length]
        if packing is None:
            return whole
        return self.room.packed[: packing.pack(whole, stretches, self.room.packed)]

    def _take(self, span: _Span, room: memoryview) -> Stretch:
        """Read a span to where it belongs, and check it as far as that can be."""
        at, piece, offset, length, _ = span
        path = self.place(piece.sha256)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise _wrong(piece, "is not there", path) from None
        try:
            # At the end of the object there must be no more.
            start = piece.start + offset
            last = start + length == piece.size
            have = _read(descriptor, room[at : at + length + last], length, start)
            beginning = b"" if self.room.packing is None else os.pread(descriptor, BEGINNING, 0)
        except OSError as error:
            error.filename = str(path)
            raise
        finally:
            os.close(descriptor)
        if have != length:
            raise _wrong(piece, f"has not the {piece.size} bytes it must have", path)
        if piece.is_whole and not self._agrees(span, room[at : at + length], last):
            raise _wrong(piece, "has other bytes than its name says", path)
        return Stretch(at, length, beginning)

    def _agrees(self, span: _Span, data: memoryview, last: bool) -> bool:
        if span.digest is None:
            return hashlib.sha256(data).hexdigest() == span.piece.sha256
        if span.offset and self.before is not None:
            self.before.result()
        span.digest.update(data)
        return not last or span.digest.hexdigest() == span.piece.sha256


def _read(descriptor: int, room: memoryview, length: int, offset: int) -> int:
    """Read `length` bytes, or what there is of them, into `room`; how many. Where that has room for one more, it
    sees whether there are more."""
    have = os.preadv(descriptor, [room], offset)
    while have < length and (more := os.preadv(descriptor, [room[have:]], offset + have)):
        have += more
    return have


def _wrong(piece: Piece, what: str, path: Path) -> BadContent:
    return BadContent(
        f"the object {piece.sha256} {what} ({path})",
        hint="bring it in again with `orchestrator mirror verify --repair`, then export again",
    )
