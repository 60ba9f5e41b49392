# SPDX-License-Identifier: GPL-3.0-or-later
"""A service as the runner sees it: ready and down as facts, foreign processes, log marks that last."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import ServiceFailed
from orchestrator.host import facts
from orchestrator.services.controlled import ControlledService, control_all
from orchestrator.services.service import Places, Readiness
from tests.support.managed import CommandWorkshop, ProcessWorkshop, service_spec
from tests.support.servers import free_port


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[ProcessWorkshop]:
    with ProcessWorkshop(tmp_path) as made:
        yield made


def test_it_starts_becomes_ready_and_is_verifiably_down_again(workshop: ProcessWorkshop) -> None:
    app = workshop.make("--child").controlled
    assert app.readiness().readiness is Readiness.GONE
    app.start()
    assert app.wait_ready() < 10
    assert app.readiness().readiness is Readiness.READY
    known = app.stop()
    assert len(known) == 2
    app.verify_down(known)
    assert app.readiness().readiness is Readiness.GONE


def test_a_process_seen_before_the_stop_must_be_gone_wherever_it_went(tmp_path: Path) -> None:
    with CommandWorkshop(tmp_path) as workshop:
        app = workshop.make("--escape")
        app.start()
        known = app.controlled.stop()
        with pytest.raises(ServiceFailed, match=r"app is not down after 0\.1 s") as caught:
            app.controlled.verify_down(known, timeout=0.1)
        (problem,) = caught.value.problems
        assert problem.where == "app"
        assert "still runs" in problem.what


def test_a_port_that_is_open_is_not_down_and_its_holder_is_named(workshop: ProcessWorkshop) -> None:
    app = workshop.make()
    with socket.create_server(("127.0.0.1", app.port)):
        me = f"pid {os.getpid()} ({facts.command_of(os.getpid())})"
        assert app.controlled.why_not_down() == [f"port {app.port} is still open: {me}"]
        taken = f"port {app.port} of app is taken by another process: {me}"
        assert app.controlled.foreign_listeners() == [taken]
    assert app.controlled.foreign_listeners() == []


def test_a_port_that_another_process_has_is_foreign_while_the_service_runs(workshop: ProcessWorkshop) -> None:
    app = workshop.make()
    app.start()
    with socket.create_server(("127.0.0.1", 0)) as server:
        other = server.getsockname()[1]
        app.spec = app.spec.model_copy(update={"ports": (app.port, other)})
        (sentence,) = app.controlled.foreign_listeners()
    assert sentence.startswith(f"port {other} of app is taken by another process: pid {os.getpid()} (")


def test_an_external_service_is_never_stopped_nor_blamed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        spec = service_spec(manager="external", ports=[port], ready=[{"tcp": f"127.0.0.1:{port}"}])
        remote = ControlledService("remote", spec, Places(tmp_path / "state", tmp_path / "logs"))
        assert remote.external
        assert remote.stop() == set()
        remote.verify_down()
        assert remote.foreign_listeners() == []
        assert remote.readiness().readiness is Readiness.READY
    assert remote.readiness().readiness is not Readiness.READY
    assert list(tmp_path.iterdir()) == []


def test_a_log_probe_sees_only_what_was_written_since_the_start_also_from_a_later_runner(
    workshop: ProcessWorkshop, tmp_path: Path
) -> None:
    log = tmp_path / "app.log"
    log.write_text("pid 1 listens on port 1\n")
    app = workshop.make(log=str(log), ready=[{"log": {"path": str(log), "pattern": "listens on port"}}])
    app.controlled.start()
    app.controlled.wait_ready()
    app.controlled.start()
    app.controlled.wait_ready()  # what ran was not marked anew
    app.controlled.stop()
    silent = app.spec.model_copy(update={"command": ("/bin/sleep", "600"), "ready_timeout": 0.5})
    app.spec = silent
    app.controlled.start()
    with pytest.raises(ServiceFailed, match="listens on port"):
        app.controlled.wait_ready()


def test_a_log_probe_does_not_count_when_a_running_service_is_looked_at(
    workshop: ProcessWorkshop, tmp_path: Path
) -> None:
    log = tmp_path / "app.log"
    app = workshop.make(log=str(log), ready=[{"log": {"path": str(log), "pattern": "listens on port"}}])
    app.controlled.start()
    app.controlled.wait_ready()
    log.write_text("")  # rotated
    assert app.controlled.readiness().readiness is Readiness.READY


def test_looking_at_services_changes_nothing_on_disk(tmp_path: Path) -> None:
    places = Places(tmp_path / "state", tmp_path / "logs")
    port = free_port()
    commands = {verb: ["/bin/sh", "-c", "exit 3"] for verb in ("start", "stop", "status")}
    specs = {
        "p": service_spec(manager="process", command=["/bin/true"], ports=[port]),
        "c": service_spec(manager="command", **commands, ports=[port]),
        "u": service_spec(manager="systemd", unit="no-such.service", ports=[port]),
        "s": service_spec(manager="supervisor", program="no-such", ports=[port]),
    }
    for service in control_all(specs, places).values():
        service.readiness()
        service.foreign_listeners()
        service.why_not_down()
        service.manager.held()
        service.manager.log_tail(5)
    assert list(tmp_path.iterdir()) == []
