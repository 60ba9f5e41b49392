# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's own packages on real hosts: installed, used, replaced by a later version, removed, purged."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support import systemd_host as hosts
from tests.support.packages import Built, built_packages
from tests.support.requirements import require
from tests.support.rpm_repository import Rpm, build
from tests.support.systemd_host import SystemdHost
from tests.support.terminal import at_terminal

pytestmark = [pytest.mark.systemd, pytest.mark.slow]

# The checkout is not to be found: what runs is what was installed.
PACKAGED = {"PYTHONPATH": ""}
PROGRAM = "/usr/bin/orchestrator"
# Where the package, or the program, puts things.
PLACES = (
    "/etc/orchestrator",
    "/etc/logrotate.d/orchestrator",
    "/etc/systemd/system/*/orchestrator-*",
    "/usr/bin/orchestrator",
    "/usr/lib/motd.d/orchestrator",
    "/usr/lib/orchestrator",
    "/usr/lib/systemd/system/orchestrator-*",
    "/usr/share/orchestrator",
    "/usr/share/doc/orchestrator",
    "/var/lib/orchestrator",
    "/var/log/orchestrator",
)
CONFIG = """
    product: {name: Appliance, version: "1.0"}
    services:
      worker:
        tier: application
        manager: process
        command: [/usr/bin/sleep, inf]
"""
STEP = """
    #!/bin/sh
    #name: Touch
    #description: Stops the applications.
    touch /opt/migrated
"""
ACTIONS = """
    name: Actions
    description: A step of actions.
    actions:
      - command: [touch, /opt/acted]
"""
# A run that is under way until /opt/go is there.
WAITING = """
    #!/bin/sh
    #name: Wait
    #description: Waits.
    touch /opt/waiting
    while [ ! -e /opt/go ]; do sleep 0.05; done
"""


def sh(host: SystemdHost, command: str, *, check: bool = True, env: Mapping[str, str] | None = None) -> str:
    done = host.run(["sh", "-c", command], check=check, env={**PACKAGED, **(env or {})})
    return (done.stdout + done.stderr).strip()


def succeeds(host: SystemdHost, command: str) -> bool:
    return host.run(["sh", "-c", command], check=False, env=PACKAGED).returncode == 0


def bring(host: SystemdHost, package: Path) -> str:
    """Copy a package into the host; its path there."""
    shutil.copy(package, host.path("/opt") / package.name)
    return f"/opt/{package.name}"


def configure(host: SystemdHost) -> None:
    host.write("/etc/orchestrator/orchestrator.yaml", CONFIG)
    host.write("/etc/orchestrator/scripts.d/upgrade/0100_touch.sh", STEP, 0o755)
    host.write("/etc/orchestrator/scripts.d/upgrade/6010_actions.yaml", ACTIONS)


def wait_for(condition: str, host: SystemdHost) -> None:
    deadline = time.monotonic() + 20
    while not succeeds(host, condition):
        assert time.monotonic() < deadline, condition
        time.sleep(0.05)


@pytest.fixture(scope="module")
def built() -> Built:
    require(not hosts.obstacle(), hosts.obstacle())
    return built_packages()


@pytest.fixture(scope="module")
def host(built: Built) -> Iterator[SystemdHost]:
    """One host with the .deb for all tests that only use it."""
    with SystemdHost("deb") as host:
        sh(host, f"dpkg --install {bring(host, built.deb)}")
        yield host


def test_only_what_was_packaged_is_run(host: SystemdHost) -> None:
    host.write("/opt/evil/orchestrator/__init__.py", "raise SystemExit('not the packaged one')\n")
    host.write("/opt/evil/typer.py", "raise SystemExit('not the packaged one')\n")
    version = sh(host, f"cd /opt/evil && {PROGRAM} --version", env={"PYTHONPATH": "/opt/evil"})
    assert version == f"orchestrator {built_packages().version}"


def test_the_man_pages_are_found(host: SystemdHost) -> None:
    assert sh(
        host, "man -w orchestrator orchestrator.yaml mirrors.yaml orchestrator-scripts"
    ).splitlines() == [
        "/usr/share/man/man8/orchestrator.8.gz",
        "/usr/share/man/man5/orchestrator.yaml.5.gz",
        "/usr/share/man/man5/mirrors.yaml.5.gz",
        "/usr/share/man/man7/orchestrator-scripts.7.gz",
    ]


def test_the_units_are_sound_and_one_is_enabled(host: SystemdHost) -> None:
    names = [
        f"orchestrator-{name}"
        for name in ("boot.service", "upgrade.service", "mirror.service", "mirror.timer")
    ]
    assert sh(host, f"systemd-analyze verify {' '.join(names)}") == ""
    assert {name: host.show(name, "LoadState") for name in names} == dict.fromkeys(names, "loaded")
    enabled = sh(host, f"systemctl is-enabled {names[0]} {names[3]}", check=False).splitlines()
    assert enabled == ["enabled", "disabled"]
    sh(host, "systemctl start orchestrator-boot.service orchestrator-mirror.service")
    assert host.show("orchestrator-mirror.service", "ConditionResult") == "no"


