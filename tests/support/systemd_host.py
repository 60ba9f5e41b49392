# SPDX-License-Identifier: GPL-3.0-or-later
"""Throw-away hosts with a real systemd as PID 1, made from this machine's own root file system.

`systemd-nspawn --boot` on an overlay: the lower layer is this machine, the upper one a tmpfs. So a host
has every program and package of the machine, its own units, journal, users, network (loopback only)
and PID space, and is up in about half a second. `cut` is a power cut: everything dies at once, the disk
stays; `boot` starts it again. Hosts are independent of each other; any number may be up.

    with SystemdHost("db") as host:
        host.unit_file("hello.service", "[Service]\\nExecStart=/usr/bin/sleep inf\\n")
        host.systemctl("start", "hello")
        host.orchestrator("status")
        host.cut()
        host.boot()

What a test should know: /tmp, /run and /dev inside are the host's own and die with a cut: what must
survive goes to /opt, /etc or /var. Nothing that Debian enabled is enabled inside, and nothing is masked:
`host.systemctl("start", "redis-server")` works. Packages must be installed before a host comes up.
Units with `User=` need an interpreter that this user can reach: /usr/bin/python3, not one below /root.
"""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support import host_remains

CHECKOUT = Path(__file__).resolve().parents[2]
_VOLATILE = ("/tmp", "/run", "/dev", "/proc", "/sys")
_numbers = itertools.count(1)


@cache
def obstacle() -> str:
    """Why this machine cannot have such hosts; empty when it can."""
    if os.geteuid() != 0:
        return "throw-away systemd hosts need root"
    for program in ("systemd-nspawn", "nsenter", "mount", "systemctl"):
        if shutil.which(program) is None:
            return f"throw-away systemd hosts need {program} (Debian: systemd-container, util-linux)"
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "throw-away systemd hosts need overlayfs"
    roots = host_remains.cgroup_roots()
    if not roots or not all(os.access(root, os.W_OK) for root in roots):
        return "throw-away systemd hosts need cgroups that may be written"
    return ""


