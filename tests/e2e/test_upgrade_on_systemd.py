# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator upgrade` on real systemd with real PostgreSQL and Redis units."""

import json
import time

import pytest

from tests.support.appliance import BASE, CONFIG, SERVICES, STATE, Appliance
from tests.support.requirements import require
from tests.support.systemd_host import SystemdHost

pytestmark = [pytest.mark.systemd, pytest.mark.slow]

ALL_READY = dict.fromkeys(SERVICES, "ready")
DOWN = "inactive"


@pytest.fixture
def appliance(systemd_host: SystemdHost) -> Appliance:
    missing = [
        unit
        for unit in ("postgresql@15-main.service", "redis-server.service")
        if systemd_host.show(unit, "LoadState") != "loaded"
    ]
    require(not missing, f"units of Debian's packages: {', '.join(missing)}")
    made = Appliance(systemd_host)
    made.start_everything()
    return made


def test_an_upgrade_runs_its_steps_in_the_promised_states(appliance: Appliance) -> None:
    show = "systemctl is-active postgresql@15-main redis-server index web > /opt/appliance/seen-{} || true"
    appliance.step("default/0010_always.sh", show.format("down"))
    appliance.step("default/3010_always.sh", show.format("backends"))
    appliance.step("default/6010_smoke.sh", show.format("up") + "\ntest -e /run/index-ready")

    appliance.orchestrator("upgrade", "-y").expect(0)

    seen = {
        name: appliance.host.path(f"{BASE}/seen-{name}").read_text().split()
        for name in ("down", "backends", "up")
    }
    assert seen == {
        "down": ["inactive"] * 4,
        "backends": ["active", "active", "active", "inactive"],
        "up": ["active"] * 4,
    }
    assert appliance.facts() == ["schema 2"]
    assert appliance.readiness() == ALL_READY
    masks = appliance.host.path("/run/systemd/system.control")
    assert not masks.exists() or not list(masks.iterdir()), "no mask is left"


def test_nothing_revives_a_service_that_must_be_down(appliance: Appliance) -> None:
    appliance.host.systemctl("start", "reviver.timer")
    appliance.step(
        "default/0010_always.sh", "sleep 1.5\n! systemctl is-active web redis-server index | grep -qx active"
    )

    outcome = appliance.orchestrator("upgrade", "-y", "-o", "json").expect(0)

    drifted = [event for event in outcome.events() if event["event"] == "service-drifted"]
    assert not drifted
    assert appliance.readiness() == ALL_READY


def test_with_nothing_due_no_service_is_touched(appliance: Appliance) -> None:
    for step in ("default/0010_always.sh", "default/6010_smoke.sh"):
        appliance.host.path(f"{BASE}/scripts/{step}").unlink()
    appliance.orchestrator("history", "baseline").expect(0)
    before = {name: appliance.host.show(s["unit"], "InvocationID") for name, s in SERVICES.items()}

    outcome = appliance.orchestrator("upgrade", "-y").expect(0)

    assert "Nothing to do" in outcome.out
    assert {name: appliance.host.show(s["unit"], "InvocationID") for name, s in SERVICES.items()} == before


def test_only_applications_stop_for_a_step_that_needs_the_backends(appliance: Appliance) -> None:
    before = appliance.host.show("redis-server.service", "InvocationID")
    appliance.host.path(f"{BASE}/scripts/default/0010_always.sh").unlink()
    appliance.host.path(f"{BASE}/scripts/upgrade/0100_files.sh").unlink()
    web = appliance.host.show("web.service", "InvocationID")

    appliance.orchestrator("upgrade", "-y").expect(0)

    assert appliance.host.show("redis-server.service", "InvocationID") == before
    assert appliance.host.show("web.service", "InvocationID") != web


def test_a_unit_that_fails_on_start_ends_with_its_journal(appliance: Appliance) -> None:
    broken = """
        #!/bin/sh
        echo 'web: cannot read its configuration' >&2
        exit 3
    """
    appliance.host.unit_file(
        "web.service", "[Service]\nExecStart=/opt/appliance/web\n", "/lib/systemd/system"
    )
    appliance.step("upgrade/3100_schema.sh", "cp /opt/appliance/broken /opt/appliance/web")
    appliance.host.write(f"{BASE}/broken", broken, 0o755)

    outcome = appliance.orchestrator("upgrade", "-y").expect(5)

    assert "web failed" in outcome.err
    assert "web: cannot read its configuration" in outcome.err
    assert f"orchestrator upgrade --config {CONFIG}" in outcome.out
    assert appliance.readiness()["postgresql"] == "ready"


