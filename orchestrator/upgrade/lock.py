# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time: a kernel lock that dies with its holder, and a message that says who holds it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.errors import Busy, NotPermitted, StateUnwritable
from orchestrator.host import clock, facts, files
from orchestrator.host.files import FileLock

FILE_NAME = "lock"
# `status` takes the lock for an instant to see whether it is free: one failure means nothing.
_LOOKS, _BETWEEN_LOOKS = 4, 0.05
_POLL = 0.3


class Locked(Busy):
    """Another process holds the lock; nothing was begun."""


def acquire(
    state_dir: Path, *, purpose: str, wait: float = 0.0, waiting: Callable[[str], None] = lambda _: None
) -> FileLock:
    """The lock on `state_dir`, waiting at most `wait` seconds; then `waiting` is told, once, for whom.

    Raises Locked naming the holder, NotPermitted, or StateUnwritable.
    """
    lock = FileLock(state_dir / FILE_NAME)
    told = False
    until = clock.monotonic() + max(wait, _LOOKS * _BETWEEN_LOOKS)
    try:
        while not lock.try_acquire():
            if clock.monotonic() >= until:
                raise Locked(
                    f"{describe_holder(read_holder(state_dir))} holds the lock {lock.path}",
                    hint="wait for it with --wait-lock 10m; see where it is with: orchestrator status",
                )
            if wait and not told:
                waiting(describe_holder(read_holder(state_dir)))
                told = True
            clock.sleep(_POLL if wait else _BETWEEN_LOOKS)
    except PermissionError as error:
        raise NotPermitted(f"{lock.path}: {error.strerror}", hint="run it as root") from None
    except OSError as error:
        raise StateUnwritable(f"{lock.path}: {error.strerror}", hint="nothing was touched") from None
    lock.describe(
        {"pid": os.getpid(), "since": clock.timestamp(), "user": facts.user_name(), "purpose": purpose}
    )
    return lock


def is_held(state_dir: Path) -> bool:
    try:
        return files.lock_is_held(state_dir / FILE_NAME)
    except PermissionError:
        return False


def read_holder(state_dir: Path) -> dict[str, Any]:
    content = files.read_json(state_dir / FILE_NAME)
    return content if isinstance(content, dict) else {}


def describe_holder(holder: dict[str, Any]) -> str:
    """`run 0003-... (pid 812, root, since 10:02:11, at upgrade/0120_x.sh)`."""
    if not holder:
        return "another process"
    what = (
        f"run {holder['run']}" if holder.get("run") else f"orchestrator {holder.get('purpose', '')}".strip()
    )
    details = [f"pid {holder.get('pid')}", str(holder.get("user", "?")), f"since {holder.get('since')}"]
    if holder.get("step"):
        details.append(f"at {holder['step']}")
    return f"{what} ({', '.join(details)})"
