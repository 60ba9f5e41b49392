# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bundle tells of the host: its system, resources, packages, units and what they said."""

import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from orchestrator import __version__
from orchestrator.host import facts, processes
from orchestrator.upgrade.bundle.sources import Commands, Source, file_source, text_source

# Lines of a journal: the newest.
_LINES = "20000"
OWN_UNITS = "orchestrator-*"
_COLUMNS = "pid,ppid,user,stat,lstart,time,rss,wchan:20,comm"
# File in the bundle, what it is, the command.
_COMMANDS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("uname.txt", "kernel", ("uname", "-a")),
    ("uptime.txt", "time since the boot, load", ("uptime",)),
    ("cpu.txt", "processors", ("lscpu",)),
    ("memory.txt", "memory and swap, in MiB", ("free", "-m")),
    ("disks.txt", "room on file systems", ("df", "-hT")),
    ("inodes.txt", "inodes of file systems", ("df", "-i")),
    (
        "mounts.txt",
        "mounts with their options",
        ("findmnt", "--list", "--output=TARGET,SOURCE,FSTYPE,OPTIONS"),
    ),
    ("block-devices.txt", "disks and partitions", ("lsblk",)),
    ("sockets.txt", "who listens where", ("ss", "-ltnup")),
    ("processes.txt", "processes, by name only", ("ps", "-e", "-o", _COLUMNS)),
    ("locale.txt", "locale", ("locale",)),
)
_OF_SYSTEMD: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("systemd-version.txt", "version of systemd", ("systemctl", "--version")),
    ("boots.txt", "boots that the journal knows", ("journalctl", "--list-boots", "--no-pager")),
    ("time.txt", "time, time zone, synchronisation", ("timedatectl", "show")),
    ("state.txt", "systemd's own state", ("systemctl", "is-system-running")),
    (
        "failed-units.txt",
        "units that failed",
        ("systemctl", "list-units", "--failed", "--no-pager", "--plain"),
    ),
    ("jobs.txt", "jobs that wait or run", ("systemctl", "list-jobs", "--no-pager")),
    ("timers.txt", "timers", ("systemctl", "list-timers", "--all", "--no-pager")),
    ("inhibitors.txt", "who delays a shutdown", ("systemd-inhibit", "--list", "--no-pager")),
    ("boot-time.txt", "how long the boot took", ("systemd-analyze", "time")),
)
_FILES: tuple[tuple[str, str], ...] = (
    ("/etc/os-release", "distribution"),
    ("/proc/meminfo", "memory in detail"),
    ("/proc/loadavg", "load"),
    ("/proc/cmdline", "kernel command line"),
    ("/proc/pressure/cpu", "pressure on processors"),
    ("/proc/pressure/memory", "pressure on memory"),
    ("/proc/pressure/io", "pressure on disks"),
)
_MOST_OF_PACKAGE_LOG = 256 << 10
_PACKAGE_LOGS = (
    "/var/log/dpkg.log",
    "/var/log/apt/history.log",
    "/var/log/apt/term.log",
    "/var/log/dnf.log",
    "/var/log/dnf.rpm.log",
)
_DPKG = ("dpkg-query", "--show", "--showformat=${db:Status-Abbrev} ${Package} ${Version} ${Architecture}\\n")


def host_sources(commands: Commands, directories: Iterable[Path]) -> Iterator[Source]:
    """`directories`: whose file systems matter."""
    for name, what, argv in _COMMANDS:
        yield commands.source(f"host/{name}", what, argv)
    yield commands.source("host/virtualisation.txt", "virtual machine or container", ("systemd-detect-virt",))
    for path, what in _FILES:
        yield file_source(f"host/{path.strip('/').replace('/', '-')}.txt", what, Path(path), optional=True)
    yield text_source("host/versions.txt", "orchestrator, Python, its packages", versions)
    yield text_source("host/room.txt", "room where orchestrator keeps its files", lambda: _room(directories))
    yield from _packages(commands)


def systemd_sources(commands: Commands, units: Iterable[str], since: str) -> Iterator[Source]:
    """`since`: of journals, as journalctl reads a time; empty: this boot."""
    for name, what, argv in _OF_SYSTEMD:
        yield commands.source(f"host/{name}", what, argv)
    span = [f"--since={since}"] if since else ["--boot"]
    journal = ["journalctl", "--no-pager", "--output=short-iso-precise", f"--lines={_LINES}", *span]
    kernel = [*journal, "--dmesg", "--priority=notice"]
    yield commands.source("journal/kernel.txt", "what the kernel said", kernel, optional=True)
    own = [*journal, f"--unit={OWN_UNITS}"]
    yield commands.source(
        "journal/orchestrator.txt", "what orchestrator's own units said", own, optional=True
    )
    own_state = ["systemctl", "show", "--no-pager", "--all", OWN_UNITS]
    yield commands.source("units/orchestrator.txt", "orchestrator's own units", own_state, optional=True)
    for unit in units:
        yield from _unit(commands, unit, journal)


def _unit(commands: Commands, unit: str, journal: Sequence[str]) -> Iterator[Source]:
    show = ["systemctl", "show", "--no-pager", "--", unit]
    status = ["systemctl", "status", "--no-pager", "--full", "--lines=50", "--", unit]
    yield commands.source(f"units/{unit}/status.txt", "how it is", status)
    yield commands.source(f"units/{unit}/show.txt", "all its properties", show)
    yield commands.source(
        f"units/{unit}/files.txt", "unit file and drop-ins", ["systemctl", "cat", "--no-pager", "--", unit]
    )
    yield commands.source(f"journal/{unit}.txt", "what it said", [*journal, f"--unit={unit}"])


def _packages(commands: Commands) -> Iterator[Source]:
    if shutil.which("dpkg-query", path=processes.STANDARD_PATH):
        yield commands.source("host/packages-deb.txt", "installed packages", _DPKG)
    if shutil.which("rpm", path=processes.STANDARD_PATH):
        yield commands.source("host/packages-rpm.txt", "installed packages", ("rpm", "-qa"), optional=True)
    for log in _PACKAGE_LOGS:
        name = log.removeprefix("/var/log/").replace("/", "-")
        yield file_source(
            f"host/{name}",
            "what the package manager did",
            Path(log),
            most=_MOST_OF_PACKAGE_LOG,
            optional=True,
        )


def versions() -> str:
    lines = [f"orchestrator {__version__}", f"Python {platform.python_version()} ({sys.executable})", ""]
    installed = {(one.name or "?", one.version) for one in importlib.metadata.distributions()}
    return "\n".join([*lines, *(f"{name} {version}" for name, version in sorted(installed))]) + "\n"


def _room(directories: Iterable[Path]) -> str:
    lines = []
    for directory in directories:
        try:
            lines.append(f"{directory}: {facts.free_bytes(directory)} bytes free")
        except OSError as error:
            lines.append(f"{directory}: {error.strerror}")
    return "\n".join(lines) + "\n"
