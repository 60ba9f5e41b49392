# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of `file://` addresses: copied as they are hashed, never through libcurl."""

import os
import stat
from urllib.parse import unquote, urlsplit

from orchestrator.content.fetching import Ending
from orchestrator.content.model import Validators
from orchestrator.content.transfer.job import Job
from orchestrator.content.transfer.policy import Verdict
from orchestrator.content.transfer.requests import Result
from orchestrator.content.transfer.rules import Again

_PIECE = 1024 * 1024


class _Unreadable(Exception):
    """The source is at fault."""

    def __init__(self, ending: Ending, why: str) -> None:
        super().__init__(why)
        self.verdict = Verdict(ending, ending is Ending.UNREACHABLE, why)


def answer(job: Job) -> Result | Again:
    """Do what a server would do for the job's address. Raises OSError for the disk of the target."""
    job.start()
    job.forget()
    try:
        descriptor = _opened(job.url)
    except _Unreadable as error:
        return job.failed(error.verdict)
    try:
        return _copied(job, descriptor)
    except _Unreadable as error:
        return job.failed(error.verdict)
    finally:
        os.close(descriptor)


def _opened(url: str) -> int:
    """Raises _Unreadable unless it is a file that can be read."""
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise _Unreadable(Ending.FORBIDDEN, "a file address names no other host")
    try:
        path = unquote(parts.path, errors="surrogateescape")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        raise _Unreadable(Ending.NOT_FOUND, "there is no such file") from None
    except (OSError, ValueError) as error:
        raise _Unreadable(Ending.FORBIDDEN, getattr(error, "strerror", None) or str(error)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _Unreadable(Ending.NOT_FOUND, "it is not a file")
    return descriptor


def _copied(job: Job, descriptor: int) -> Result | Again:
    status, request = os.fstat(descriptor), job.request
    validators = Validators(f'"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"')
    if request.known is not None and request.known.etag == validators.etag:
        return job.not_modified()
    if request.size is not None and request.size != status.st_size:
        why = f"not the file: it has {status.st_size} bytes, not {request.size}"
        return job.failed(Verdict(Ending.WRONG_CONTENT, again=False, why=why))
    while piece := _read(descriptor):
        if not job.take(piece) or job.halted:
            return job.stopped()
    return job.complete(validators if request.digest is None else None)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _PIECE)
    except OSError as error:
        raise _Unreadable(Ending.UNREACHABLE, error.strerror or str(error)) from None
