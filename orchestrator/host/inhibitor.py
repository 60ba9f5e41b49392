# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping the host from being shut down or put to sleep while something must not be interrupted.

By `systemd-inhibit`, which takes the lock from logind and holds it as long as its command runs: one that reads our
pipe, so that the lock dies with us, however we die. Nothing waits for it: where logind is slow, the lock comes later.
Without systemd, or where logind refuses, there is no lock.
"""

import contextlib
from collections.abc import Iterator

from orchestrator.host import facts, processes


@contextlib.contextmanager
def inhibited(why: str) -> Iterator[None]:
    """While it is entered, an orderly shutdown or suspend is refused with `why`, where the host can do so."""
    if not facts.systemd_runs():
        yield
        return
    # Ended by a signal too: it may still be waiting for logind. Its command dies with it.
    with processes.beside(
        [
            "systemd-inhibit",
            "--what=shutdown:sleep",
            "--mode=block",
            "--who=orchestrator",
            f"--why={why}",
            "cat",
        ]
    ):
        yield
