# SPDX-License-Identifier: GPL-3.0-or-later
"""Detached runs as services of a real systemd, and the lock on shutdown that every run holds."""

import json
import time
from typing import Any

import pytest
import yaml

from tests.support.product import ROOT, Outcome, process_service
from tests.support.stack import wait_for
from tests.support.systemd_host import SystemdHost

pytestmark = [pytest.mark.systemd, pytest.mark.slow]

BASE, STATE = "/opt/toy", "/opt/toy/state"
CONFIG = f"{BASE}/orchestrator.yaml"
UNTIL_GO = f"while [ ! -e {BASE}/go ]; do sleep 0.05; done"


class Toy:
    """A product with one service of the process manager, which the runs themselves start."""

    def __init__(self, host: SystemdHost) -> None:
        self.host = host
        host.run(["rm", "-rf", BASE])
        web = process_service("application", 28099)
        web["command"][0] = "/usr/bin/python3"
        config: dict[str, Any] = {
            "product": {"name": "Toy", "version": "2.0"},
            "state_dir": STATE,
            "log_dir": f"{BASE}/log",
            "scripts": [f"{BASE}/scripts"],
            "phases": [str(ROOT / "phases")],
            "services": {"web": web},
        }
        host.write(CONFIG, yaml.safe_dump(config))

    def step(self, path: str, body: str) -> None:
        head = "#!/bin/sh\n#name: Test\n#description: Test step.\n"
        self.host.write(f"{BASE}/scripts/{path}", f"{head}{body}\n", 0o755)

    def run(self, *words: str, **environment: str) -> Outcome:
        done = self.host.orchestrator(*words, env={"ORCHESTRATOR_CONFIG": CONFIG, **environment})
        return Outcome(done.returncode, done.stdout, done.stderr)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.run("status", "-o", "json").expect(0).json()
        return found

    def detach(self, **environment: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(
            self.run("upgrade", "--detach", "-y", "-o", "json", **environment).expect(0).out
        )
        return told

    def go(self) -> None:
        self.host.write(f"{BASE}/go", "")

    def wait_for_end(self) -> None:
        wait_for(lambda: self.status()["state"] != "running", "the run has ended")

    def wait_for_step(self, step: str) -> None:
        wait_for(lambda: self.status()["in_flight"] == step, f"{step} runs")

    def inhibitors(self) -> str:
        return self.host.run(["systemd-inhibit", "--list"]).stdout

    def log(self, step: str) -> str:
        (path,) = self.host.path(f"{STATE}/runs").glob(f"*/steps/{step}.attempt-1.log")
        return path.read_text()


@pytest.fixture
def toy(shared_host: SystemdHost) -> Toy:
    return Toy(shared_host)


def test_it_is_a_unit_that_ends_after_the_step_when_it_is_stopped(toy: Toy) -> None:
    toy.step("upgrade/0010_a.sh", UNTIL_GO)
    toy.step("upgrade/0020_b.sh", "exit 0")
    unit = toy.detach()["unit"]
    toy.wait_for_step("upgrade/0010_a.sh")
    status = toy.status()
    assert (status["unit"], status["stop"]["command"]) == (unit, f"systemctl stop {unit}")
    assert str(status["pid"]) == toy.host.show(unit, "MainPID")
    assert toy.host.show(unit, "TimeoutStopUSec") == "infinity"
    stopping = toy.host.spawn(["systemctl", "stop", unit])
    wait_for(lambda: toy.status()["stop"]["when"] == "asked", "the request is seen")
    time.sleep(0.5)
    assert stopping.poll() is None, "it waits for the step"
    toy.go()
    assert stopping.wait(20) == 0
    status = toy.status()
    assert (status["state"], status["in_flight"]) == ("unfinished", None)
    assert status["next"] == f"orchestrator upgrade --config {CONFIG}"
    toy.run("upgrade", "-y").expect(0)


def test_services_that_it_starts_outlive_it(toy: Toy) -> None:
    toy.step("upgrade/0010_a.sh", UNTIL_GO)
    toy.run("services", "start").expect(0)
    unit = toy.detach()["unit"]
    toy.go()
    toy.wait_for_end()
    wait_for(lambda: toy.host.show(unit) == "inactive", "the unit has ended")
    assert toy.run("services", "list", "-o", "json").json()[0]["readiness"] == "ready"
    toy.run("services", "stop").expect(0)


def test_no_failed_unit_is_left_of_a_run_that_fails(toy: Toy) -> None:
    toy.step("upgrade/0010_a.sh", f"{UNTIL_GO}; exit 1")
    unit = toy.detach()["unit"]
    toy.go()
    assert toy.run("attach").code == 1
    wait_for(lambda: toy.host.show(unit, "LoadState") == "not-found", "the unit is gone")
    assert toy.host.systemctl("is-failed", "orchestrator-*", check=False).returncode != 0


def test_one_that_ends_at_once_hands_its_words_and_its_status_over(toy: Toy) -> None:
    toy.step("upgrade/0010_a.sh", "exit 0")
    config = yaml.safe_load(toy.host.path(CONFIG).read_text())
    config["product"] = {
        "name": "Toy",
        "version_command": ["/bin/sh", "-c", f"mkdir {BASE}/seen && echo 2.0"],
    }
    toy.host.write(CONFIG, yaml.safe_dump(config))
    outcome = toy.run("upgrade", "--detach", "-y").expect(78)
    assert "the product's version is not known" in outcome.out


def test_the_callers_proxy_goes_along_and_is_no_property_of_the_unit(toy: Toy) -> None:
    toy.step("upgrade/0010_a.sh", f'echo "$http_proxy"; {UNTIL_GO}')
    proxy = 'http://user:pa"ss$w\\ord@proxy:3128'
    unit = toy.detach(http_proxy=proxy, SUDO_USER="ann")["unit"]
    toy.wait_for_step("upgrade/0010_a.sh")
    for words in (["systemctl", "show", unit], ["ps", "axww"], ["cat", f"{STATE}/detached.log"]):
        shown = toy.host.run(words).stdout
        assert "user:pa" not in shown.replace("0010_a.sh: " + proxy, "")
    assert toy.log("upgrade/0010_a.sh").strip() == proxy
    assert not toy.host.path(f"{STATE}/detached.env").exists()
    assert toy.status()["user"] == "ann"
    toy.go()
    toy.wait_for_end()


def test_where_systemd_runs_no_unit_it_has_a_session_of_its_own(toy: Toy) -> None:
    toy.step("upgrade/0010_a.sh", UNTIL_GO)
    systemd_run = toy.host.path("/usr/bin/systemd-run")
    text = systemd_run.read_bytes()
    systemd_run.unlink()
    toy.host.write("/usr/bin/systemd-run", "#!/bin/sh\necho no bus >&2\nexit 1\n", 0o755)
    try:
        told = toy.detach()
    finally:
        systemd_run.unlink()
        systemd_run.write_bytes(text)
        systemd_run.chmod(0o755)
    assert told["unit"] is None
    assert toy.status()["pid"] == told["pid"]
    toy.go()
    toy.wait_for_end()


# The lock on shutdown ---------------------------------------------------------------------------------------


def test_a_run_holds_off_a_shutdown_to_its_end(toy: Toy) -> None:
    toy.step("upgrade/0010_a.sh", UNTIL_GO)
    run = toy.detach()["run"]
    wait_for(lambda: f"run {run} upgrades Toy" in toy.inhibitors(), "the lock is held")
    line = next(line for line in toy.inhibitors().splitlines() if run in line)
    assert "shutdown:sleep" in line
    assert line.rstrip().endswith("block")
    toy.go()
    toy.wait_for_end()
    assert run not in toy.inhibitors()
    assert toy.host.run(["pgrep", "-f", "systemd-inhibit"], check=False).stdout == ""


def test_the_lock_on_shutdown_dies_with_a_runner_that_is_killed_and_the_step_lives_on(toy: Toy) -> None:
    toy.step("upgrade/0010_a.sh", UNTIL_GO)
    told = toy.detach()
    wait_for(lambda: told["run"] in toy.inhibitors(), "the lock is held")
    toy.wait_for_step("upgrade/0010_a.sh")
    toy.host.run(["kill", "-9", str(toy.status()["pid"])])
    wait_for(lambda: told["run"] not in toy.inhibitors(), "the lock is gone")
    assert toy.status()["state"] == "unfinished"
    assert toy.host.run(["pgrep", "-f", "0010_a.sh"]).stdout, "the step does not die with its runner"
    again = toy.detach()
    assert again["run"] == told["run"]
    toy.go()
    toy.wait_for_end()
    assert toy.status()["outcome"] == "done"


def test_a_logind_that_does_not_answer_delays_no_run(toy: Toy) -> None:
    toy.step("upgrade/0010_a.sh", "exit 0")
    toy.run("services", "start").expect(0)
    pid = toy.host.show("systemd-logind", "MainPID")
    toy.host.run(["kill", "-STOP", pid])
    try:
        began = time.monotonic()
        toy.run("upgrade", "-y").expect(0)
        assert time.monotonic() - began < 10, "D-Bus would wait for 25 s"
    finally:
        toy.host.run(["kill", "-CONT", pid])
    assert toy.host.run(["pgrep", "-f", "systemd-inhibit"], check=False).stdout == ""
    toy.run("services", "stop").expect(0)
