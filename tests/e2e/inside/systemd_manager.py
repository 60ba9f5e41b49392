# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemd manager on the systemd it runs under. Only for throw-away hosts: it makes units."""

import itertools
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config import model
from orchestrator.errors import ServiceFailed
from orchestrator.host import facts
from orchestrator.services.down import why_not_down
from orchestrator.services.managers import make_manager
from orchestrator.services.service import Activity, Places
from tests.support.managed import PROGRAM, Service, Workshop, living, service_spec
from tests.support.manager_conformance import ManagerConformance
from tests.support.servers import accepts, free_port, wait_until

ADMINISTRATOR = Path("/etc/systemd/system")
VENDOR = Path("/usr/lib/systemd/system")
LONG_ENOUGH = 0.5  # for what would revive a unit every 50 ms
_numbers = itertools.count(1)


def systemctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemctl", *arguments], check=False, capture_output=True, text=True)


def show(unit: str, what: str) -> str:
    return systemctl("show", "--value", f"--property={what}", unit).stdout.strip()


@dataclass
class SystemdWorkshop(Workshop):
    """Units of its own, in /etc unless told otherwise. `unit=`: more lines of [Service]."""

    files: list[Path] = field(default_factory=list)

    def introduce(self, name: str, arguments: list[str], settings: Mapping[str, Any]) -> model.AnyService:
        stop_wait = max(1, int(settings["stop_timeout"]) - 1)
        lines = [
            "[Service]",
            f"ExecStart={' '.join([*PROGRAM, 'run', *arguments])}",
            f"TimeoutStopSec={stop_wait}",
            *settings.get("unit", ()),
        ]
        unit = f"{name}-{next(_numbers)}.service"
        self.write(unit, *lines, directory=settings.get("where", ADMINISTRATOR))
        kept = {key: value for key, value in settings.items() if key not in ("unit", "where")}
        return service_spec(manager="systemd", unit=unit, **kept)

    def write(self, unit: str, *lines: str, directory: Path = ADMINISTRATOR) -> None:
        path = directory / unit
        path.write_text("\n".join(lines) + "\n")
        self.files.append(path)
        systemctl("daemon-reload")

    def clean_up(self) -> None:
        super().clean_up()
        systemctl("stop", *(path.name for path in self.files))
        for path in self.files:
            path.unlink(missing_ok=True)
            Path("/run/systemd/system.control", path.name).unlink(missing_ok=True)
        systemctl("daemon-reload")
        systemctl("reset-failed")


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[SystemdWorkshop]:
    with SystemdWorkshop(tmp_path) as made:
        yield made


def unit_of(service: Service) -> str:
    assert isinstance(service.spec, model.SystemdService)
    return service.spec.unit


class TestSystemd(ManagerConformance):
    """The promises of all managers."""


# Holding ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [ADMINISTRATOR, VENDOR])
def test_a_held_unit_is_masked_wherever_its_file_lies(workshop: SystemdWorkshop, where: Path) -> None:
    app = workshop.make(where=where)
    app.manager.hold()
    assert app.manager.held()
    assert show(unit_of(app), "LoadState") == "masked"
    assert "is masked" in systemctl("start", unit_of(app)).stderr
    assert app.manager.condition().activity is Activity.STOPPED
    app.manager.release()
    assert not app.manager.held()
    assert show(unit_of(app), "LoadState") == "loaded"
    app.start()


@pytest.mark.parametrize("restart", ["always", "no"])
def test_holding_what_runs_stops_it_first_so_that_its_stop_commands_run(
    workshop: SystemdWorkshop, restart: str
) -> None:
    said = workshop.directory / "said"
    app = workshop.make(
        unit=[f"Restart={restart}", "RestartSec=50ms", f"ExecStop=/bin/sh -c 'echo stop >> {said}'"]
    )
    app.start()
    app.manager.hold()
    assert said.read_text() == "stop\n"
    assert app.controlled.why_not_down() == []


def test_restart_always_does_not_revive_what_was_stopped_and_held(workshop: SystemdWorkshop) -> None:
    app = workshop.make(unit=["Restart=always", "RestartSec=50ms"])
    app.start()
    app.crash()
    app.wait_until_listening()
    app.wait_for(Activity.RUNNING)
    assert "restarted once" in app.manager.condition().detail
    app.manager.stop()
    app.manager.hold()
    time.sleep(LONG_ENOUGH)
    assert app.controlled.why_not_down() == []


