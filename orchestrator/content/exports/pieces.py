# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects on media, whole or cut, and the index of a chunk: the list of its pieces. Pure."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from orchestrator.errors import BadContent

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


class Piece(NamedTuple):
    """An object, or the `length` bytes from `start` on of one that was cut."""

    sha256: str
    size: int  # of the whole object
    start: int
    length: int

    @property
    def is_whole(self) -> bool:
        return self.length == self.size

    @property
    def place(self) -> str:
        """Its path on a medium."""
        name = f"objects/{self.sha256[:2]}/{self.sha256}"
        return name if self.is_whole else f"{name}.{self.start}"


def index_bytes(number: int, of: int, pieces: Sequence[Piece]) -> bytes:
    """chunks/<nnnn>.index: a line for each piece in the order of the medium, `<sha256> <size>` or
    `<sha256> <size> <start> <length>`."""
    lines = [f"# chunk {number} of {of}"]
    for sha256, size, start, length in pieces:
        lines.append(f"{sha256} {size}" if length == size else f"{sha256} {size} {start} {length}")
    return "\n".join([*lines, ""]).encode()


def read_index(data: bytes, name: str) -> list[Piece]:
    """Raises BadContent, naming `name`."""
    try:
        head, *lines = data.decode("ascii").split("\n")
        if not head.startswith("# chunk ") or not lines or lines.pop():
            raise _damaged(name)
        return [_piece(line.split(" ")) for line in lines]
    except ValueError:
        raise _damaged(name) from None


def _damaged(name: str) -> BadContent:
    return BadContent(f"{name} is no index of a chunk, or damaged")


def _piece(words: list[str]) -> Piece:
    """Raises ValueError, also for numbers that are not in their normal form."""
    sha256, *numbers = words
    if not _SHA256.fullmatch(sha256) or not all(map(_NUMBER.fullmatch, numbers)):
        raise ValueError
    if len(numbers) == 1:
        size = int(numbers[0])
        return Piece(sha256, size, 0, size)
    size, start, length = map(int, numbers)
    if not 0 < length < size or start + length > size:
        raise ValueError
    return Piece(sha256, size, start, length)


def index_place(number: int) -> str:
    return f"chunks/{number:04d}.index"


def inventory_place(digest: str) -> str:
    return f"inventories/{digest}"
