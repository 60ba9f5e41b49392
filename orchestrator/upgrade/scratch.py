# SPDX-License-Identifier: GPL-3.0-or-later
"""Scratch directories: each step's own, kept until the step succeeds, also from run to run.

Most steps leave theirs as they got it. Such a one is not removed but renamed for the next step: to make and
to remove a directory for each of a thousand steps would cost as much as half of their record.
"""

import os
from pathlib import Path

from orchestrator.host import files


class Scratch:
    """The scratch directories below `directory`, for one run at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._spare: Path | None = None
        self._mode = 0  # of one that was just made

    def path(self, step: str) -> Path:
        return self._directory / step

    def make(self, step: str) -> Path:
        """The step's directory, empty unless an earlier attempt left something in it. Raises OSError."""
        path = self.path(step)
        spare, self._spare = self._spare, None
        if spare is not None:
            try:
                spare.rename(path)
                return path
            except OSError:  # it has one, or is the first of its kind
                files.remove_directory(spare)
        try:
            path.mkdir(parents=True)
            self._mode = self._mode or os.lstat(path).st_mode
        except FileExistsError:
            if not path.is_dir():
                raise
        return path

    def release(self, step: str, *, in_use: bool = False) -> None:
        """The step has succeeded. `in_use`: a process it left behind may still work there."""
        path = self.path(step)
        if self._spare is None and not in_use and self._as_made(path):
            self._spare = path
        else:
            files.remove_directory(path)

    def close(self) -> None:
        if self._spare is not None:
            files.remove_directory(self._spare)
            self._spare = None

    def _as_made(self, path: Path) -> bool:
        """Whether the step left it as it was made, and empty."""
        try:
            status = os.lstat(path)
            with os.scandir(path) as entries:
                empty = next(entries, None) is None
        except OSError:
            return False
        return empty and status.st_mode == self._mode and status.st_uid == os.geteuid()