def test_a_failed_step_leaves_the_phase_and_recover_brings_everything_up(appliance: Appliance) -> None:
    appliance.step("upgrade/0100_files.sh", "exit 1")
    appliance.orchestrator("upgrade", "-y").expect(1)
    assert set(appliance.states().values()) == {DOWN}
    assert appliance.host.systemctl("start", "web.service", check=False).returncode, "still masked"

    appliance.orchestrator("recover").expect(0)

    assert appliance.readiness() == ALL_READY
    assert appliance.orchestrator("pending", "-q").code == 1


def test_a_disabled_service_that_was_down_stays_down(appliance: Appliance) -> None:
    appliance.host.systemctl("stop", "index.service")
    appliance.host.systemctl("disable", "index.service")
    appliance.step("default/6010_smoke.sh", "true")

    appliance.orchestrator("upgrade", "-y").expect(0)

    assert appliance.readiness() == {**ALL_READY, "index": "gone"}


@pytest.mark.parametrize("phase", ["backends-down", "backends-up"])
def test_after_a_power_cut_in_a_step_the_upgrade_comes_to_the_same_end(
    appliance: Appliance, phase: str
) -> None:
    slow = {
        "backends-down": ("upgrade/0100_files.sh", "echo moved > /opt/appliance/files"),
        "backends-up": (
            "upgrade/3100_schema.sh",
            Appliance.sql("insert into facts select 'schema 2' where not exists (select from facts)"),
        ),
    }
    step, body = slow[phase]
    host = appliance.host
    appliance.step(
        step,
        f"{body}\nsync\ntouch /opt/appliance/in-the-middle\nsync\n[ -e /opt/appliance/booted ] || sleep 60",
    )
    runner = host.spawn(host.orchestrator_command("upgrade", "-y"), env={"ORCHESTRATOR_CONFIG": CONFIG})
    until = time.monotonic() + 30
    while not host.path("/opt/appliance/in-the-middle").exists():
        assert time.monotonic() < until, "the step was never reached"
        time.sleep(0.05)

    host.cut()
    runner.wait()
    host.boot()
    host.write("/opt/appliance/booted", "")

    assert appliance.orchestrator("pending", "-q").code == 1
    assert "unfinished" in appliance.orchestrator("status").out
    appliance.orchestrator("upgrade", "-y").expect(0)
    assert appliance.facts() == ["schema 2"]
    assert appliance.files() == "moved\n"
    assert appliance.history() == {"0100_files.sh", "3100_schema.sh"}
    assert appliance.readiness() == ALL_READY
    assert appliance.orchestrator("pending", "-q").code == 0


def test_kill_9_of_the_runner_leaves_the_step_and_the_next_upgrade_takes_it_up(appliance: Appliance) -> None:
    host = appliance.host
    appliance.step(
        "upgrade/0100_files.sh",
        "touch /opt/appliance/in-the-middle; sleep 2; echo moved >> /opt/appliance/files",
    )
    runner = host.spawn(host.orchestrator_command("upgrade", "-y"), env={"ORCHESTRATOR_CONFIG": CONFIG})
    while not host.path("/opt/appliance/in-the-middle").exists():
        time.sleep(0.05)
    host.kill(runner)
    runner.wait()

    outcome = appliance.orchestrator("upgrade", "-y").expect(0)

    assert "still runs" in outcome.out
    assert appliance.files() == "moved\n", "it ran once"
    assert appliance.readiness() == ALL_READY


def test_the_journal_knows_what_was_found_before_the_first_stop(appliance: Appliance) -> None:
    appliance.orchestrator("upgrade", "-y").expect(0)
    run = next(iter(appliance.host.path(f"{STATE}/runs").iterdir()))
    events = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    names = [event["event"] for event in events]
    found = next(event for event in events if event["event"] == "services-found")
    assert names.index("services-found") < names.index("debt") < names.index("service-stopping")
    assert {name: (fact["up"], fact["enabled"]) for name, fact in found["services"].items()} == dict.fromkeys(
        SERVICES, (True, True)
    )
