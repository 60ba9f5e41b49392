# SPDX-License-Identifier: GPL-3.0-or-later
"""What was worked out from files of the pool and takes long enough to be kept beside it.

    root/cache/<key>.<CRC-32 of the file>

Nothing is lost with the directory. A file that is damaged is removed and made again; those that nobody has
used for a month before a new one is made are removed.
"""

import contextlib
import mmap
import os
from pathlib import Path

from orchestrator.content.formats.deb.control import Buffer
from orchestrator.content.pool import Pool
from orchestrator.host.files import make_directory, replace_file

_UNUSED = 30 * 86400


def kept(pool: Pool, key: str) -> Buffer | None:
    for path in (pool.root / "cache").glob(f"{key}.*"):
        with contextlib.suppress(OSError):
            data = map_file(path)
            if path.suffix == f".{_crc(data):08x}":
                with contextlib.suppress(OSError):
                    os.utime(path)
                return data
        with contextlib.suppress(OSError):
            path.unlink()
    return None


def keep(pool: Pool, key: str, data: bytes) -> None:
    """A full disk, or a reader without rights, does without."""
    directory = pool.root / "cache"
    with contextlib.suppress(OSError):
        make_directory(directory)
        place = directory / f"{key}.{_crc(data):08x}"
        replace_file(place, data, durable=False)
        now = place.stat().st_mtime
        with os.scandir(directory) as entries:
            for entry in entries:
                if now - entry.stat().st_mtime > _UNUSED:
                    os.unlink(entry.path)


def map_file(path: Path) -> Buffer:
    """Its content, mapped into memory. Raises OSError."""
    with path.open("rb") as stream:
        if not os.fstat(stream.fileno()).st_size:
            return b""
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def _crc(data: Buffer) -> int:
    from isal import isal_zlib

    return isal_zlib.crc32(data)