def test_a_unit_that_is_between_two_restarts_is_stopped_and_held(workshop: SystemdWorkshop) -> None:
    app = workshop.make(
        "--no-such-option", unit=["Restart=always", "RestartSec=300ms", "StartLimitIntervalSec=0"]
    )
    app.manager.start()
    wait_until(lambda: show(unit_of(app), "SubState") == "auto-restart", "it waits for its restart")
    assert app.manager.condition().activity is Activity.STARTING
    assert "auto-restart" in app.manager.condition().detail
    assert "status 2" in app.manager.condition().detail
    app.manager.stop()
    app.manager.hold()
    time.sleep(LONG_ENOUGH)
    assert app.controlled.why_not_down() == []


def test_no_other_unit_can_pull_a_held_one_in(workshop: SystemdWorkshop) -> None:
    app = workshop.make()
    unit = unit_of(app)
    sleep = "[Service]\nExecStart=/usr/bin/sleep 600"
    workshop.write("wants.service", f"[Unit]\nWants={unit}\n{sleep}")
    workshop.write("upholds.service", f"[Unit]\nUpholds={unit}\n{sleep}")
    workshop.write("requires.service", f"[Unit]\nRequires={unit}\nAfter={unit}\n{sleep}")
    app.start()
    app.manager.stop()
    app.manager.hold()
    for other in ("wants", "upholds", "requires"):
        systemctl("start", f"{other}.service")
    time.sleep(LONG_ENOUGH)
    assert app.controlled.why_not_down() == []


def test_a_timer_cannot_revive_a_held_unit_and_ticks_again_afterwards(workshop: SystemdWorkshop) -> None:
    app = workshop.make()
    timer = unit_of(app).replace(".service", ".timer")
    workshop.write(timer, "[Timer]\nOnCalendar=*:*:*\nAccuracySec=1ms")
    systemctl("start", timer)
    app.wait_until_listening()
    app.manager.stop()
    app.manager.hold()
    time.sleep(1.1)
    assert app.controlled.why_not_down() == []
    app.manager.release()
    assert show(timer, "ActiveState") == "inactive"
    app.start()
    assert show(timer, "ActiveState") == "active"
    assert show(timer, "Result") == "success"


def test_a_timer_whose_job_was_not_running_ticks_again_after_the_release(workshop: SystemdWorkshop) -> None:
    app = workshop.make()
    timer = unit_of(app).replace(".service", ".timer")
    workshop.write(timer, "[Timer]\nOnActiveSec=1h")
    systemctl("start", timer)
    for _ in range(2):  # a run that was killed and came again
        app.manager.stop()
        app.manager.hold()
    assert show(timer, "ActiveState") == "inactive"
    app.manager.release()
    assert show(timer, "ActiveState") == "active"
    assert app.manager.condition().activity is Activity.STOPPED


def test_a_socket_is_closed_with_its_service_and_opened_with_it(workshop: SystemdWorkshop) -> None:
    port = free_port()
    app = workshop.make(ports=[port])
    socket = unit_of(app).replace(".service", ".socket")
    workshop.write(socket, f"[Socket]\nListenStream=127.0.0.1:{port}")
    systemctl("start", socket)
    assert app.controlled.foreign_listeners() == [], "systemd's own sockets are not foreign"
    assert any("is still open: pid 1 (" in reason for reason in app.controlled.why_not_down())
    app.start()
    app.controlled.stop()
    app.manager.hold()
    assert not accepts(port)
    assert "failed" in systemctl("start", socket).stderr.lower()
    assert app.controlled.why_not_down() == []
    app.manager.release()
    app.start()
    assert show(socket, "ActiveState") == "active"
    assert accepts(port)


def test_a_trigger_that_an_upgrade_took_away_is_forgotten(workshop: SystemdWorkshop) -> None:
    app = workshop.make()
    timer = unit_of(app).replace(".service", ".timer")
    workshop.write(timer, "[Timer]\nOnActiveSec=1h")
    systemctl("start", timer)
    app.start()
    app.manager.stop()
    (ADMINISTRATOR / timer).unlink()
    systemctl("daemon-reload")
    app.start()


