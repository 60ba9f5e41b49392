# SPDX-License-Identifier: GPL-3.0-or-later
"""How far an export is: told ten times a second at most, and the moment at which somebody may stop it."""

from orchestrator.content.events import Name
from orchestrator.content.workspace import Workspace
from orchestrator.host import clock

_EVERY = 0.1


class Progress:
    """To be called with the bytes of objects that were written. `chunks` are the media, `bytes` those of all of
    them that are still to be written."""

    def __init__(self, workspace: Workspace, subject: str, chunks: int, total: int) -> None:
        self._workspace, self._subject = workspace, subject
        self._chunks, self._total = chunks, total
        self._done = self._whole = 0
        self._began = clock.monotonic()
        self._told = self._began

    def __call__(self, size: int) -> None:
        """Raises Interrupted when somebody asked to stop."""
        self._workspace.check_stop()
        self._done += size
        now = clock.monotonic()
        if now - self._told >= _EVERY:
            self._told = now
            self._tell(now)

    def chunk_done(self) -> None:
        self._whole += 1

    def _tell(self, now: float) -> None:
        elapsed = now - self._began
        self._workspace.tell(
            Name.PROGRESS,
            self._subject,
            files=self._whole,
            files_total=self._chunks,
            things="chunks",
            bytes=self._done,
            bytes_total=self._total,
            rate=self._done / elapsed if elapsed else 0.0,
        )
