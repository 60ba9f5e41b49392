# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time on a line of exports: those of one subject for one destination."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.content.exports import places
from orchestrator.content.exports.manifest import Subject
from orchestrator.content.exports.outcome import subject_text
from orchestrator.content.pool import make_public_directory
from orchestrator.errors import Busy
from orchestrator.host import clock
from orchestrator.host.files import FileLock, read_json

_POLL = 0.1


@contextmanager
def line_lock(exports: Path, subject: Subject, destination: str, wait: float) -> Iterator[bool]:
    """Whether it had to be waited for: then another run may have exported meanwhile. Raises Busy naming the other
    run, after `wait` seconds, and OSError."""
    path = places.lock_file(exports, subject, destination)
    make_public_directory(path.parent)
    lock, until, waited = FileLock(path), clock.monotonic() + wait, False
    while not lock.try_acquire():
        waited = True
        if clock.monotonic() >= until:
            raise _busy(path, subject, destination)
        clock.sleep(_POLL)
    with lock:
        lock.describe({"pid": os.getpid(), "since": clock.timestamp()})
        yield waited


def _busy(path: Path, subject: Subject, destination: str) -> Busy:
    holder = read_json(path)
    who = f"pid {holder['pid']}, since {holder['since']}" if isinstance(holder, dict) else "just started"
    where = f" for {destination}" if destination else ""
    return Busy(
        f"another run exports {subject_text(subject)}{where} ({who})",
        hint="try again when it is through, or wait for it: --wait-lock 1h",
    )