def test_what_is_part_of_a_unit_is_stopped_held_and_started_with_it(workshop: SystemdWorkshop) -> None:
    """As postgresql.service and its clusters: the unit itself has no process and does not wait for its parts."""
    part, unwanted, app = (workshop.make(name=name) for name in ("part", "unwanted", "app"))
    for each in (part, unwanted):
        path = ADMINISTRATOR / unit_of(each)
        order = f"[Unit]\nPartOf={unit_of(app)}\nBefore={unit_of(app)}\n"
        path.write_text(f"{order}{path.read_text()}ExecStop=/usr/bin/sleep 0.3\n")
    (ADMINISTRATOR / unit_of(app)).write_text(
        f"[Unit]\nWants={unit_of(part)}\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"
    )
    systemctl("daemon-reload")
    app.manager.start()
    app.wait_for(Activity.RUNNING)
    unwanted.start()
    part.wait_until_listening()
    known = app.controlled.stop()
    assert len(known) == 2
    assert app.controlled.why_not_down(known) == []
    app.manager.hold()
    assert app.manager.held()
    for each in (part, unwanted):
        assert "is masked" in systemctl("start", unit_of(each)).stderr
    app.manager.release()
    app.manager.start()
    for each in (part, unwanted):
        each.wait_until_listening()
    systemctl("stop", unit_of(app))
    systemctl("start", unit_of(unwanted))
    assert app.manager.condition().activity is Activity.RUNNING
    assert app.manager.condition().detail == f"inactive (dead), but its part {unit_of(unwanted)} is active"
    app.manager.stop()
    assert app.controlled.why_not_down() == []


def test_a_unit_is_held_through_its_alias(workshop: SystemdWorkshop) -> None:
    app = workshop.make(unit=["[Install]", "Alias=other-name.service"])
    systemctl("enable", unit_of(app))
    spec = service_spec(manager="systemd", unit="other-name.service", ports=[app.port])
    alias = Service("alias", spec, app.places, app.port)
    alias.start()
    alias.manager.stop()
    alias.manager.hold()
    assert alias.manager.held()
    assert alias.manager.enabled()
    alias.manager.stop()
    for name in (unit_of(app), "other-name.service"):
        assert systemctl("start", name).returncode != 0
    assert alias.controlled.why_not_down() == []
    alias.manager.release()
    alias.start()
    systemctl("disable", unit_of(app))


@pytest.mark.parametrize("how", [("mask",), ("mask", "--runtime")])
def test_what_an_administrator_masked_stays_masked(workshop: SystemdWorkshop, how: tuple[str, ...]) -> None:
    app = workshop.make(where=VENDOR)
    systemctl(*how, unit_of(app))
    assert not app.manager.held()
    assert not app.manager.enabled()
    app.manager.hold()
    app.manager.release()
    assert show(unit_of(app), "LoadState") == "masked"
    with pytest.raises(ServiceFailed, match="is masked"):
        app.manager.start()
    systemctl("unmask", *how[1:], unit_of(app))


def test_a_hold_that_systemd_has_not_read_yet_is_not_in_force(workshop: SystemdWorkshop) -> None:
    app = workshop.make()
    link = Path("/run/systemd/system.control", unit_of(app))
    link.parent.mkdir(exist_ok=True)
    link.symlink_to("/dev/null")
    assert not app.manager.held()
    app.manager.hold()
    assert app.manager.held()


def test_a_hold_is_released_although_its_record_is_lost(workshop: SystemdWorkshop) -> None:
    app = workshop.make()
    app.manager.hold()
    for record in app.places.state.iterdir():
        record.unlink()
    app.manager.release()
    app.start()


@pytest.mark.parametrize(
    "starter",
    ["/bin/sh -c 'while :; do systemctl start --no-block {unit}; sleep 0.05; done'", "/usr/bin/sleep 600"],
)
def test_what_is_revived_between_the_stop_and_the_hold_is_stopped_properly(
    workshop: SystemdWorkshop, starter: str
) -> None:
    said = workshop.directory / "said"
    app = workshop.make(unit=[f"ExecStop=/bin/sh -c 'echo stop >> {said}'"])
    unit = unit_of(app)
    workshop.write(
        "reviver.service", f"[Unit]\nUpholds={unit}\n[Service]\nExecStart={starter.format(unit=unit)}"
    )
    systemctl("start", "reviver.service")
    app.wait_until_listening()
    app.manager.stop()
    app.wait_until_listening()
    before = said.read_text()
    app.manager.hold()
    assert len(said.read_text()) > len(before)
    time.sleep(LONG_ENOUGH)
    assert app.controlled.why_not_down() == []
    assert app.manager.held()
    assert [path.name for path in Path("/run/systemd/system.control").glob(f"{unit}*")] == [unit]


# What systemd says --------------------------------------------------------------------------------


