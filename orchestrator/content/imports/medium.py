# SPDX-License-Identifier: GPL-3.0-or-later
"""One medium while it is read: the manifest and its signature, the other small files, then the objects, in one pass
where it can be read but once (a pipe)."""

from collections.abc import Callable, Iterator
from itertools import chain

from orchestrator.content.exports.manifest import MANIFEST, README, SIGNATURE, SUMS
from orchestrator.content.exports.media import MediumReader, Member
from orchestrator.content.intake import read_whole
from orchestrator.errors import BadContent

# Nothing is believed of a size that a medium tells: what is held in memory has its limit.
_LARGEST = {MANIFEST: 64 << 20, SIGNATURE: 1 << 16}
_LARGEST_LIST = 1 << 30


def stands_before_objects(path: str) -> bool:
    return path in (MANIFEST, SIGNATURE, README, SUMS) or path.startswith(("inventories/", "chunks/"))


class Medium:
    """`reader`, read in this order: `sealed`, `front`, `objects`. To be closed, or `released` to be read later."""

    def __init__(self, reader: MediumReader) -> None:
        self.reader = reader
        self.first = ""  # the path of the first object, once `front` is through
        self._members: Iterator[Member] | None = None
        self._wanted: Callable[[str], bool] = lambda _: True
        self._ahead: list[Member] = []
        self._passed_over = False

    @property
    def name(self) -> str:
        return self.reader.name

    def _begin(self) -> Iterator[Member]:
        if self._members is None:
            self._wanted = lambda _: True
            self._members = self.reader.members(self._is_wanted)
        return self._members

    def _is_wanted(self, path: str) -> bool:
        """What is wanted changes while the members are read."""
        return self._wanted(path)

    def sealed(self) -> tuple[bytes, bytes]:
        """The bytes of the manifest and of its signature, which nobody has verified yet. Raises BadContent when it
        is no medium of an export, and what the reader raises."""
        found: dict[str, bytes] = {}
        for member in self._begin():
            if member.path in _LARGEST:
                found[member.path] = self._small(member, _LARGEST[member.path])
                if len(found) == len(_LARGEST):
                    return found[MANIFEST], found[SIGNATURE]
            elif stands_before_objects(member.path):
                self._passed_over = True
            else:
                break
        missing = MANIFEST if MANIFEST not in found else SIGNATURE
        raise BadContent(f"{self.name} is no medium of an export: it has no {missing}")

    def front(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
        """The `wanted` of the other small files. Raises BadContent, and what the reader raises."""
        if self._passed_over:
            self.release()
        self._passed_over = False
        self._wanted = lambda path: wanted(path) or not stands_before_objects(path)
        for member in self._continue():
            if not stands_before_objects(member.path):
                self.first, self._ahead = member.path, [member]
                return
            if member.path not in _LARGEST and wanted(member.path):
                yield member.path, self._small(member, _LARGEST_LIST)

    def _continue(self) -> Iterator[Member]:
        if self._members is None:
            keep, members = self._wanted, self._begin()
            self._wanted = keep
            return members
        return self._members

    def objects(self, wanted: Callable[[str], bool]) -> Iterator[Member]:
        """The `wanted` of all that does not stand before the objects. Raises BadContent, and what the reader does."""
        self._wanted = lambda path: not stands_before_objects(path) and wanted(path)
        ahead, self._ahead = self._ahead, []
        for member in chain(ahead, self._continue()):
            if self._wanted(member.path):
                yield member

    def _small(self, member: Member, most: int) -> bytes:
        """Raises BadContent when it is larger than that, or not as large as it says."""
        if member.size > most:
            raise BadContent(f"{self.name}: {member.path} is too large: {member.size} bytes")
        data = read_whole(member.read, member.size)
        if len(data) != member.size:
            raise BadContent(f"{self.name}: {member.path} does not have its {member.size} bytes")
        return data

    def release(self) -> None:
        """Let go of where reading stopped: `objects` begins anew."""
        members, self._members = self._members, None
        self._ahead = []
        close = getattr(members, "close", None)
        if close is not None:
            close()

    def close(self) -> None:
        self.release()
        self.reader.close()
