# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that survive a crash: replaced atomically, appended durably, locked by the kernel."""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import struct
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_FALLOC_FL_KEEP_SIZE = 1
# struct flock of fcntl(2): type, whence, start, length, pid; padded as the compiler does.
_FLOCK = "hhqqi0q"


def fsync_directory(path: Path) -> None:
    """Make the names in `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path, mode: int = 0o755) -> None:
    """`path` and its parents, durable. An existing one is left as it is."""
    if path.is_dir():
        return
    make_directory(path.parent)
    try:
        path.mkdir(mode)
    except FileExistsError:
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None
        return
    fsync_directory(path.parent)


def remove_directory(path: Path) -> None:
    """`path` with all that is in it (mostly nothing), as far as that can be removed."""
    try:
        path.rmdir()
    except OSError:
        shutil.rmtree(path, ignore_errors=True)


def replace_file(path: Path, data: bytes, *, mode: int = 0o644, durable: bool = True) -> None:
    """Give `path` the content `data` at once: a reader, or a crash, sees the old one or the new one.

    Without `durable` a power cut may bring the old content back. Raises OSError, naming a path.
    """
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        try:
            write_all(descriptor, data)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()  # half of it would take up what is left of a full disk
        error.filename = error.filename or str(path)
        raise
    if durable:
        fsync_directory(path.parent)


def write_out(descriptor: int) -> None:
    """Wait until what was written to `descriptor` so far is on the disk. Raises OSError when it could not be
    written, once."""
    os.fdatasync(descriptor)


def settle_file(descriptor: int, temporary: Path, path: Path) -> None:
    """Wait until what was written to `descriptor` is on the disk, and give the file `temporary` its name, durably;
    what had it before is replaced."""
    os.fsync(descriptor)
    temporary.replace(path)
    fsync_directory(path.parent)


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def replace_json(path: Path, document: Any) -> None:
    """Make the document the content of `path`, durably; its directory is made when it is missing."""
    make_directory(path.parent)
    replace_file(path, json.dumps(document).encode() + b"\n")


def read_json(path: Path) -> Any:
    """The document in `path`, or None when there is none (also when a power cut left it empty or torn)."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def sync_file_system(path: Path) -> None:
    """Everything written to the file system of `path` so far is on its disk when this returns: one wait for
    any number of files. Raises OSError when any of it could not be written (Linux 5.8 and later tell)."""
    import ctypes

    descriptor = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(descriptor)


class DurableLog:
    """An append-only file of lines; `append` returns once the line is on the disk.

    Room for `reserve` bytes is taken from the file system at opening, where it can do so, so that a
    disk that fills up later does not cost the record of what happens then. It is renewed as it is used up.
    """

    def __init__(self, path: Path, *, reserve: int = 0, mode: int = 0o644) -> None:
        self.path = path
        existed = path.exists()
        self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, mode)
        size = os.fstat(self._descriptor).st_size
        # A crash may have torn the last line: what follows must not be glued to it.
        self._torn = size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n"
        self._reserve, self._reserved_to = reserve, size + reserve
        try:
            if reserve:
                _reserve(self._descriptor, size, reserve)
            if not existed:
                os.fsync(self._descriptor)
                fsync_directory(path.parent)
        except OSError:
            os.close(self._descriptor)
            raise

    def append(self, line: str) -> None:
        """Write `line` and a newline, and wait for the disk. Raises OSError, with nothing half-written."""
        data = line.encode() + b"\n"
        if self._torn:
            data = b"\n" + data
        size = os.fstat(self._descriptor).st_size
        try:
            write_all(self._descriptor, data)
            os.fsync(self._descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, size)
            raise
        self._torn = False
        self._renew_reserve(size + len(data))

    def _renew_reserve(self, size: int) -> None:
        if self._reserve and self._reserved_to - size < self._reserve // 2:
            self._reserved_to = size + self._reserve
            with contextlib.suppress(OSError):  # then what is left of it has to do
                _reserve(self._descriptor, size, self._reserve)

    @property
    def in_place(self) -> bool:
        """Whether its name still leads to it: editors put another file in the place of the one they change."""
        try:
            there, here = os.stat(self.path), os.fstat(self._descriptor)
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

    def close(self) -> None:
        """Give back what was reserved and not used."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size)
        os.close(self._descriptor)


def _reserve(descriptor: int, offset: int, length: int) -> None:
    """Allocate blocks beyond the end without changing the size; quietly not where that is unsupported.

    Raises OSError (ENOSPC, EDQUOT) when there is no room.
    """
    import ctypes

    fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if fallocate(descriptor, _FALLOC_FL_KEEP_SIZE, offset, length) == 0:
        return
    number = ctypes.get_errno()
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        raise OSError(number, os.strerror(number))


class FileLock:
    """A kernel lock that dies with its holder. The file holds what the holder says of itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    def try_acquire(self, *, shared: bool = False) -> bool:
        """False when another process holds it (`shared`: when one holds it alone)."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def describe(self, holder: dict[str, Any]) -> None:
        """Say who holds it, if the disk has room for that. Not durable: after a power cut nobody does."""
        data = json.dumps(holder).encode() + b"\n"
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, data, 0)
            os.ftruncate(self._descriptor, len(data))

    def release(self) -> None:
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.release()


def open_alone(path: Path | str, *, create: bool) -> int:
    """A descriptor to read and write `path` that no other process, nor a second call here, has while it is
    open. Raises BlockingIOError when somebody has, FileNotFoundError when there is none to open."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | (os.O_CREAT if create else 0), 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last holder may have given it another name in between: then that one is not ours to write.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(descriptor)):
                    return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def lock_is_held(path: Path) -> bool:
    """Whether some process holds the lock at `path`; creates nothing and takes nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def record_lock_writer(path: Path) -> int | None:
    """The process with a write lock by fcntl(2) anywhere in `path`, this one aside; 0 when it cannot be seen from
    here, None when nobody has one, or this user may not know. Takes and changes nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        # "Could I have a read lock on all of it?" Only a writer is in the way of that.
        asked = struct.pack(_FLOCK, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return max(0, int(pid)) if kind != fcntl.F_UNLCK else None


def read_new_bytes(path: Path, offset: int, most: int) -> bytes:
    """At most `most` bytes of `path` from `offset`; empty when there is nothing or no file."""
    try:
        with path.open("rb", buffering=0) as stream:
            stream.seek(offset)
            return stream.read(most) or b""
    except FileNotFoundError:
        return b""


def last_lines(path: Path, count: int, most: int = 64 * 1024) -> list[str]:
    """The last `count` lines of a text file that may be large, binary, or absent."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - most))
            data = stream.read()
    except OSError:
        return []
    return data.decode("utf-8", "replace").splitlines()[-count:]
