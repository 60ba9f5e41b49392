# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is installing packages: the locks that dpkg and rpm hold while they change the system.

They are POSIX record locks (fcntl(2)); the kernel tells with F_GETLK who holds one, and takes none for that. What
runs inside a transaction (a maintainer script and all that it starts) has the holder among its ancestors.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import Busy
from orchestrator.host import clock, facts, files

# Debian's policy for tools names the first two; rpm has one beside its database, which lies in either place.
LOCKS = (
    Path("/var/lib/dpkg/lock-frontend"),
    Path("/var/lib/dpkg/lock"),
    Path("/var/lib/rpm/.rpm.lock"),
    Path("/usr/lib/sysimage/rpm/.rpm.lock"),
)
_POLL = 0.5


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that changes packages. `pid` 0: it cannot be seen from here (it is outside this container)."""

    lock: Path
    pid: int
    command: str

    @property
    def who(self) -> str:
        return f"{self.command} (pid {self.pid})" if self.pid else "a process that cannot be seen from here"

    def __str__(self) -> str:
        return f"{self.who} holds {self.lock}"


def holders(locks: Iterable[Path] = LOCKS) -> tuple[Holder, ...]:
    """Who holds one of `locks` for writing, this process aside. What this user may not open counts as free."""
    found = []
    for lock in locks:
        pid = files.record_lock_writer(lock)
        if pid is not None:
            found.append(Holder(lock, pid, facts.command_of(pid) if pid else "?"))
    return tuple(found)


def strangers(locks: Iterable[Path] = LOCKS) -> tuple[Holder, ...]:
    """The holders that this process is no part of."""
    found = holders(locks)
    if not found:
        return ()
    ancestors = facts.ancestors()
    return tuple(holder for holder in found if holder.pid not in ancestors)


def wait_until_free(
    limit: float, waiting: Callable[[str], None] = lambda _: None, locks: Iterable[Path] = LOCKS
) -> None:
    """Return once nobody else installs packages; `waiting` is told, once, for whom we wait.

    Raises Busy naming the holder after `limit` seconds.
    """
    paths, told = tuple(locks), False
    until = clock.monotonic() + limit
    while found := strangers(paths):
        if clock.monotonic() >= until:
            raise Busy(
                f"a package transaction is under way: {'; '.join(map(str, found))}",
                hint="wait for its end, or longer with --wait-packages 1h",
            )
        if not told:
            waiting(f"{found[0].who}, which holds {found[0].lock},")
            told = True
        clock.sleep(min(_POLL, max(0.0, until - clock.monotonic())))