def test_a_unit_that_does_not_exist_has_failed_and_may_be_stopped_and_held(tmp_path: Path) -> None:
    manager = make_manager(
        "x", service_spec(manager="systemd", unit="no-such.service"), Places(tmp_path, tmp_path)
    )
    assert manager.condition().detail == "no unit no-such.service"
    assert manager.condition().activity is Activity.FAILED
    assert not manager.enabled()
    manager.stop()
    manager.hold()
    assert manager.held()
    manager.release()
    with pytest.raises(ServiceFailed, match=r"no-such\.service failed: .* not found"):
        manager.start()


def test_a_oneshot_that_remains_runs(workshop: SystemdWorkshop) -> None:
    app = workshop.make()
    path = ADMINISTRATOR / unit_of(app)
    path.write_text("[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n")
    systemctl("daemon-reload")
    app.manager.start()
    app.wait_for(Activity.RUNNING)
    assert app.manager.condition().detail == "active (exited)"
    assert app.manager.processes() == set()
    app.manager.stop()
    assert app.controlled.why_not_down() == []


def test_a_unit_that_has_not_yet_notified_is_starting(workshop: SystemdWorkshop) -> None:
    app = workshop.make(unit=["Type=notify"])
    app.manager.start()
    app.wait_until_listening()
    assert app.manager.condition().activity is Activity.STARTING
    app.manager.stop()


def test_a_unit_whose_start_waits_for_another_unit_is_starting(workshop: SystemdWorkshop) -> None:
    workshop.write("slow.service", "[Service]\nType=oneshot\nExecStart=/usr/bin/sleep 0.5")
    app = workshop.make(unit=["[Unit]", "After=slow.service"])
    systemctl("start", "--no-block", "slow.service")
    app.manager.start()
    assert app.manager.condition().activity is Activity.STARTING
    assert app.manager.condition().detail == "inactive (dead), its start waits for another unit"
    app.controlled.wait_ready()


def test_a_start_clears_the_start_limit(workshop: SystemdWorkshop) -> None:
    app = workshop.make(unit=["Restart=no", "[Unit]", "StartLimitBurst=2", "StartLimitIntervalSec=1h"])
    for _ in range(3):
        app.start()
        app.crash()
        app.wait_for(Activity.FAILED)


def test_a_stop_that_systemd_does_not_bound_is_bounded(workshop: SystemdWorkshop) -> None:
    app = workshop.make("--stubborn", stop_timeout=1, unit=["TimeoutStopSec=infinity"])
    app.start()
    with pytest.raises(
        ServiceFailed,
        match=r"did not end within 1 s; systemd goes on with it \(deactivating \(stop-sigterm\)\)",
    ):
        app.manager.stop()
    assert app.manager.condition().activity is Activity.STOPPING


def test_a_child_in_a_session_of_its_own_that_the_stop_leaves_behind_is_named(
    workshop: SystemdWorkshop,
) -> None:
    app = workshop.make("--escape", unit=["KillMode=process"])
    app.start()
    app.controlled.stop()
    (left,) = living(app.manager.processes())
    assert app.controlled.why_not_down() == [f"pid {left.pid} ({facts.command_of(left.pid)}) still runs"]


def test_enabled_is_whether_a_boot_starts_it(workshop: SystemdWorkshop) -> None:
    install = ["[Install]", "WantedBy=multi-user.target"]
    app = workshop.make(unit=install)
    static, wanted = workshop.make(name="static"), workshop.make(name="wanted")
    workshop.write("wanting.target", f"[Unit]\nWants={unit_of(wanted)}")
    systemctl("start", "wanting.target")
    assert show(unit_of(app), "UnitFileState") == "disabled"
    assert not app.manager.enabled()
    systemctl("enable", unit_of(app))
    assert app.manager.enabled()
    app.manager.hold()
    assert app.manager.enabled()
    app.manager.release()
    systemctl("disable", unit_of(app))
    assert show(unit_of(static), "UnitFileState") == "static"
    assert not static.manager.enabled()
    assert wanted.manager.enabled()


def test_a_foreign_process_on_the_port_of_a_unit_is_named(workshop: SystemdWorkshop) -> None:
    app, other = workshop.make(), workshop.make(name="other")
    other.start()
    spec = app.spec.model_copy(update={"ports": (other.port,)})
    stopped = Service(app.name, spec, app.places, other.port)
    (sentence,) = stopped.controlled.foreign_listeners()
    pid = other.manager.condition().pid
    assert sentence.startswith(f"port {other.port} of app is taken by another process: pid {pid} (")
    assert why_not_down(stopped.manager, [other.port], [])
