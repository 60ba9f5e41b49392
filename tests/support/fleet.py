# SPDX-License-Identifier: GPL-3.0-or-later
"""Several systemd hosts with a small product each, and real Ansible over real OpenSSH that upgrades them.

There is no network between them and here: the `ProxyCommand` of each connection starts an sshd inside the host
(`sshd -i`), so that keys, sessions, multiplexing and hang-ups are OpenSSH's own.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.systemd_host import CHECKOUT, SystemdHost
from tests.support.systemd_host import obstacle as no_hosts

EXAMPLE = CHECKOUT / "examples" / "ansible"
PRODUCT = "/opt/product"
STATE = "/var/lib/orchestrator"
_SSHD = "/usr/sbin/sshd"
_SSHD_CONFIG = """
    HostKey /etc/fleet/host_key
    AuthorizedKeysFile /etc/fleet/authorized_keys
    PidFile none
    StrictModes no
    UsePAM no
    PasswordAuthentication no
    PermitRootLogin yes
    Subsystem sftp internal-sftp
"""
_PROGRAM = f"""
    #!/bin/sh
    PYTHONPATH={CHECKOUT} PYTHONDONTWRITEBYTECODE=1 exec {sys.executable} -m orchestrator "$@"
"""
_UNIT = "[Service]\nExecStart=/usr/bin/sleep inf\n[Install]\nWantedBy=multi-user.target\n"
_CONFIG = {
    "product": {"name": "Shop", "version": "2.0"},
    "scripts": [f"{PRODUCT}/scripts"],
    "services": {
        "shop": {"tier": "application", "manager": "systemd", "unit": "shop.service"},
    },
}
# What stands in the product's scripts directory, with the version in which it came.
_CHECK = f"[ ! -e {PRODUCT}/no-room ] || {'{'} echo 'no room for the dump'; exit 1; {'}'}"
_FILES = f"""
    echo moved >>{PRODUCT}/files
    [ ! -e {PRODUCT}/hold ] || {{ touch {PRODUCT}/held; while [ -e {PRODUCT}/hold ]; do sleep 0.1; done; }}
"""
_SCHEMA = f"""
    [ ! -e {PRODUCT}/broken ] || {{ echo 'column price: no such type'; exit 3; }}
    echo 2 >{PRODUCT}/schema
