# SPDX-License-Identifier: GPL-3.0-or-later
"""Where chunks go on this machine: a file, which is there whole or not at all, or standard output. (An upload is
`content.transfer.upload`.) Each is a context manager: what is left of a chunk whose writing fails is removed.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator.errors import Busy, Interrupted, UsageError
from orchestrator.host.files import open_alone, settle_file, write_all, write_out

# So much is left to the disk at a time.
_BEHIND = 64 << 20


class FileSink:
    """The file `path`. What is written stands in `.<name>.part` until `finish`, for nobody else: another run that
    writes the same file is refused, and what a dead one left is removed first. The disk works from the beginning on,
    not only at the end.

    `size` is how much was written; `digest`: `sha256` is to be known, too. Raises OSError, naming the path, and
    Busy.
    """

    def __init__(self, path: Path, *, digest: bool = True) -> None:
        self.path, self.size = path, 0
        self._temporary = path.with_name(f".{path.name}.part")
        self._digest = hashlib.sha256() if digest else None
        self._descriptor = _open_new(self._temporary)
        # At most two of them work: one hashes, one waits for the disk.
        self._threads = ThreadPoolExecutor(2, "sink")
        self._behind: Future[None] | None = None
        self._left_behind = 0

    @property
    def sha256(self) -> str:
        """Of what was written."""
        return "" if self._digest is None else self._digest.hexdigest()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        with self._errors():
            if self._digest is None:
                write_all(self._descriptor, data)
            else:
                self._write_and_hash(self._digest, data)
            self.size += len(data)
            if self.size - self._left_behind >= _BEHIND and (self._behind is None or self._behind.done()):
                self._wait_for_disk()
                self._left_behind = self.size
                self._behind = self._threads.submit(write_out, self._descriptor)

    def _write_and_hash(self, digest: "hashlib._Hash", data: bytes | bytearray | memoryview) -> None:
        hashed = self._threads.submit(digest.update, data)
        try:
            write_all(self._descriptor, data)
        finally:
            hashed.result()

    def _wait_for_disk(self) -> None:
        """Raises OSError for what it could not write."""
        behind, self._behind = self._behind, None
        if behind is not None:
            behind.result()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            error.filename = error.filename or str(self.path)
            raise

    def finish(self) -> None:
        """All was written: the file is on the disk, and has its name."""
        with self._errors():
            self._wait_for_disk()
            settle_file(self._descriptor, self._temporary, self.path)
        self._close()

    def discard(self) -> None:
        """Remove what was written, unless it is finished."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                self._temporary.unlink()
            self._close()

    def _close(self) -> None:
        self._threads.shutdown()
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self.discard()


def _open_new(path: Path) -> int:
    """A new file, locked. Never one that somebody else put there."""
    try:
        if path.is_symlink():
            path.unlink()
        with contextlib.suppress(FileNotFoundError):
            left = open_alone(path, create=False)
            path.unlink()
            os.close(left)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644))
        return open_alone(path, create=False)
    except (BlockingIOError, FileExistsError):
        raise Busy(f"another run is writing {path.name.removeprefix('.').removesuffix('.part')}") from None


class StdoutSink:
    """The standard output of the program. Raises UsageError when it is a terminal, Interrupted when its reader has
    gone, OSError."""

    def __init__(self, descriptor: int = 1) -> None:
        if os.isatty(descriptor):
            raise UsageError(
                "the standard output is a terminal: a medium is no text",
                hint="send it to a file (> FILE) or to a program (| PROGRAM)",
            )
        self._descriptor, self.size = descriptor, 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        try:
            write_all(self._descriptor, data)
        except BrokenPipeError:
            raise Interrupted(
                f"whoever read the standard output has gone after {self.size} bytes: the medium is not whole"
            ) from None
        except OSError as error:
            error.filename = error.filename or "standard output"
            raise
        self.size += len(data)

    def finish(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass
