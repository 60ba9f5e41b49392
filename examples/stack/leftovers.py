# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of an earlier demo in the same directory, ended whatever state it was left in."""

import contextlib
import os
import signal
import time
from pathlib import Path

PATIENCE = 10.0


def find(directory: Path) -> dict[int, str]:
    """Pids of Bookshelf's services in `directory`, each with its command line."""
    wanted = [f"{directory}/{part}" for part in ("postgresql/data", "current/", "app-", "upstream/")]
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            words = os.fsdecode((entry / "cmdline").read_bytes()).split("\0")
            if _is_service(words, wanted):
                found[int(entry.name)] = " ".join(words).strip()
    return found


def _is_service(words: list[str], wanted: list[str]) -> bool:
    """A server of ours, not an editor or a pager that has one of our files open."""
    server = Path(words[0]).name == "postgres" or Path(words[0]).name.startswith("python")
    return server and any(word.startswith(start) for word in words[1:] for start in wanted)


def stop(directory: Path) -> list[str]:
    """End them and wait until they are gone; the command lines of those that had to be killed."""
    for pid, command in find(directory).items():
        # PostgreSQL takes INT for a fast shutdown; TERM would wait for every client.
        _send(pid, signal.SIGINT if "postgresql/data" in command else signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while (left := find(directory)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in left:
        _send(pid, signal.SIGKILL)
    while left and find(directory):
        time.sleep(0.05)
    return list(left.values())


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
