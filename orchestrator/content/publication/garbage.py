# SPDX-License-Identifier: GPL-3.0-or-later
"""Removal of what no mirror has any more from the pool."""

import contextlib
import os
from collections.abc import Collection
from pathlib import Path

from orchestrator.content.pool import Pool
from orchestrator.host import clock

# A download that was interrupted is gone on with for so long (seconds).
_UNFINISHED = 7 * 86400.0


def remove(pool: Pool, held: Collection[str], *, spare: float) -> int:
    """Remove the files of the pool that no tree links to and that are not among `held` (SHA-256), other names
    of files that are gone, and what was left in `incoming/` a week ago; the bytes that this frees.

    Files written in the last `spare` seconds stay: a run that failed may be repeated.
    """
    now = clock.now().timestamp()
    freed = _remove_incoming(pool, now - max(spare, _UNFINISHED))
    for sha256, status in pool.stored():
        if status.st_nlink == 1 and sha256 not in held and status.st_mtime <= now - spare:
            pool.discard(sha256)
            freed += status.st_size
    _remove_dangling(pool.objects / "by")
    return freed


def _remove_incoming(pool: Pool, before: float) -> int:
    freed = 0
    with os.scandir(pool.incoming) as entries:
        for entry in entries:
            status = entry.stat(follow_symlinks=False)
            # What had the name of a dead run alone, nobody goes on with.
            dead = entry.name.endswith((".new", ".own")) or ".part." in entry.name
            if entry.is_file(follow_symlinks=False) and (dead or status.st_mtime <= before):
                os.unlink(entry.path)
                freed += status.st_size if status.st_nlink == 1 else 0
    return freed


def _remove_dangling(aliases: Path) -> None:
    """Aliases are links by name to nothing that is there: their targets are looked up in the pool."""
    objects = aliases.parent
    for directory, _, names in os.walk(aliases):
        for name in names:
            alias = f"{directory}/{name}"
            with contextlib.suppress(OSError):
                target = os.readlink(alias)
                if not (objects / target[:2] / target).exists():
                    os.unlink(alias)
