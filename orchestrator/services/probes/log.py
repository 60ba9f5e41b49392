# SPDX-License-Identifier: GPL-3.0-or-later
"""`log`: a line that matches a pattern was written to a file since the service was last started.

`mark_logs` notes before a start where the files end. A file that is another one since, or shorter, was
rotated or truncated and is read from its beginning. A probe remembers how far it has read: asking again
reads only what is new, however much a service writes on its way up.
"""

import os
import re
import stat
from collections.abc import Iterable

from orchestrator.config import model
from orchestrator.host import clock
from orchestrator.host.sockets import why
from orchestrator.services.service import READY, Marks, Verdict, starting

UNMARKED_TAIL = 1 << 20
_CHUNK = 1 << 16
_LONGEST_LINE = 1 << 20
_NO_FILE = (0, 0)  # no inode has the number 0, nor -1
_UNMARKED = -1


def mark_logs(specs: Iterable[model.AnyProbe]) -> Marks:
    """Where the files of all `log` probes end now. All of a file that does not exist yet will be new."""
    positions: dict[str, tuple[int, int]] = {}
    for spec in specs:
        if isinstance(spec, model.LogProbe):
            try:
                status = spec.path.stat()
            except OSError:
                positions[str(spec.path)] = _NO_FILE
            else:
                positions[str(spec.path)] = (status.st_ino, status.st_size)
    return Marks(positions)


class Log:
    """Stateful: to be asked by one thread at a time."""

    def __init__(self, spec: model.LogProbe) -> None:
        self._spec = spec
        self._pattern = re.compile(spec.pattern)
        self._marks: Marks | None = None
        self._file, self._offset = _NO_FILE
        self._last_line = ""
        self._found = False

    def ask(self, marks: Marks) -> Verdict:
        deadline = clock.monotonic() + self._spec.timeout
        if marks != self._marks:
            self._marks, self._found, self._last_line = marks, False, ""
            self._file, self._offset = marks.positions.get(str(self._spec.path), (_UNMARKED, 0))
        try:
            fault = "" if self._found else self._read_on(deadline)
        except OSError as error:
            fault = why(error)
        return starting(f"{self._spec.path}: {fault}") if fault else READY

    def _read_on(self, deadline: float) -> str:
        """Read what is new; why the service does not count as ready, empty when the line was found."""
        if not stat.S_ISREG(self._spec.path.stat().st_mode):  # opening a pipe would wait for its writer
            return "is not a regular file"
        with self._spec.path.open("rb", buffering=_CHUNK) as stream:
            self._find_place(os.fstat(stream.fileno()))
            stream.seek(self._offset)
            while line := stream.readline(_LONGEST_LINE):
                if self._matches(line):
                    self._found = True
                    return ""
                if not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
                    break  # still being written: to be read again as a whole
                self._offset += len(line)
                if clock.monotonic() > deadline:
                    return f"not read to its end within {self._spec.timeout:g} s"
        wanted = f"no line matches {self._spec.pattern!r} yet"
        return f"{wanted}; the last one is: {self._last_line}" if self._last_line else wanted

    def _find_place(self, status: os.stat_result) -> None:
        """Where to go on in the file as it is now."""
        if self._file == _UNMARKED:
            self._offset = max(0, status.st_size - UNMARKED_TAIL)
        elif self._file != status.st_ino or self._offset > status.st_size:
            self._offset = 0
        self._file = status.st_ino

    def _matches(self, line: bytes) -> bool:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        self._last_line = text[:200].strip() or self._last_line
        return self._pattern.search(text) is not None