def test_the_gate_drop_in_is_sound(host: SystemdHost) -> None:
    host.unit_file("gated.service", "[Service]\nExecStart=/usr/bin/sleep inf\n")
    gate = "/usr/share/orchestrator/systemd/10-orchestrator-gate.conf"
    sh(
        host,
        f"mkdir /etc/systemd/system/gated.service.d && ln -s {gate} /etc/systemd/system/gated.service.d/",
    )
    sh(host, "systemctl daemon-reload")
    assert sh(host, "systemd-analyze verify gated.service") == ""
    assert "orchestrator pending --quiet" in host.show("gated.service", "ExecCondition")


COMPLETING = {
    "bash": """bash --norc -c '. /usr/share/bash-completion/bash_completion; __load_completion orchestrator
        COMP_WORDS=(orchestrator serv); COMP_CWORD=1; _orchestrator_completion orchestrator; echo "${COMPREPLY[@]}"'""",
    "fish": """fish -c 'complete -C "orchestrator serv"'""",
}


@pytest.mark.parametrize("shell", COMPLETING)
def test_tab_completes_a_command(host: SystemdHost, shell: str) -> None:
    require(shutil.which(shell) is not None, f"{shell} is not installed")
    started = time.monotonic()
    assert sh(host, COMPLETING[shell]).split()[0] == "services"
    # Half a second for who waits on an idle machine; this one runs other tests.
    assert time.monotonic() - started < 3


def test_the_first_tab_completes_in_zsh(host: SystemdHost) -> None:
    require(shutil.which("zsh") is not None, "zsh is not installed")
    environment = {**PACKAGED, "TERM": "xterm", "PS1": "ready> "}
    with at_terminal(host.enter(["zsh", "-f", "-i"], environment), {**os.environ}) as terminal:
        terminal.expect("ready> ")
        terminal.type(
            "fpath=(/usr/share/zsh/site-functions $fpath); autoload -U compinit; compinit -u -D; print com''plete\n"
        )
        terminal.expect("complete\n")
        terminal.type("orchestrator serv\t")
        terminal.expect("orchestrator services")
        terminal.process.kill()


def test_the_message_of_the_day_is_shown_at_login(host: SystemdHost) -> None:
    require(Path("/etc/pam.d/login").exists() and shutil.which("login") is not None, "login is not installed")
    motd = host.path("/var/lib/orchestrator/motd")
    motd.write_text("an upgrade is due\n")
    environment = {"TERM": "xterm"}
    with at_terminal(host.enter(["login", "-f", "root"], environment), {**os.environ}) as terminal:
        terminal.expect("an upgrade is due")
        terminal.process.kill()
    motd.unlink()


def test_the_log_of_a_service_is_rotated_while_it_is_written(host: SystemdHost) -> None:
    require(shutil.which("logrotate") is not None, "logrotate is not installed")
    log = host.path("/var/log/orchestrator/worker.log")
    log.write_text("said\n")
    with log.open("a") as held:
        sh(host, "logrotate --force /etc/logrotate.d/orchestrator")
        held.write("said later\n")
    assert log.read_text() == "said later\n"
    assert log.with_name("worker.log.1").read_text() == "said\n"


def test_the_unit_upgrades_and_leaves_running_what_it_has_started(host: SystemdHost) -> None:
    configure(host)
    sh(host, f"{PROGRAM} services start")
    before = sh(host, "pgrep -x sleep -a | grep inf")

    sh(host, "systemctl start orchestrator-upgrade.service")

    assert host.path("/opt/migrated").exists()
    assert host.path("/opt/acted").exists()
    assert host.show("orchestrator-upgrade.service", "Result") == "success"
    wait_for("! systemctl --quiet is-active orchestrator-upgrade.service", host)
    after = sh(host, "pgrep -x sleep -a | grep inf")
    assert after
    assert after != before
    assert succeeds(host, f"{PROGRAM} pending --quiet")


