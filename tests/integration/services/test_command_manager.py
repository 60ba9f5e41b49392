# SPDX-License-Identifier: GPL-3.0-or-later
"""The command manager beyond what all managers promise: LSB answers, daemons that keep the output, pid files."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import ServiceFailed
from orchestrator.host import facts
from orchestrator.services.command import read_pid_file
from orchestrator.services.service import Activity
from tests.support.managed import CommandWorkshop, Service, living
from tests.support.servers import wait_until


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[CommandWorkshop]:
    with CommandWorkshop(tmp_path) as made:
        yield made


def with_commands(service: Service, **changes: object) -> Service:
    """The same service with other commands or settings."""
    return Service(service.name, service.spec.model_copy(update=changes), service.places, service.port)


@pytest.mark.parametrize(
    ("code", "activity"),
    [
        (0, Activity.RUNNING),
        (1, Activity.FAILED),
        (2, Activity.FAILED),
        (3, Activity.STOPPED),
        (4, Activity.UNKNOWN),
        (150, Activity.UNKNOWN),
    ],
)
def test_the_status_is_read_by_the_lsb(workshop: CommandWorkshop, code: int, activity: Activity) -> None:
    app = with_commands(workshop.make(), status=("/bin/sh", "-c", f"echo in words; exit {code}"))
    assert app.manager.condition().activity is activity
    assert app.manager.condition().detail


def test_a_status_that_cannot_be_asked_is_unknown_with_the_reason(workshop: CommandWorkshop) -> None:
    app = with_commands(workshop.make(), status=("/no/such/status",))
    assert app.manager.condition().activity is Activity.UNKNOWN
    assert app.manager.condition().detail == "/no/such/status: /no/such/status: command not found"
    assert app.controlled.why_not_down() == [f"its manager cannot tell: {app.manager.condition().detail}"]


def test_a_start_ends_although_its_daemon_keeps_the_output_open(workshop: CommandWorkshop) -> None:
    app = workshop.make()
    began = time.monotonic()
    app.manager.start()
    assert time.monotonic() - began < 1.5
    wait_until(lambda: bool(facts.listeners([app.port])), "it listens")
    log = app.places.logs / "app.log"
    wait_until(lambda: "listens on port" in log.read_text(), "what the daemon says after the start has ended")
    assert log.read_text().startswith("starting\n")


def test_a_command_that_fails_is_told_with_its_last_words(workshop: CommandWorkshop) -> None:
    failing = ("/bin/sh", "-c", "echo progress; echo no room >&2; exit 5")
    app = with_commands(workshop.make(), start=failing)
    with pytest.raises(ServiceFailed, match="cannot start app: /bin/sh: exit status 5: no room") as caught:
        app.manager.start()
    assert str(app.places.logs / "app.log") in caught.value.hint


def test_a_start_that_never_ends_is_given_up(workshop: CommandWorkshop) -> None:
    app = with_commands(workshop.make(), start=("/bin/sleep", "600"), ready_timeout=0.2)
    with pytest.raises(ServiceFailed, match=r"cannot start app: /bin/sleep: no end within 0\.2 s"):
        app.manager.start()


def test_without_a_pid_file_whoever_has_the_port_is_the_service(workshop: CommandWorkshop) -> None:
    app = workshop.make("--child")
    app.start()
    pid = app.manager.condition().pid
    blind = with_commands(app, pid_file=None)
    assert blind.manager.condition().pid is None
    assert {process.pid for process in blind.manager.processes()} >= {pid}
    known = blind.controlled.stop()
    assert len(known) == 2
    assert living(known) == set()


def test_a_process_that_the_daemon_left_is_found_by_its_mark(workshop: CommandWorkshop) -> None:
    app = workshop.make("--deaf-child")
    app.start()
    app.manager.stop()
    (left,) = app.manager.processes()
    assert app.controlled.why_not_down() == [f"pid {left.pid} ({facts.command_of(left.pid)}) still runs"]


def test_its_commands_get_the_configured_environment(workshop: CommandWorkshop) -> None:
    shell = ("/bin/sh", "-c", 'echo "colour $COLOUR"; exit 1')
    app = with_commands(workshop.make(), start=shell, env={"COLOUR": "blue"})
    with pytest.raises(ServiceFailed, match="colour blue"):
        app.manager.start()


def test_a_pid_file_counts_only_when_its_process_lives(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    assert read_pid_file(file) is None
    for text in ("", "none\n", "4194399\n", "-1\n"):
        file.write_text(text)
        assert read_pid_file(file) is None
    file.write_text("1\n/var/lib/data\n5432\n")  # as PostgreSQL writes it
    assert read_pid_file(file) == 1
    file.write_bytes(b"\xff\xfe")
    assert read_pid_file(file) is None
