# SPDX-License-Identifier: GPL-3.0-or-later
"""The seams of media: what writes a chunk, what it is written to, what reads one back. Drivers are tar, tgz, iso
(writing and reading) and a directory, mounted or unpacked (reading); `tests/support/medium_conformance.py` holds
each of them to this."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from orchestrator.content.exports.manifest import Piece


class SmallFile(NamedTuple):
    """A file that stands before the objects; all of it in memory."""

    path: str
    data: bytes


class Sink(Protocol):
    """Where the bytes of one chunk go, in order: a file, standard output, an upload."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """All of `data`. Raises OSError, or TransferFailed for an upload."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What goes onto one medium. `label` names it for people ("web-3 1of2"), `when` (seconds since the epoch) is
    the time of its files: nothing in a medium depends on the moment it is written."""

    label: str
    front: Sequence[SmallFile]
    pieces: Sequence[Piece]
    when: int


class MediumWriter(Protocol):
    """Writes chunks of one format."""

    @property
    def suffix(self) -> str:
        """ ".tar", ".tgz", ".iso"."""

    def size(self, front: Sequence[tuple[str, int]], pieces: Sequence[Piece]) -> int:
        """The bytes of a chunk of these small files (path, size) and pieces: exact, or (tgz) at most so many."""

    def write(
        self, chunk: Chunk, sink: Sink, place: Callable[[str], Path], tell: Callable[[int], None]
    ) -> None:
        """Write it in one pass. `place` says where the bytes of an object are; whole ones are hashed as they pass,
        and what is not what its name says is BadContent, naming the object. `tell` is called with the bytes of
        objects written, often; an exception of it ends the work."""


class Member(NamedTuple):
    """A regular file on a medium. `read(most)` gives its next bytes, empty at the end; only until the next member
    is asked for."""

    path: str
    size: int
    read: Callable[[int], bytes]


class MediumReader(Protocol):
    """One medium: never changed, never unpacked."""

    @property
    def name(self) -> str:
        """For people: its path."""

    def members(self, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[Member]:
        """The `wanted` files, each once: those that stand before the objects first. May be called again (but for a
        pipe). Raises BadContent, naming the medium, when it is cut off or no such medium, and for members with
        unsafe paths and those that are neither files nor directories; OSError when it cannot be read."""

    def close(self) -> None: ...
