# SPDX-License-Identifier: GPL-3.0-or-later
"""Indexes without their compression: xz alone takes half a second for a large one, so the result is kept."""

from orchestrator.content.compression import decompress, plain_name
from orchestrator.content.formats.deb.cache import keep, kept, map_file
from orchestrator.content.formats.deb.control import Buffer
from orchestrator.content.model import StoredFile
from orchestrator.content.pool import Pool

# Ten times the largest there is: whatever a Release file says, an index has to fit into memory.
MOST = 1 << 30


def read_plain(stored: StoredFile, pool: Pool, limit: int = MOST, base: str = "") -> Buffer:
    """The content of an index in the pool, at most `limit` bytes. Raises BadContent (see `decompress`), which
    names the address: `base` is what its path follows there."""
    if plain_name(stored.path) == stored.path:
        return map_file(pool.path(stored.sha256))
    held = kept(pool, stored.sha256)
    if held is not None and len(held) <= limit:
        return held
    data = decompress(pool.read(stored.sha256), base + stored.path, limit)
    keep(pool, stored.sha256, data)
    return kept(pool, stored.sha256) or data  # what is mapped can be given back
