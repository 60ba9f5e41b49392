# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done of an export that is not finished: noted durably, file by file, after the bytes are where they belong.

The note lies in the partial directory itself, or for an export that is handed over (an upload, standard output, a
chunk at a time into some directory) in a directory of its own below <exports>/.handed/.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.content.pool import hash_file, make_public_directory
from orchestrator.host.files import read_json, replace_json

STATE = ".state.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Done:
    """A file that was written, or handed over, whole."""

    size: int
    sha256: str


class Unfinished:
    """The notes in `directory`, which is made with the first of them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._files = _read(read_json(directory / STATE))

    @property
    def done(self) -> dict[str, Done]:
        """By the name of the file."""
        return dict(self._files)

    def begin(self) -> None:
        """Make the directory, open to readers; one that is there stays as it is."""
        make_public_directory(self.directory)
        if not (self.directory / STATE).exists():
            self._write()

    def note(self, name: str, done: Done) -> None:
        self._files[name] = done
        self._write()

    def forget(self, name: str) -> None:
        if self._files.pop(name, None) is not None:
            self._write()

    def _write(self) -> None:
        files = {name: [done.size, done.sha256] for name, done in self._files.items()}
        replace_json(self.directory / STATE, {"format": _FORMAT, "files": files})

    def is_intact(self, name: str) -> bool:
        """Whether the file that was noted is there, in the directory, with every byte: it is hashed again."""
        done, path = self._files.get(name), self.directory / name
        try:
            return (
                done is not None and path.lstat().st_size == done.size and hash_file(path)[0] == done.sha256
            )
        except OSError:
            return False

    def touched(self) -> float | None:
        """When something was last done (seconds since the epoch); None when there is nothing."""
        try:
            return (self.directory / STATE).stat().st_mtime
        except FileNotFoundError:
            return None

    def end(self) -> None:
        """Forget all of it. The directory of an export that is complete stays."""
        (self.directory / STATE).unlink(missing_ok=True)

    def remove(self) -> None:
        """With the directory and what was written there."""
        shutil.rmtree(self.directory, ignore_errors=True)


def _read(document: Any) -> dict[str, Done]:
    """Nothing of what is damaged: then it is done again."""
    try:
        if document["format"] != _FORMAT:
            return {}
        return {str(name): Done(int(size), str(sha)) for name, (size, sha) in document["files"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
