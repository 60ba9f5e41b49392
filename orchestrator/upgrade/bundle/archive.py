# SPDX-License-Identifier: GPL-3.0-or-later
"""A tar.zst whose first members are made last: the list of what is inside is known only when all of it is.

What is added is compressed into a nameless file; at the end the first members are written before it, as a frame of
their own: zstd reads frames that follow each other as one. Memory is taken for one member at a time.
"""

import os
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator.host import files

_LEVEL = 9
_PIECE = 1 << 20
_END = bytes(2 * tarfile.BLOCKSIZE)


class Archive:
    """Members below the directory `root`, owned by root and for nobody else. Everything raises OSError."""

    def __init__(self, root: str, directory: Path | None, time: float) -> None:
        """`directory`: where the nameless file is kept, else that for temporary files; `time`: that of members which
        have none of their own."""
        import zstandard

        self._root, self._time = root, time
        self._body, name = tempfile.mkstemp(dir=directory)
        os.unlink(name)
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self._frame = self._compressor.compressobj()

    def add(self, path: str, data: bytes, time: float | None = None) -> None:
        self._write(self._member(path, data, time))

    def finish(self, first: Sequence[tuple[str, bytes]], descriptor: int) -> None:
        """Write the whole of it, `first` before everything else."""
        self._write(_END)
        files.write_all(self._body, self._frame.flush())
        directory = tarfile.TarInfo(self._root)
        directory.type, directory.mode, directory.mtime = tarfile.DIRTYPE, 0o700, self._time
        front = directory.tobuf(tarfile.PAX_FORMAT) + b"".join(
            self._member(*member, None) for member in first
        )
        files.write_all(descriptor, self._compressor.compress(front))
        os.lseek(self._body, 0, os.SEEK_SET)
        while piece := os.read(self._body, _PIECE):
            files.write_all(descriptor, piece)

    def _write(self, data: bytes) -> None:
        for at in range(0, len(data), _PIECE):
            files.write_all(self._body, self._frame.compress(data[at : at + _PIECE]))

    def _member(self, path: str, data: bytes, time: float | None) -> bytes:
        about = tarfile.TarInfo(f"{self._root}/{path}")
        about.size, about.mode = len(data), 0o600
        about.mtime = self._time if time is None else time
        about.uname = about.gname = "root"
        head = about.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape")
        return head + data + bytes(-len(data) % tarfile.BLOCKSIZE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        os.close(self._body)
