# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of `file://` addresses: copied as they are hashed, never through libcurl."""

import os
import stat
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from orchestrator.content.fetching import Outcome
from orchestrator.content.model import Validators
from orchestrator.content.transfer.part import Part
from orchestrator.content.transfer.policy import Verdict

_PIECE = 1024 * 1024


class Unreadable(Exception):
    """The source cannot be opened or read; it carries the verdict."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.why)
        self.verdict = verdict


class LocalFile:
    """An open file of a `file://` address. Raises Unreadable where it is at fault."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost"):
            raise Unreadable(Verdict(Outcome.FORBIDDEN, False, "a file address names no other host"))
        path = unquote(parts.path, errors="surrogateescape")
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            raise Unreadable(Verdict(Outcome.NOT_FOUND, False, "there is no such file")) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise Unreadable(Verdict(Outcome.FORBIDDEN, False, reason)) from None
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(self._descriptor)
            raise Unreadable(Verdict(Outcome.NOT_FOUND, False, "it is not a file"))
        self.size = status.st_size
        self.validators = Validators(f'"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"')

    def copy(self, part: Part, most: int, moved: Callable[[int], bool]) -> None:
        """Append up to `most` bytes; `moved` is told of every piece and says whether to go on. Raises
        OSError where the target is at fault."""
        while most > 0:
            try:
                piece = os.read(self._descriptor, min(_PIECE, most))
            except OSError as error:
                why = error.strerror or str(error)
                raise Unreadable(Verdict(Outcome.UNREACHABLE, True, why)) from None
            if not piece:
                return
            most -= len(piece)
            part.write(piece)
            if not moved(len(piece)):
                return

    def close(self) -> None:
        os.close(self._descriptor)
