# SPDX-License-Identifier: GPL-3.0-or-later
"""An application behind its gate (ExecCondition=orchestrator pending), and upgrades that units and boots run."""

import json
import subprocess
import sys
import textwrap
import time
from typing import Any

import pytest
import yaml

from orchestrator.config.shipped import share_directory
from tests.support.product import Outcome
from tests.support.systemd_host import CHECKOUT, SystemdHost

pytestmark = [pytest.mark.systemd]

BASE = "/opt/toy"
STATE = "/var/lib/orchestrator"
PROGRAM = "/usr/local/bin/orchestrator"
GATE = f"[Service]\nExecCondition=+{PROGRAM} pending --quiet\n"
SHUT = ("inactive", "exec-condition")
UP = ("active", "success")
SERVICE = "[Service]\nExecStart=/usr/bin/sleep inf\n[Install]\nWantedBy=multi-user.target\n"
# Holds dpkg's lock, and runs a command inside of that "transaction".
TRANSACTION = """
    import fcntl, subprocess, sys
    lock = open("/var/lib/dpkg/lock-frontend", "w")
    fcntl.lockf(lock, fcntl.LOCK_EX)
    subprocess.run(sys.argv[1:])
    sys.stdout.flush()
    print("transaction done", flush=True)
    input()
"""


