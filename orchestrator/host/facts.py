# SPDX-License-Identifier: GPL-3.0-or-later
"""What is so on this host now: processes and who they are, ports, disks, memory, users."""

import contextlib
import os
import pwd
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from orchestrator.host import clock

_LISTEN = "0A"  # in /proc/net/tcp


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process that cannot be confused with a later one of the same number.

    `started` is in clock ticks since boot (field 22 of /proc/PID/stat), `boot` the kernel's boot id.
    """

    pid: int
    started: int
    boot: str

    def to_json(self) -> dict[str, Any]:
        return {"pid": self.pid, "started": self.started, "boot": self.boot}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "ProcessId":
        return cls(int(value["pid"]), int(value["started"]), str(value["boot"]))


@cache
def boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def _stat_fields(pid: int) -> list[bytes] | None:
    """The fields of /proc/PID/stat from the third on (state, ppid, ...)."""
    try:
        data = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return data[data.rindex(b")") + 2 :].split()


def identify(pid: int) -> ProcessId | None:
    """The process that now has the number `pid`; None when there is none (a zombie counts as one)."""
    fields = _stat_fields(pid)
    return ProcessId(pid, int(fields[19]), boot_id()) if fields else None


def is_running(process: ProcessId) -> bool:
    """Whether this very process still runs; a zombie does not."""
    fields = _stat_fields(process.pid)
    if not fields or process.boot != boot_id():
        return False
    return int(fields[19]) == process.started and fields[0] not in (b"Z", b"X")


def seconds_running(process: ProcessId) -> float:
    """How long ago it was started; 0 for a process of another boot."""
    if process.boot != boot_id():
        return 0.0
    return max(0.0, clock.since_boot() - process.started / os.sysconf("SC_CLK_TCK"))


def command_of(pid: int) -> str:
    """A short command line for messages, `?` when it cannot be read."""
    try:
        data = Path(f"/proc/{pid}/cmdline").read_bytes()
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "?"
    words = data.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace").split()
    return " ".join(words)[:80] if words else f"[{name}]"


def family(pids: Iterable[int]) -> set[ProcessId]:
    """The given processes, all their descendants, and all members of sessions they lead."""
    roots = set(pids)
    parent: dict[int, int] = {}
    session: dict[int, int] = {}
    for pid in _pids():
        if fields := _stat_fields(pid):
            parent[pid] = int(fields[1])
            session[pid] = int(fields[3])
    found = {pid for pid in parent if pid in roots or session[pid] in roots}
    grew = True
    while grew:
        more = {pid for pid, above in parent.items() if above in found and pid not in found}
        found |= more
        grew = bool(more)
    return {process for pid in found if (process := identify(pid)) is not None}


def ancestors() -> set[int]:
    """This process, its parent, and so on up to init."""
    found, pid = set[int](), os.getpid()
    while pid > 0 and pid not in found:
        found.add(pid)
        fields = _stat_fields(pid)
        pid = int(fields[1]) if fields else 0
    return found


def started_with(environment: Mapping[str, str]) -> set[int]:
    """Processes, other than this one, that were started with all of `environment`; of other users only
    where this one may look."""
    wanted = {f"{name}={value}".encode() for name, value in environment.items()}
    others = (pid for pid in _pids() if pid != os.getpid())
    return {pid for pid in others if wanted <= set(_read(pid, "environ").split(b"\0"))}


def leads_session(pid: int) -> bool:
    fields = _stat_fields(pid)
    return fields is not None and int(fields[3]) == pid


def has_terminal(pid: int) -> bool:
    """Whether Ctrl-C at some terminal reaches it: it has a controlling one."""
    fields = _stat_fields(pid)
    return fields is not None and int(fields[4]) != 0


def in_control_group(group: str) -> set[int]:
    """Processes in the control group `group` (a path as systemd writes it) and those below, v1 or v2."""
    found = set()
    for pid in _pids():
        for line in _read(pid, "cgroup").decode("utf-8", "replace").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers in ("", "name=systemd") and f"{path}/".startswith(f"{group}/"):
                found.add(pid)
    return found


def own_unit() -> str | None:
    """The systemd service that is this program, so that stopping it asks just this program to stop; else None.

    It is the one systemd started us as ($SYSTEMD_EXEC_PID), or one of ours by its name.
    """
    for line in _read(os.getpid(), "cgroup").decode("utf-8", "replace").splitlines():
        _, controllers, path = line.split(":", 2)
        unit = path.rpartition("/")[2]
        if controllers in ("", "name=systemd") and unit.endswith(".service"):
            main = os.environ.get("SYSTEMD_EXEC_PID") == str(os.getpid())
            return unit if main or unit.startswith("orchestrator-") else None
    return None


def systemd_runs() -> bool:
    """Whether systemd is this host's init (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def _pids() -> Iterator[int]:
    return (int(entry) for entry in os.listdir("/proc") if entry.isdigit())


def _read(pid: int, file: str) -> bytes:
    """Empty when the process is gone or not ours to read."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/{file}").read_bytes()
    return b""


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody listening on a TCP port; `pid` is None when this user may not know."""

    port: int
    pid: int | None


def listeners(ports: Iterable[int]) -> list[Listener]:
    """Who listens on any of `ports`, IPv4 or IPv6."""
    wanted = set(ports)
    # To say who listens, psutil looks at every descriptor of every process; mostly there is nobody.
    if not wanted & _listened_on():
        return []
    import psutil

    found = {
        Listener(connection.laddr.port, connection.pid)
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port in wanted
    }
    known = {listener.port for listener in found if listener.pid is not None}
    return sorted(
        (x for x in found if x.pid is not None or x.port not in known), key=lambda x: (x.port, x.pid or 0)
    )


def _listened_on() -> set[int]:
    """The TCP ports that anybody listens on."""
    found = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(FileNotFoundError):  # no IPv6 here
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                _, local, _, state = line.split(None, 4)[:4]
                if state == _LISTEN:
                    found.add(int(local.rpartition(":")[2], 16))
    return found


def free_bytes(path: Path) -> int:
    """What an unprivileged writer may still write below `path` (its nearest existing parent)."""
    while not path.exists():
        path = path.parent
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


@cache
def user_name() -> str:
    """Who asked for this: the user behind sudo, else the effective one."""
    if name := os.environ.get("SUDO_USER"):
        return name
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(os.geteuid()).pw_name
    return str(os.geteuid())


def host_name() -> str:
    return socket.gethostname()
