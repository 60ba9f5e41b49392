# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an image and the directories they are in, by numbers: what both hierarchies are made of. Pure."""

from array import array
from collections.abc import Sequence

from orchestrator.content.exports.pieces import Piece
from orchestrator.errors import Refused

_DEEPEST, _MOST_DIRECTORIES = 8, 65535


class Tree:
    """The small files (path, size) of a chunk and then its pieces, each with its number in this order, and the
    directories, of which 0 is the root.

    `names`, `parents`, `children`, `files` are of the directories. The files of each are sorted by name; `sizes` and
    `name` are of files. Raises Refused for what no image can have, and ValueError for two files with one path.
    """

    def __init__(self, front: Sequence[tuple[str, int]], pieces: Sequence[Piece]) -> None:
        self._front, self._pieces, self._first = front, pieces, len(front)
        self.sizes = array("Q")
        self.names, self.parents = [""], array("L", [0])
        self.children: list[list[int]] = [[]]
        self.files = [array("L")]
        known = {"": 0}
        for number, (path, size) in enumerate(front):
            self.files[self._directory(path.rpartition("/")[0], known)].append(number)
            self.sizes.append(size)
        for number, piece in enumerate(pieces, self._first):
            self.files[self._directory(piece.place.rpartition("/")[0], known)].append(number)
            self.sizes.append(piece.length)
        if len(known) > _MOST_DIRECTORIES:
            raise Refused(f"an ISO image holds at most {_MOST_DIRECTORIES} directories, not {len(known)}")
        for path, directory in known.items():
            self._sort(path, directory)

    def _directory(self, path: str, known: dict[str, int]) -> int:
        number = known.get(path)
        if number is None:
            above, _, name = path.rpartition("/")
            if path.count("/") + 2 > _DEEPEST:
                raise Refused(f"{path} is deeper than the {_DEEPEST} levels of an ISO image")
            parent = self._directory(above, known)
            number = known[path] = len(self.names)
            self.names.append(name)
            self.parents.append(parent)
            self.children[parent].append(number)
            self.children.append([])
            self.files.append(array("L"))
        return number

    def _sort(self, path: str, directory: int) -> None:
        self.files[directory] = array("L", sorted(self.files[directory], key=self.name))
        self.children[directory].sort(key=self.names.__getitem__)
        names = [self.name(file) for file in self.files[directory]]
        if len({*names, *map(self.names.__getitem__, self.children[directory])}) < len(names) + len(
            self.children[directory]
        ):
            raise ValueError(f"two files below {path or '/'} have one name")

    def name(self, file: int) -> str:
        """Without the directory."""
        if file < self._first:
            return self._front[file][0].rpartition("/")[2]
        piece = self._pieces[file - self._first]
        # The text that the piece has, not one more: there may be hundreds of thousands.
        return piece.sha256 if piece.is_whole else piece.place.rpartition("/")[2]