def test_the_life_of_the_deb(built: Built) -> None:
    with SystemdHost("deb-life") as host:
        # A machine that builds packages may have data of its own where a fresh server has none.
        sh(host, "rm -rf /var/lib/orchestrator /var/log/orchestrator /etc/orchestrator")
        sh(host, "rm -f /var/lib/man-db/auto-update")  # a trigger that is not ours, and slow
        sh(host, f"dpkg --install {bring(host, built.deb)}")
        assert sh(host, "dpkg --verify orchestrator; dpkg --audit") == ""
        configure(host)
        host.write("/etc/logrotate.d/orchestrator", "# ours\n")
        host.write("/etc/orchestrator/scripts.d/upgrade/6020_wait.sh", WAITING, 0o755)

        run = host.spawn([PROGRAM, "upgrade", "-y"], env=PACKAGED)
        wait_for("test -e /opt/waiting", host)
        assert "an upgrade is under way" in sh(host, "dpkg --remove orchestrator", check=False)
        assert "install ok installed" in sh(host, "dpkg-query -W -f '${Status}' orchestrator")
        host.write("/opt/go", "")
        assert run.wait(30) == 0

        sh(host, "systemctl disable orchestrator-boot.service")
        sh(host, f"dpkg --install --force-confdef {bring(host, built_packages('9.0').deb)}")
        assert sh(host, "dpkg-query -W -f '${Version}' orchestrator") == "9.0"
        assert sh(host, "systemctl is-enabled orchestrator-boot.service", check=False) == "disabled"
        assert sh(host, "cat /etc/logrotate.d/orchestrator") == "# ours"

        host.write(
            "/etc/orchestrator/scripts.d/upgrade/0110_fail.sh",
            STEP.replace("touch /opt/migrated", "exit 1"),
            0o755,
        )
        assert not succeeds(host, f"{PROGRAM} upgrade -y")
        assert "would stay stopped" in sh(host, "dpkg --remove orchestrator", check=False)
        sh(host, f"{PROGRAM} recover")

        sh(host, "systemctl enable orchestrator-boot.service; dpkg --remove orchestrator")
        assert not succeeds(host, "test -e /usr/lib/orchestrator -o -e /usr/bin/orchestrator")
        assert succeeds(
            host, "test -e /var/lib/orchestrator/upgrade-history -a -e /etc/orchestrator/orchestrator.yaml"
        )
        assert not succeeds(host, "systemctl is-enabled orchestrator-boot.service")

        sh(host, f"dpkg --install {bring(host, built.deb)}")
        assert sh(host, "systemctl is-enabled orchestrator-boot.service") == "enabled"
        sh(host, "dpkg --purge orchestrator")
        assert sh(host, f"ls -d {' '.join(PLACES)} 2>/dev/null", check=False) == "/etc/orchestrator"
        kept = sh(host, "find /etc/orchestrator -type f").splitlines()
        assert "/etc/orchestrator/orchestrator.yaml" in kept  # the administrator's, or another package's


def test_the_life_of_the_rpm(built: Built) -> None:
    # What a distribution of rpms has in its base system, this one has from dpkg.
    needs = [line for line in _requires(built.rpm) if not line.startswith("rpmlib(")]
    base = Rpm("base-system", provides=tuple(dict.fromkeys(line.replace("<=", "=") for line in needs)))
    with SystemdHost("rpm-life") as host:
        rpm = "rpm --force-debian"
        sh(host, f"{rpm} -i {bring(host, build([base])[base])}")
        sh(host, f"{rpm} -i {bring(host, built.rpm)}")
        assert sh(host, "rpm --verify orchestrator") == ""
        assert sh(host, f"{PROGRAM} --version") == f"orchestrator {built.version}"
        assert sh(host, "systemctl is-enabled orchestrator-boot.service") == "enabled"
        assert sh(host, "systemctl is-enabled orchestrator-mirror.timer", check=False) == "disabled"
        configure(host)
        host.write("/etc/orchestrator/scripts.d/upgrade/6020_wait.sh", WAITING, 0o755)

        run = host.spawn([PROGRAM, "upgrade", "-y"], env=PACKAGED)
        wait_for("test -e /opt/waiting", host)
        assert "an upgrade is under way" in sh(host, f"{rpm} -e orchestrator", check=False)
        host.write("/opt/go", "")
        assert run.wait(30) == 0

        told = sh(host, f"{rpm} -U {bring(host, built_packages('9.0').rpm)}")
        assert told.count("orchestrator: ") == 1, told  # the hook, once in the transaction
        assert sh(host, "rpm -q --qf '%{VERSION}' orchestrator") == "9.0"
        assert sh(host, "systemctl is-enabled orchestrator-boot.service") == "enabled"

        sh(host, f"{rpm} -e orchestrator")
        assert not succeeds(host, "test -e /usr/lib/orchestrator -o -e /usr/bin/orchestrator")
        assert not succeeds(host, "systemctl is-enabled orchestrator-boot.service")
        assert succeeds(
            host, "test -e /var/lib/orchestrator/upgrade-history -a -e /etc/orchestrator/orchestrator.yaml"
        )


def _requires(package: Path) -> list[str]:
    words = ["rpm", "-qp", "--requires", str(package)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
