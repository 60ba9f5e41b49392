# SPDX-License-Identifier: GPL-3.0-or-later
"""Media that are tar archives, plain or in gzip, read as they are: nothing is unpacked, and what nobody wants is
passed over.

Besides our own archives those that GNU tar and bsdtar make of the same files are read, in any order of the files;
then twice, for small files come first. A pipe is read once, and has to be in order. `archive_entries` says what is
not read at all.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestrator.content.exports.manifest import MANIFEST
from orchestrator.content.exports.media import Member
from orchestrator.content.imports.archive_entries import entries
from orchestrator.content.imports.medium import stands_before_objects
from orchestrator.content.imports.streams import ByteStream, FileStream, GzipStream, PipeStream
from orchestrator.errors import BadContent, Invalid

Wanted = Callable[[str], bool]
_REST = 64 << 20


class TarReader:
    """A `MediumReader` of the file at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        return str(self.path)

    def _open(self) -> ByteStream:
        return FileStream(os.open(self.path, os.O_RDONLY | os.O_CLOEXEC))

    def members(self, wanted: Wanted = lambda _: True) -> Iterator[Member]:
        if self._in_order():
            yield from self._pass(wanted)
        else:
            yield from self._pass(lambda path: stands_before_objects(path) and wanted(path))
            yield from self._pass(lambda path: not stands_before_objects(path) and wanted(path))

    def _pass(self, wanted: Wanted) -> Iterator[Member]:
        stream = self._open()
        try:
            yield from members_of(stream, self.name, wanted)
        finally:
            stream.close()

    def _in_order(self) -> bool:
        """Whether it is one of ours, as far as the first header tells."""
        stream = self._open()
        try:
            first = next(entries(stream, self.name), None)
            return first is None or (first.is_ours and first.path == MANIFEST)
        finally:
            stream.close()

    def close(self) -> None:
        pass


class TgzReader(TarReader):
    """The same of one in gzip."""

    def _open(self) -> ByteStream:
        return GzipStream(super()._open(), self.name)


class PipeReader:
    """A `MediumReader` of what comes from a pipe, in gzip or not; `begun` was read from it before."""

    def __init__(self, descriptor: int, begun: bytes, *, gzip: bool, name: str = "standard input") -> None:
        self.name = name
        pipe = PipeStream(descriptor, begun)
        self._stream: ByteStream | None = GzipStream(pipe, name) if gzip else pipe

    def members(self, wanted: Wanted = lambda _: True) -> Iterator[Member]:
        stream, self._stream = self._stream, None
        if stream is None:
            raise Invalid(f"{self.name} can be read but once", hint="put it into a file, and import that")
        objects = False
        for member in members_of(stream, self.name, wanted):
            if objects and stands_before_objects(member.path):
                raise BadContent(
                    f"{self.name}: {member.path} comes after objects",
                    hint="put it into a file, and import that: a file need not be in order",
                )
            objects = objects or not stands_before_objects(member.path)
            yield member
        # Whoever writes to the pipe is not to be told that nobody wants the rest of it, which is zeros.
        stream.skip(_REST)

    def close(self) -> None:
        pass


def members_of(stream: ByteStream, name: str, wanted: Wanted) -> Iterator[Member]:
    """The wanted files of an archive, in its order."""
    seen: set[str] = set()
    for entry in entries(stream, name):
        if wanted(entry.path):
            if entry.path in seen:
                raise BadContent(f"{name} has {entry.path} twice")
            seen.add(entry.path)
            yield Member(entry.path, entry.size, entry.read)