"""


@cache
def obstacle() -> str:
    """Why this machine cannot have a fleet; empty when it can."""
    if no_hosts():
        return no_hosts()
    for program, package in (
        (_SSHD, "openssh-server"),
        ("ssh", "openssh-client"),
        ("ssh-keygen", "openssh-client"),
    ):
        if shutil.which(program) is None:
            return f"a fleet needs {program} (Debian: {package})"
    if not ansible("ansible-playbook").exists():
        return "a fleet needs ansible-core (pip install ansible-core)"
    return ""


def ansible(program: str) -> Path:
    """A program of ansible-core, which stands beside the interpreter of the tests."""
    return Path(sys.executable).with_name(program)


class Server:
    """A host with version 1.0 of the product in use and the scripts of 2.0 installed."""

    def __init__(self, host: SystemdHost, name: str) -> None:
        self.host = host
        self.name = name

    def install(self, keys: Path) -> None:
        """Version 1.0 as it runs, and a way in for the keys of this fleet."""
        host = self.host
        for name in ("host_key", "authorized_keys"):
            host.write(f"/etc/fleet/{name}", (keys / name).read_text(), 0o600)
        host.write("/etc/fleet/sshd_config", _SSHD_CONFIG)
        host.write("/usr/bin/orchestrator", _PROGRAM, 0o755)
        host.write("/etc/systemd/system/shop.service", _UNIT)
        self._configure("1.0")
        host.run(["sh", "-c", "mkdir -p /run/sshd && systemctl daemon-reload && systemctl enable --now shop"])
        self.step("default/6010_smoke.sh", "systemctl is-active shop")
        host.run(["orchestrator", "upgrade", "--assumeyes"])
        host.run(["cp", "-a", STATE, "/opt/state-1.0"])
        self._configure("2.0")
        self.step("check/0010_room.sh", _CHECK)
        self.step("upgrade/0100_files.sh", _FILES)
        self.step("upgrade/3100_schema.sh", _SCHEMA)
        host.run(["cp", "-a", PRODUCT, "/opt/product-2.0"])

    def reset(self) -> None:
        """As it was after `install`."""
        back = f"rm -rf {STATE} {PRODUCT}; cp -a /opt/state-1.0 {STATE}; cp -a /opt/product-2.0 {PRODUCT}"
        up = "systemctl unmask --runtime shop 2>/dev/null; systemctl start shop"
        self.host.run(["sh", "-c", f"{back}; {up}"])

    def step(self, path: str, body: str, header: str = "") -> None:
        name = Path(path).name
        head = f"#!/bin/sh\n#name: {name}\n#description: Step of the shop.\n" + (
            f"{header}\n" if header else ""
        )
        self.host.write(f"{PRODUCT}/scripts/{path}", f"{head}set -eu\n{textwrap.dedent(body)}\n", 0o755)

    def mark(self, name: str, *, there: bool = True) -> None:
        """Make a file that the product's scripts look for, or take it away."""
        if there:
            self.host.write(f"{PRODUCT}/{name}", "")
        else:
            self.host.path(f"{PRODUCT}/{name}").unlink(missing_ok=True)

    def marked(self, name: str) -> bool:
        return self.host.path(f"{PRODUCT}/{name}").exists()

    def read(self, name: str) -> str:
        path = self.host.path(f"{PRODUCT}/{name}")
        return path.read_text() if path.exists() else ""

    def runs(self) -> list[dict[str, Any]]:
        """Its runs of the upgrade to 2.0: those after the one that every server begins with."""
        listed = json.loads(self.host.run(["orchestrator", "runs", "list", "--output", "json"]).stdout)
        return [run for run in listed if run["to_version"] != "1.0"]

    def last_run(self) -> dict[str, Any]:
        return dict(json.loads(self.host.run(["orchestrator", "runs", "show", "--output", "json"]).stdout))

    def proxy_command(self) -> str:
        return " ".join(self.host.enter([_SSHD, "-i", "-f", "/etc/fleet/sshd_config"]))

    def _configure(self, version: str) -> None:
        config = {**_CONFIG, "product": {"name": "Shop", "version": version}}
        self.host.write("/etc/orchestrator/orchestrator.yaml", yaml.safe_dump(config))


@dataclass
class Play:
    """How a play ended: what ansible-playbook said, and the directory it collected."""

    code: int
    text: str
    reports: Path

    @property
    def collected(self) -> Path:
        return max(self.reports.iterdir())

    @property
    def summary(self) -> dict[str, dict[str, Any]]:
        """A row for each server, by its name."""
        rows = json.loads((self.collected / "summary.json").read_text())["servers"]
        return {row["server"]: row for row in rows}

    @property
    def markdown(self) -> str:
        return (self.collected / "summary.md").read_text()

    @property
    def changed(self) -> dict[str, int]:
        """Of each server: how many tasks have changed something."""
        recap = self.text.rpartition("PLAY RECAP")[2].splitlines()[1:]
        words = [line.split() for line in recap if " : " in line]
        return {line[0]: int(line[3].removeprefix("changed=")) for line in words}

    def expect(self, code: int) -> "Play":
        assert self.code == code, f"exit {self.code}, expected {code}\n{self.text}"
        return self


