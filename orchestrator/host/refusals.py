# SPDX-License-Identifier: GPL-3.0-or-later
"""What the system refuses (a full disk, a read-only one, one that fails, a file of somebody else), in the user's terms."""

import errno
import os

from orchestrator.errors import NotPermitted, OrchestratorError, StateUnwritable

_FULL = (errno.ENOSPC, errno.EDQUOT)
# Errors that no program can rule out beforehand. Others (no such file, bad descriptor ...) may be its own mistakes.
_OF_THE_SYSTEM = {
    *_FULL, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
    errno.ENOLCK, errno.EFBIG, errno.EMLINK, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.EUCLEAN,
}  # fmt: skip


def is_refusal(error: OSError) -> bool:
    """Whether the machine is to be mended, and not the program."""
    return error.errno in _OF_THE_SYSTEM


def refused_by_system(error: OSError, place: object = "", kept: str = "") -> OrchestratorError:
    """The error with its hint. `place`: where it was, if the system does not say; `kept`: what is not lost by it."""
    where = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else str(place)
    message = f"{where or 'input or output'}: {error.strerror or error}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return NotPermitted(message, hint="run it as root")
    return StateUnwritable(message, hint=_hint(error.errno, where or "the file system", kept))


def _hint(number: int | None, where: str, kept: str) -> str:
    again = f"{kept}; run it again" if kept else "run it again"
    if number == errno.EDQUOT:
        return f"free space on {where}, or have its quota raised; {again}"
    if number == errno.ENOSPC:
        return f"free space (bytes or inodes: df, df -i) on {where}; {again}"
    if number == errno.EROFS:
        return f"mount the file system of {where} for writing (findmnt -T tells it); {again}"
    if number == errno.EIO:
        return f"the disk below {where} fails: look at the kernel's messages (dmesg) before anything else"
    return ""
