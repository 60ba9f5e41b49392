# SPDX-License-Identifier: GPL-3.0-or-later
"""Contents indexes, which say in which packages a file is: half a gigabyte unpacked, so read as a stream."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Collection, Iterator
from typing import IO, cast

from orchestrator.content.model import StoredFile
from orchestrator.content.pool import Pool
from orchestrator.errors import BadContent


def cut_contents(stored: StoredFile, pool: Pool, names: Collection[str]) -> bytes:
    """The lines of a Contents index that are of packages in `names`, compressed with gzip.

    Raises BadContent for an index that cannot be unpacked.
    """
    packed = io.BytesIO()
    wanted = {name.encode() for name in names}
    try:
        with (
            _opened(stored, pool) as lines,
            gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=4, mtime=0, filename="") as out,
        ):
            for line in _cut(lines, wanted):
                out.write(line)
    except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error) as error:
        raise BadContent(f"{stored.path} cannot be decompressed: {error}") from None
    return packed.getvalue()


def _cut(lines: IO[bytes], wanted: Collection[bytes]) -> Iterator[bytes]:
    for line in lines:
        path, _, where = line.rstrip().rpartition(b" ")
        if not path:
            path, _, where = line.rstrip().rpartition(b"\t")
        kept = [place for place in where.split(b",") if place.rpartition(b"/")[2] in wanted]
        if kept and path:
            yield path + b" " + b",".join(kept) + b"\n"


def _opened(stored: StoredFile, pool: Pool) -> IO[bytes]:
    place = pool.path(stored.sha256)
    if stored.path.endswith(".gz"):
        return cast("IO[bytes]", gzip.open(place, "rb"))
    if stored.path.endswith(".bz2"):
        return bz2.open(place, "rb")
    if stored.path.endswith((".xz", ".lzma")):
        return lzma.open(place, "rb")
    if stored.path.endswith(".zst"):
        import zstandard

        return cast("IO[bytes]", zstandard.open(place, "rb"))
    return place.open("rb")
