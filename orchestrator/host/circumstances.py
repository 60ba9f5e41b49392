# SPDX-License-Identifier: GPL-3.0-or-later
"""Why no upgrade can run here now: what a package's script may find itself in, beside a host at work.

An image that is being built, a chroot, an update before the host is up, a host on its way down: services cannot be
stopped and started there. A container whose init is systemd is a host like any other.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from orchestrator.host import facts, processes

POLICY = Path("/usr/sbin/policy-rc.d")
# systemd.offline-updates(7): either link sends the next boot, or this one, to system-update.target.
_OFFLINE_UPDATE = (Path("/system-update"), Path("/etc/system-update"))
# What `systemctl is-system-running` says where services are not to be started (systemctl(1)).
_STATES = {
    "initializing": "the host is still booting",
    "maintenance": "the host is in rescue or emergency mode",
    "stopping": "the host is going down",
    "offline": "systemd does not run this host",
}
# What policy-rc.d answers where the action is forbidden, or where another is to be done in its place.
_FORBIDDEN = (101, 106)


def obstacles(
    units: Iterable[str], *, policy: bool, environ: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """Everything that keeps an upgrade from running here now, in words; empty on a host at work.

    `policy`: ask Debian's policy-rc.d about `units` as well, as its packages' scripts do before they touch a service.
    """
    found = [*_elsewhere(environ), *_offline(environ)]
    if not found:
        found += _not_at_work()
    if not found and policy:
        found += _forbidden(units)
    return tuple(found)


def _elsewhere(environ: Mapping[str, str]) -> Iterator[str]:
    """Packages are installed for another host than the one that runs."""
    if root := environ.get("DPKG_ROOT", ""):
        yield f"packages are installed into {root} (DPKG_ROOT)"
    if in_chroot():
        yield "this is a chroot"
    elif not facts.systemd_runs():
        yield "systemd does not run here"


def in_chroot(proc: Path = Path("/proc")) -> bool:
    """Whether our root is another than init's (as systemd-detect-virt(1) --chroot has it), or /proc is missing."""
    try:
        return not os.path.samestat(os.stat(proc / "1/root"), os.stat("/"))
    except FileNotFoundError:
        return not (proc / "self").exists()
    except OSError:
        return False  # not for this user to know


def _offline(environ: Mapping[str, str]) -> Iterator[str]:
    if environ.get("SYSTEMD_OFFLINE", "").lower() in ("1", "yes", "true", "on", "y", "t"):
        yield "$SYSTEMD_OFFLINE says that this host does not run"
    for link in _OFFLINE_UPDATE:
        if os.path.lexists(link):
            yield f"an offline update is under way or prepared ({link})"


def _not_at_work() -> Iterator[str]:
    said = processes.run(["systemctl", "is-system-running"]).stdout.strip()
    if said in _STATES:
        yield _STATES[said]


def _forbidden(units: Iterable[str]) -> Iterator[str]:
    """The services that policy-rc.d lets nobody start or stop; it is asked as invoke-rc.d(8) does."""
    if not _is_program(POLICY):
        return
    names = [unit.removesuffix(".service") for unit in units]
    denied = [
        name
        for name in dict.fromkeys(names)
        if any(
            processes.run([str(POLICY), "--quiet", name, action]).exit_code in _FORBIDDEN
            for action in ("stop", "start")
        )
    ]
    if denied:
        yield f"{POLICY} forbids to stop or start {', '.join(denied)}"


def _is_program(path: Path) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and os.access(path, os.X_OK)