class SystemdHost:
    """One host. A context manager: up at entry, gone without trace at exit."""

    def __init__(self, name: str = "host", *, like: "SystemdHost | None" = None) -> None:
        """`like`: it begins with what is on that one's disk, which is off and stays off meanwhile."""
        self.like = like
        self.name = f"{name}-{os.getpid()}-{next(_numbers)}"
        self.directory = host_remains.PARENT / self.name
        self._root = self.directory / "root"
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader: int | None = None
        self._spawned: list[subprocess.Popen[bytes]] = []
        self._exit = contextlib.ExitStack()

    # Life -----------------------------------------------------------------------------------------

    def up(self) -> None:
        """Make the host and boot it."""
        host_remains.remove_stale()
        self.directory.mkdir(parents=True)
        host_remains.claim(self.directory, os.getpid())
        self._exit.callback(host_remains.remove, self.directory)
        try:
            self._exit.enter_context(host_remains.guard(self.directory))
            self._make_disk()
            self.boot()
        except BaseException:
            self.down()
            raise

    def boot(self, *, until: str = "") -> None:
        """Switch it on and wait until systemd has started all that is enabled, or until that unit is active."""
        assert self._nspawn is None, f"{self.name} is up"
        groups = [root / self.name for root in host_remains.cgroup_roots()]
        for group in groups:
            group.mkdir(exist_ok=True)
        # In a group of its own each: two nspawns in one group would share their payloads' groups.
        join = " && ".join(f'echo $$ > "{group}/cgroup.procs"' for group in groups)
        with (self.directory / "console").open("ab") as console:
            self._nspawn = subprocess.Popen(
                ["sh", "-c", f'{join} && exec "$@"', "sh", *self._nspawn_command()],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        self._wait_until_up(until)

    def cut(self) -> None:
        """Power off without a word: every process dies at once, the disk keeps what was written."""
        host_remains.kill_processes(self.name)
        for process in (*self._spawned, *filter(None, (self._nspawn,))):
            process.communicate(timeout=10)
        self._spawned.clear()
        self._nspawn = self._leader = None

    def down(self) -> None:
        """Throw it away."""
        try:
            self.cut()
        finally:
            self._exit.close()

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.down()

    # Inside ---------------------------------------------------------------------------------------

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        input: str | None = None,  # noqa: A002 - subprocess.run's own word
        env: Mapping[str, str] | None = None,
        timeout: float = 120.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root in `/`. With `check`, a failure is an AssertionError with its output."""
        done = subprocess.run(
            self.enter(argv, env),
            check=False,
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
        )
        if check and done.returncode:
            words = "\n".join(filter(None, (done.stdout, done.stderr)))
            raise AssertionError(f"{' '.join(argv)} on {self.name}: exit status {done.returncode}\n{words}")
        return done

    def spawn(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, **streams: Any
    ) -> subprocess.Popen[bytes]:
        """Start a command inside and return at once; it ends with the host at the latest.

        To signal it use `kill`: the Popen is nsenter's. `streams` are Popen's; stdin is /dev/null.
        """
        process = subprocess.Popen(self.enter(argv, env), **{"stdin": subprocess.DEVNULL, **streams})
        self._spawned.append(process)
        return process

    def kill(self, process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> None:
        """Signal the command that `spawn` started, not its nsenter."""
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in children:
            os.kill(int(pid), number)

    def orchestrator(
        self,
        *arguments: str,
        check: bool = False,
        env: Mapping[str, str] | None = None,
        timeout: float = 120.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run this checkout's own command inside, with the interpreter of the tests."""
        return self.run(self.orchestrator_command(*arguments), check=check, env=env, timeout=timeout)

    @staticmethod
    def orchestrator_command(*arguments: str) -> list[str]:
        """The same as an argument vector, for `spawn` and for units."""
        return [sys.executable, "-m", "orchestrator", *arguments]

    def systemctl(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run(["systemctl", *arguments], check=check)

    def show(self, unit: str, what: str = "ActiveState") -> str:
        """One property of a unit."""
        return self.systemctl("show", "--value", f"--property={what}", unit).stdout.strip()

    def journal(self, unit: str) -> str:
        return self.run(["journalctl", "--no-pager", "--output=cat", f"--unit={unit}"]).stdout

    # Files ----------------------------------------------------------------------------------------

    def path(self, inside: str | Path) -> Path:
        """Where a file of the host is reached from here. Absolute links in it lead out of the host."""
        parts = Path(inside).relative_to("/")
        if str(inside).startswith(_VOLATILE):
            return Path(f"/proc/{self._leader}/root") / parts
        return self._root / parts

    def write(self, inside: str | Path, text: str, mode: int = 0o644) -> None:
        """Make a file of the host, with its directories; common indentation is taken off."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))
        path.chmod(mode)

    def unit_file(self, name: str, text: str, directory: str = "/etc/systemd/system") -> None:
        """Write a unit and have systemd read it."""
        self.write(f"{directory}/{name}", text)
        self.systemctl("daemon-reload")

    # Making it ------------------------------------------------------------------------------------

    def _make_disk(self) -> None:
        disk = self.directory / "disk"
        disk.mkdir()
        self._root.mkdir()
        _mount("tmpfs", disk, "tmpfs", "size=2g,mode=755")
        for part in ("upper", "work"):
            (disk / part).mkdir()
        options = f"lowerdir={':'.join(self._layers())},upperdir={disk}/upper,workdir={disk}/work"
        _mount("overlay", self._root, "overlay", options)
        if self.like is None:
            self._disable_everything()
            # Without a machine id systemd would take this for the first boot and enable all by preset.
            self.write("/etc/machine-id", uuid.uuid4().hex + "\n")
        self.write("/etc/hostname", self.name + "\n")

    def _layers(self) -> list[str]:
        """The disks below this one's, the nearest first."""
        return ["/"] if self.like is None else [f"{self.like.directory}/disk/upper", *self.like._layers()]

    def _disable_everything(self) -> None:
        """What packages of the machine have enabled must not start inside."""
        for wants in self.path("/etc/systemd/system").glob("*.[wr]*s/*"):
            wants.unlink()
        for link in self.path("/etc").glob("rc[0-6S].d/S*"):
            link.unlink()
        for mask in self.path("/etc/systemd/system").iterdir():
            if mask.is_symlink() and os.readlink(mask) == os.devnull:
                mask.unlink()

    def _nspawn_command(self) -> list[str]:
        binds = sorted({str(CHECKOUT), sys.prefix, sys.base_prefix} - {"/", "/usr", "/usr/local"})
        return [
            *(
                "systemd-nspawn",
                "--quiet",
                "--boot",
                "--register=no",
                "--keep-unit",
                "--console=pipe",
                "--link-journal=no",
            ),
            *("--private-network", f"--directory={self._root}", f"--machine={self.name}"),
            *(f"--bind-ro={directory}" for directory in binds),
        ]

    def _wait_until_up(self, until: str) -> None:
        question = ("is-active", until) if until else ("is-system-running",)
        deadline = time.monotonic() + 60
        state = "not started"
        while time.monotonic() < deadline and self._nspawn and self._nspawn.poll() is None:
            self._leader = self._leader or self._find_leader()
            if self._leader is not None:
                state = self.run(["systemctl", *question], check=False).stdout.strip()
                if state in ("running", "degraded", "active"):
                    return
            time.sleep(0.02)
        console = (self.directory / "console").read_text(errors="replace")[-2000:]
        raise AssertionError(f"{self.name} did not come up ({state}):\n{console}")

    def _find_leader(self) -> int | None:
        assert self._nspawn is not None
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text()
            return next((int(pid) for pid in children.split() if host_remains.is_leader(int(pid))), None)
        return None

    def enter(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> list[str]:
        """The argument vector that runs `argv` inside when it is started here."""
        assert self._leader is not None, f"{self.name} is down"
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONDONTWRITEBYTECODE": "1",
            **(env or {}),
        }
        words = [f"{name}={value}" for name, value in environment.items()]
        return [
            "nsenter",
            f"--target={self._leader}",
            "--all",
            "env",
            "--chdir=/",
            "--ignore-environment",
            *words,
            *argv,
        ]


def _mount(source: str, target: Path, kind: str, options: str) -> None:
    subprocess.run(["mount", "-t", kind, "-o", options, source, str(target)], check=True)
    subprocess.run(["mount", "--make-private", str(target)], check=True)
