# SPDX-License-Identifier: GPL-3.0-or-later
"""Following a step's log file. The step writes to the file, never to a pipe: we may die, it goes on."""

from collections.abc import Callable
from pathlib import Path

from orchestrator.host import files

PIECE = 64 * 1024
# How much is passed on at one look, so that a step that floods its log cannot hold up the runner.
MOST_AT_ONCE = 4 * 1024 * 1024


class LogTail:
    """New bytes of a growing file, in pieces. Without `everything` a flood is cut to its end."""

    def __init__(self, path: Path, *, everything: bool) -> None:
        self._path = path
        self._everything = everything
        self._offset = 0

    def pump(self, take: Callable[[bytes], None], *, to_end: bool = False) -> bool:
        """Hand what was added to `take`; whether there was anything. `to_end`: all that is left."""
        try:
            size = self._path.stat().st_size
        except OSError:
            return False
        if size <= self._offset:
            return False
        if not self._everything:
            self._offset = max(self._offset, size - PIECE)
        end = size if to_end else min(size, self._offset + MOST_AT_ONCE)
        while self._offset < end:
            data = files.read_new_bytes(self._path, self._offset, min(PIECE, end - self._offset))
            if not data:
                break
            self._offset += len(data)
            take(data)
        return True