@dataclass
class Fleet:
    """The servers, and a copy of the example beside an inventory that leads to them."""

    directory: Path
    servers: Mapping[str, Server] = field(default_factory=dict)

    def play(self, *words: str, **variables: Any) -> Play:
        """Run the example's playbook to its end."""
        with self.playing(*words, **variables) as end:
            return end()

    @contextlib.contextmanager
    def playing(self, *words: str, **variables: Any) -> Iterator[Callable[[], Play]]:
        """Begin it; what is yielded waits for its end."""
        shutil.rmtree(self.directory / "reports", ignore_errors=True)
        argv = [*self.command("ansible-playbook"), "upgrade.yml", "-e", json.dumps(variables), *words]
        with self._log.open("wb") as log:
            play = subprocess.Popen(
                argv, cwd=EXAMPLE, env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            yield lambda: Play(play.wait(timeout=240), self.said(), self.directory / "reports")
        finally:
            play.kill()
            play.wait()

    def said(self) -> str:
        """What the play has said so far."""
        return self._log.read_text()

    @property
    def _log(self) -> Path:
        return self.directory / "play.log"

    def command(self, program: str) -> list[str]:
        return [str(ansible(program)), "-i", str(self.directory / "inventory.yml")]

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "ANSIBLE_HOME": str(self.directory / "home"),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        }

    def cut_connection(self, name: str) -> bool:
        """Kill the ssh that holds the connection to a server, as if the network went away; whether there was one."""
        holder = next(_processes_with(f"{self.directory / 'cp' / name} [mux]"), None)
        if holder is not None:
            os.kill(holder, signal.SIGKILL)
        return holder is not None

    @contextlib.contextmanager
    def cut_off(self, name: str) -> Iterator[None]:
        """A server that cannot be reached meanwhile."""
        host = self.servers[name].host
        host.run(["mv", "/run/sshd", "/run/sshd.off"])  # without it sshd accepts nobody
        assert self.cut_connection(name)
        yield
        host.run(["mv", "/run/sshd.off", "/run/sshd"])

    def write_ssh(self) -> Path:
        """A directory for $PATH with an `ssh` that knows the way to these servers."""
        config = "".join(
            f"Host {name}\n  ProxyCommand {server.proxy_command()}\n" for name, server in self.servers.items()
        )
        every = f"Host *\n  User root\n  IdentityFile {self.directory}/key\n  UserKnownHostsFile {self.directory}/known_hosts\n"
        (self.directory / "ssh_config").write_text(config + every)
        program = self.directory / "bin" / "ssh"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {self.directory}/ssh_config "$@"\n')
        program.chmod(0o755)
        return program.parent

    def write_inventory(self) -> None:
        rows = {
            name: {
                "ansible_ssh_common_args": f"-o 'ProxyCommand={server.proxy_command()}'",
                "ansible_control_path": str(self.directory / "cp" / name),
            }
            for name, server in self.servers.items()
        }
        known = self.directory / "known_hosts"
        key = (self.directory / "host_key.pub").read_text()
        known.write_text("".join(f"{name} {key}" for name in rows))
        variables = {
            "ansible_user": "root",
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_private_key_file": str(self.directory / "key"),
            "ansible_ssh_extra_args": f"-o UserKnownHostsFile={known} -F /dev/null",
            "orchestrator_become": False,
            "orchestrator_poll": 1,
            "orchestrator_reports": str(self.directory / "reports"),
        }
        inventory = {"orchestrator": {"hosts": rows, "vars": variables}}
        (self.directory / "inventory.yml").write_text(yaml.safe_dump(inventory, sort_keys=False))


@contextlib.contextmanager
def fleet(directory: Path, names: Sequence[str]) -> Iterator[Fleet]:
    """Hosts of these names, installed; `directory` needs a short path, for the sockets of ssh."""
    _make_keys(directory)
    (directory / "cp").mkdir()
    with contextlib.ExitStack() as stack:
        made = Fleet(directory)
        made.servers = {name: Server(stack.enter_context(SystemdHost(name)), name) for name in names}
        for server in made.servers.values():
            server.install(directory)
        made.write_inventory()
        yield made
        for name in names:
            made.cut_connection(name)


def _make_keys(directory: Path) -> None:
    for name in ("key", "host_key"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)], check=True
        )
    shutil.copy(directory / "key.pub", directory / "authorized_keys")


def _processes_with(word: str) -> Iterator[int]:
    """The ids of processes that have this in their command lines."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if word in path.read_bytes().decode(errors="replace"):
                yield int(path.parent.name)
