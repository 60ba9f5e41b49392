# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go into a bundle, and how it is had: a file (both ends of a long one), a command's output, a text."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import IO

from orchestrator.config.quantities import show_size
from orchestrator.host import processes

# Of what is longer, the first quarter of so many bytes and the rest from its end.
MOST = 4 << 20
_LEAST = 4096
_SECONDS = 15.0
# A program that has not come to an end so often is not asked any more.
_PATIENCE = 2


class Unavailable(Exception):
    """Why something is not in the bundle, in words."""


class Form(Enum):
    """How secrets are looked for in it."""

    TEXT = "text"
    JSON = "json"
    JSON_LINES = "json lines"
    # What is removed by its own maker; only known values are looked for once more.
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class Content:
    """`left_out`: so many bytes of its middle are not there; `time`: of its last change; `remark`: for the
    list; `removed`: secrets that its maker has removed already."""

    data: bytes
    left_out: int = 0
    time: float | None = None
    remark: str = ""
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """`path` in the bundle, what it is in words, and how it is read. `read` raises Unavailable or OSError."""

    path: str
    what: str
    read: Callable[[], Content]
    form: Form = Form.TEXT
    # Whether it is no news when it is missing.
    optional: bool = False


def why_not(error: Exception) -> str:
    """Why something could not be read, in words."""
    if isinstance(error, Unavailable):
        return str(error)
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"{type(error).__name__}: {error}"


def guarded(path: str, what: str, sources: Iterable[Source]) -> Iterator[Source]:
    """`sources`; what goes wrong while they are found is a source that cannot be read."""
    try:
        yield from sources
    except Exception as error:  # noqa: BLE001 - a bundle is made where things go wrong, perhaps our own
        why = why_not(error)

        def fail() -> Content:
            raise Unavailable(why)

        yield Source(path, what, fail)


def form_of(name: str) -> Form:
    if name.endswith(".jsonl"):
        return Form.JSON_LINES
    return Form.JSON if name.endswith(".json") else Form.TEXT


def file_source(path: str, what: str, file: Path, *, most: int = MOST, optional: bool = False) -> Source:
    return Source(path, what, lambda: read_file(file, most), form_of(path), optional)


def text_source(path: str, what: str, make: Callable[[], str]) -> Source:
    return Source(path, what, lambda: Content(make().encode("utf-8", "surrogateescape")), form_of(path))


def open_regular(path: Path) -> IO[bytes]:
    """Raises Unavailable for a directory, a pipe (which would keep us), a device; OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unavailable("it is no regular file")
    return open(descriptor, "rb", buffering=0)


def read_file(path: Path, most: int = MOST) -> Content:
    """A regular file, whole lines of both its ends where it is larger than `most`. Raises Unavailable, OSError."""
    with open_regular(path) as stream:
        about = os.fstat(stream.fileno())
        if about.st_size <= most:
            return Content(stream.read(most) or b"", time=about.st_mtime)
        head = stream.read(most // 4) or b""
        stream.seek(about.st_size - (most - most // 4))
        tail = stream.read(most - most // 4) or b""
    return _both_ends(head, tail, about.st_size, about.st_mtime, path.name)


def _both_ends(head: bytes, tail: bytes, size: int, time: float, name: str) -> Content:
    head = head[: head.rfind(b"\n") + 1] or head
    tail = tail[tail.find(b"\n") + 1 :] or tail
    left_out = size - len(head) - len(tail)
    if form_of(name) is Form.JSON_LINES:
        mark = f'{{"left_out": {left_out}}}\n'
    else:
        mark = f"[... {left_out} bytes ({show_size(left_out)}) left out ...]\n"
        mark = mark if head.endswith(b"\n") else f"\n{mark}"
    return Content(head + mark.encode() + tail, left_out, time)


@dataclass(slots=True)
class Commands:
    """Runs commands, each within a time; gives up on a program that hangs."""

    seconds: float = _SECONDS
    _hung: dict[str, int] = field(default_factory=dict)

    def source(
        self, path: str, what: str, argv: Sequence[str], *, optional: bool = False, most: int = MOST
    ) -> Source:
        return Source(path, what, lambda: self._run(argv, most), form_of(path), optional)

    def _run(self, argv: Sequence[str], most: int) -> Content:
        program = argv[0]
        if self._hung.get(program, 0) >= _PATIENCE:
            raise Unavailable(f"{program} does not answer")
        done = processes.run(argv, timeout=self.seconds)
        if done.exit_code == processes.TIMED_OUT:
            self._hung[program] = self._hung.get(program, 0) + 1
        data = done.stdout.encode("utf-8", "surrogateescape")
        if not data:
            if done.ok:
                raise Unavailable("it says nothing")
            raise Unavailable(done.last_words())
        remark = "" if done.ok else f"exit status {done.exit_code}"
        if done.exit_code == processes.TIMED_OUT:
            remark = f"cut off after {self.seconds:g} s"
        if len(data) > most:
            cut = _both_ends(data[: most // 4], data[-(most - most // 4) :], len(data), 0.0, "output")
            return Content(cut.data, cut.left_out, None, remark)
        return Content(data, remark=remark)