class Toy:
    """A backend `db` and an application `web` behind its gate, on a host; steps write their numbers to a trace."""

    def __init__(self, host: SystemdHost, **config: Any) -> None:
        self.host = host
        self.config = {
            "product": {"name": "Toy", "version": "2.0"},
            "scripts": [f"{BASE}/scripts"],
            "phases": [str(share_directory() / "phases")],
            "services": {
                "db": {"tier": "backend", "manager": "systemd", "unit": "db.service"},
                "web": {"tier": "application", "manager": "systemd", "unit": "web.service", "after": ["db"]},
            },
            **config,
        }
        host.path("/usr/sbin/policy-rc.d").unlink(missing_ok=True)
        host.write("/etc/orchestrator/orchestrator.yaml", yaml.safe_dump(self.config))
        host.write(
            PROGRAM, f'#!/bin/sh\nPYTHONPATH={CHECKOUT} exec {sys.executable} -m orchestrator "$@"\n', 0o755
        )
        for kind in ("check", "default", "upgrade"):
            host.path(f"{BASE}/scripts/{kind}").mkdir(parents=True)
        host.unit_file("db.service", SERVICE)
        host.unit_file("web.service", SERVICE)
        host.write("/etc/systemd/system/web.service.d/gate.conf", GATE)
        for unit in ("orchestrator-upgrade.service", "orchestrator-boot.service"):
            text = (CHECKOUT / "packaging" / "systemd" / unit).read_text()
            host.unit_file(unit, text.replace("/usr/bin/orchestrator", PROGRAM))
        host.systemctl("enable", "db.service", "web.service", "orchestrator-boot.service")
        host.systemctl("start", "db.service", "web.service")

    def step(self, path: str, body: str = "", header: str = "") -> None:
        number = path.rpartition("/")[2][:4]
        lines = ["#!/bin/sh", f"#name: Step {number}", "#description: Test.", *([header] if header else [])]
        text = "\n".join([*lines, f"echo {number} >>{BASE}/trace", body, ""])
        self.host.write(f"{BASE}/scripts/{path}", text, 0o755)

    def ran(self) -> list[str]:
        trace = self.host.path(f"{BASE}/trace")
        return trace.read_text().split() if trace.exists() else []

    def run(self, *words: str, **options: Any) -> Outcome:
        done = self.host.run([PROGRAM, *words], check=False, **options)
        return Outcome(done.returncode, done.stdout, done.stderr)

    def web(self) -> tuple[str, str]:
        return self.host.show("web.service"), self.host.show("web.service", "Result")

    def request(self) -> dict[str, Any] | None:
        path = self.host.path(f"{STATE}/request.json")
        return json.loads(path.read_text()) if path.exists() else None

    def until(self, condition: Any, seconds: float = 90.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.host.journal("orchestrator-upgrade.service")
            time.sleep(0.1)

    def upgraded(self) -> bool:
        unit = "orchestrator-upgrade.service"
        return self.host.show(unit) in ("inactive", "failed") and self.web() == UP

    def transaction(self, *words: str) -> subprocess.Popen[bytes]:
        """A command in a transaction of the package manager, which goes on until its input ends."""
        argv = ["python3", "-c", textwrap.dedent(TRANSACTION), *words]
        pipe = subprocess.PIPE
        return self.host.spawn(argv, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT)


def output_of(transaction: subprocess.Popen[bytes]) -> str:
    assert transaction.stdout is not None
    told = b""
    while b"transaction done" not in told:
        line = transaction.stdout.readline()
        assert line, told
        told += line
    return told.decode()


def test_a_run_gets_its_applications_past_the_gate_that_keeps_all_others_out(
    systemd_host: SystemdHost,
) -> None:
    toy = Toy(systemd_host)
    assert toy.web() == UP
    refused = "systemctl start web.service; systemctl is-active db.service web.service"
    toy.step("upgrade/0100_down.sh")
    toy.step("upgrade/3100_backends.sh", f"{PROGRAM} pending --quiet && exit 1; {refused}; true")
    toy.step("upgrade/6100_up.sh", f"{PROGRAM} pending && systemctl restart web.service")
    systemd_host.systemctl("restart", "web.service")
    assert toy.web() == SHUT, "steps are due"
    assert systemd_host.systemctl("is-failed", "web.service", check=False).returncode, (
        "down, and no failed unit"
    )

    outcome = toy.run("upgrade", "-y").expect(0)

    assert toy.web() == UP
    assert "is under way and has the applications up" in outcome.out
    assert toy.ran() == ["0100", "3100", "6100"]


def test_after_a_failure_and_a_reboot_the_application_stays_down_until_the_run_is_finished(
    systemd_host: SystemdHost,
) -> None:
    toy = Toy(systemd_host, resume_at_boot=True)
    toy.step("upgrade/0100_down.sh", f"test -e {BASE}/repaired")
    toy.run("upgrade", "-y").expect(1)

    systemd_host.cut()
    systemd_host.boot()
    systemd_host.run(["sh", "-c", "while systemctl list-jobs | grep -q orchestrator; do sleep 0.1; done"])

    assert toy.web() == SHUT
    assert toy.ran() == ["0100"], "it stopped with a reason, and that is an administrator's"
    assert "left to an administrator" in systemd_host.journal("orchestrator-boot.service")
    assert "is unfinished" in toy.run("pending").expect(1).out
    toy.run("recover").expect(0)
    assert toy.web() == UP, "whoever recovers wants it up all the same"
    toy.run("pending").expect(1)
    systemd_host.write(f"{BASE}/repaired", "")
    toy.run("upgrade", "-y").expect(0)
    assert toy.web() == UP


def test_a_run_that_the_power_cut_ended_is_continued_by_the_boot(systemd_host: SystemdHost) -> None:
    toy = Toy(systemd_host, resume_at_boot=True)
    toy.step("upgrade/0100_down.sh", f"test -e {BASE}/second || {{ touch {BASE}/second; sleep 60; }}")
    systemd_host.spawn([PROGRAM, "upgrade", "-y"])
    toy.until(systemd_host.path(f"{BASE}/second").exists)

    systemd_host.cut()
    systemd_host.boot()

    toy.until(toy.upgraded)
    assert toy.ran() == ["0100", "0100"]
    toy.run("pending").expect(0)


def test_a_start_that_the_gate_refuses_ends_the_wait_at_once_and_is_named(systemd_host: SystemdHost) -> None:
    toy = Toy(systemd_host)
    toy.step("upgrade/0100_down.sh")
    systemd_host.unit_file("web.service.d/gate.conf", "[Service]\nExecCondition=/bin/false gate\n")

    began = time.monotonic()
    outcome = toy.run("upgrade", "-y").expect(5)

    assert "ExecCondition=/bin/false gate" in outcome.err
    assert time.monotonic() - began < 60, "not the time limit of 120 s"


def test_a_step_that_installs_packages_waits_for_the_end_of_the_transaction(
    systemd_host: SystemdHost,
) -> None:
    toy = Toy(systemd_host)
    hold = 'python3 -c \'import fcntl; fcntl.lockf(open("/var/lib/dpkg/lock-frontend", "w"), fcntl.LOCK_EX)\''
    # Installs a package with a step of its own; its script calls the hook, inside of the run.
    brings = (
        f"cp {BASE}/brought {BASE}/scripts/upgrade/0200_brought.sh; {PROGRAM} hook deb; {PROGRAM} hook deb"
    )
    toy.step("upgrade/0100_packages.sh", f"{hold} && {brings}", "#package-manager: yes")
    toy.step("brought")
    systemd_host.path(f"{BASE}/scripts/brought").rename(systemd_host.path(f"{BASE}/brought"))

    transaction = toy.transaction(PROGRAM, "hook", "deb")
    told = output_of(transaction)
    assert "upgrade/0100_packages.sh needs the package manager, which is at work now" in told
    assert "orchestrator-upgrade.service was started" in told
    toy.until(lambda: "Waiting for" in systemd_host.journal("orchestrator-upgrade.service"))
    assert toy.ran() == []
    transaction.communicate(b"\n", timeout=10)

    toy.until(lambda: toy.ran() == ["0100", "brou"] and toy.upgraded())
    assert toy.request() is None
    toy.run("pending").expect(0)
