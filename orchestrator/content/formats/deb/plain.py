# SPDX-License-Identifier: GPL-3.0-or-later
"""Uncompressed indexes, kept beside the pool: xz alone takes half a second for a large one.

    root/cache/<SHA-256 of the compressed file>.<CRC-32 of the plain one>

A copy that is damaged or missing is made again from the pool; nothing is lost with the directory. Copies
that nobody has used for a month before a new one is made are removed.
"""

import contextlib
import mmap
import os
from pathlib import Path

from orchestrator.content.compression import decompress, plain_name
from orchestrator.content.formats.deb.control import Buffer
from orchestrator.content.model import StoredFile
from orchestrator.content.pool import Pool
from orchestrator.host.files import make_directory, replace_file

_UNUSED = 30 * 86400
# More than any index there is; what comes from an upstream is held to what its Release file says.
_MOST = 1 << 32


def read_plain(stored: StoredFile, pool: Pool, limit: int = _MOST) -> Buffer:
    """The content of an index in the pool, without its compression. Raises BadContent (see `decompress`)."""
    if plain_name(stored.path) == stored.path:
        return _map(pool.path(stored.sha256))
    directory = pool.root / "cache"
    kept = _kept(directory, stored.sha256)
    if kept is not None and len(kept) <= limit:
        return kept
    data = decompress(pool.read(stored.sha256), stored.path, limit)
    with contextlib.suppress(OSError):  # a full disk, a reader without rights: then without a copy
        _keep(directory, stored.sha256, data)
    return data


def _map(path: Path) -> Buffer:
    with path.open("rb") as stream:
        if not os.fstat(stream.fileno()).st_size:
            return b""
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def _kept(directory: Path, sha256: str) -> Buffer | None:
    for path in directory.glob(f"{sha256}.*"):
        with contextlib.suppress(OSError):
            data = _map(path)
            if path.suffix == f".{_crc(data):08x}":
                with contextlib.suppress(OSError):
                    os.utime(path)
                return data
        with contextlib.suppress(OSError):
            path.unlink()
    return None


def _keep(directory: Path, sha256: str, data: bytes) -> None:
    make_directory(directory)
    place = directory / f"{sha256}.{_crc(data):08x}"
    replace_file(place, data, durable=False)
    now = place.stat().st_mtime
    with os.scandir(directory) as entries:
        for entry in entries:
            if now - entry.stat().st_mtime > _UNUSED:
                os.unlink(entry.path)


def _crc(data: Buffer) -> int:
    from isal import isal_zlib

    return isal_zlib.crc32(data)
