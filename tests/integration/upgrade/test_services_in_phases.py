# SPDX-License-Identifier: GPL-3.0-or-later
"""Every step runs in the service state that its number promises, and everything is up at the end."""

import socket
import sys
from pathlib import Path
from typing import Any

from tests.support.product import Outcome
from tests.support.servers import LOOPBACK, accepts, free_port
from tests.support.stack import Stack, service, temporary_stack

UP = {"db": True, "web": True}
DOWN = {"db": False, "web": False}


def names(stack: Stack, *events: str) -> list[str]:
    """`service-down web` ... of the newest run, in order."""
    return [
        f"{e['event']} {e.get('service') or e.get('phase') or e.get('step')}"
        for e in stack.journal()
        if e["event"] in events
    ]


def test_every_phase_has_the_services_as_promised(stack: Stack) -> None:
    stack.start_services()
    stack.watching_step("upgrade/0010_a.sh")
    stack.watching_step("upgrade/3010_b.sh")
    stack.watching_step("upgrade/6010_c.sh")
    stack.run("upgrade", "-y").expect(0)
    assert stack.seen() == ["0010", "3010 db", "6010 db web"]
    assert stack.up() == UP
    assert names(stack, "service-down", "service-ready", "phase-entered") == [
        "phase-entered backends-down",
        "service-down web",
        "service-down db",
        "phase-entered backends-up",
        "service-ready db",
        "phase-entered all-up",
        "service-ready web",
    ]


def test_what_was_found_is_on_record_before_the_first_stop(stack: Stack) -> None:
    stack.start_services()
    stack.step("upgrade/0010_a.sh")
    stack.run("upgrade", "-y").expect(0)
    events = [e["event"] for e in stack.journal()]
    assert events.index("services-found") < events.index("debt") < events.index("service-stopping")
    found = next(e for e in stack.journal() if e["event"] == "services-found")["services"]
    assert {name: (fact["up"], fact["enabled"]) for name, fact in found.items()} == {
        "db": (True, True),
        "web": (True, True),
    }


def test_a_phase_without_a_due_step_is_not_entered(stack: Stack) -> None:
    stack.start_services()
    stack.watching_step("upgrade/3010_b.sh")
    outcome = stack.run("upgrade", "-y").expect(0)
    assert stack.seen() == ["3010 db"]
    assert "Phase backends-down" not in outcome.out
    assert names(stack, "service-stopping") == ["service-stopping web"], "db had not to be stopped"


def test_steps_that_need_everything_up_stop_nothing(stack: Stack) -> None:
    stack.start_services()
    stack.watching_step("upgrade/6010_c.sh")
    stack.run("upgrade", "-y").expect(0)
    assert stack.seen() == ["6010 db web"]
    assert names(stack, "service-stopping", "service-starting") == []


def test_with_nothing_due_no_service_is_touched_and_no_run_is_begun(stack: Stack) -> None:
    stack.start_services()
    stack.step("upgrade/0010_a.sh")
    stack.run("history", "baseline").expect(0)
    outcome = stack.run("upgrade", "-y").expect(0)
    assert "Nothing to do." in outcome.out
    assert stack.ran() == []
    assert not (stack.state / "runs").exists()
    assert stack.up() == UP


def test_services_that_were_down_and_are_enabled_are_started(stack: Stack) -> None:
    stack.step("upgrade/0010_a.sh")
    stack.run("upgrade", "-y").expect(0)
    assert stack.up() == UP


def test_a_service_that_was_down_and_is_disabled_stays_down(tmp_path: Path) -> None:
    services = {"db": service("backend", tmp_path), "web": service("application", tmp_path, autostart=False)}
    with temporary_stack(tmp_path, {"services": services}) as stack:
        stack.step("upgrade/0010_a.sh")
        stack.step("upgrade/6010_c.sh")
        stack.run("upgrade", "-y").expect(0)
        assert stack.up() == {"db": True, "web": False}


def test_a_disabled_service_that_was_up_is_up_again(tmp_path: Path) -> None:
    services = {"db": service("backend", tmp_path, autostart=False), "web": service("application", tmp_path)}
    with temporary_stack(tmp_path, {"services": services}) as stack:
        stack.start_services()
        stack.watching_step("upgrade/0010_a.sh")
        stack.run("upgrade", "-y").expect(0)
        assert stack.seen() == ["0010"]
        assert stack.up() == UP


def test_a_step_that_leaves_a_service_down_is_reported_and_the_service_is_up_for_the_next(
    stack: Stack,
) -> None:
    stack.start_services()
    stack.step("upgrade/6010_kills.sh", f"fuser -k -n tcp {stack.web} >/dev/null 2>&1; sleep 0.2")
    stack.watching_step("upgrade/6020_next.sh")
    outcome = stack.run("upgrade", "-y").expect(0)
    assert "web should be up but is not after upgrade/6010_kills.sh" in outcome.out
    assert stack.seen() == ["6020 db web"]


def test_what_the_last_step_of_a_phase_left_is_reported_as_well(stack: Stack) -> None:
    stack.start_services()
    stack.step("upgrade/6010_kills.sh", f"fuser -k -n tcp {stack.web} >/dev/null 2>&1; sleep 0.2")
    outcome = stack.run("upgrade", "-y").expect(0)
    assert "web should be up but is not after upgrade/6010_kills.sh" in outcome.out
    assert stack.up() == UP


def test_a_port_that_a_step_opens_while_its_service_must_be_down_is_named(stack: Stack) -> None:
    listen = f"{sys.executable} -S -m http.server {stack.db} --bind {LOOPBACK} >/dev/null 2>&1 &\nsleep 0.5"
    stack.config["services"]["db"]["stop_timeout"] = "1s"
    stack.save()
    stack.step("upgrade/0010_opens.sh", listen)
    stack.step("upgrade/0020_next.sh")
    outcome = stack.run("upgrade", "-y").expect(5)
    assert f"port {stack.db} is still open: pid" in outcome.out
    assert "http.server" in outcome.out
    assert stack.ran() == ["0010"], "the next step must not run beside it"


def test_a_foreign_process_on_a_port_refuses_before_anything_is_stopped(stack: Stack) -> None:
    stack.run("services", "start", "db").expect(0)
    stack.step("upgrade/0010_a.sh")
    with socket.create_server((LOOPBACK, stack.web)):
        outcome = stack.run("upgrade", "-y").expect(4)
    assert f"port {stack.web} of web is taken by another process: pid" in outcome.err
    assert stack.ran() == []
    assert stack.up()["db"], "nothing was stopped"
    assert not (stack.state / "runs").exists()


def assert_not_ready(stack: Stack, outcome: Outcome) -> None:
    assert stack.ran() == ["0010"]
    assert "continue with:   orchestrator upgrade" in outcome.out


def test_a_service_that_dies_at_its_start_ends_with_5_and_its_last_lines(stack: Stack) -> None:
    web = stack.config["services"]["web"]
    web["command"] = ["/bin/sh", "-c", "echo no such schema; echo giving up; exit 1"]
    stack.save()
    stack.step("upgrade/0010_a.sh")
    outcome = stack.run("upgrade", "-y").expect(5)
    assert "web failed" in outcome.err
    assert "no such schema" in outcome.err
    assert "giving up" in outcome.err
    assert_not_ready(stack, outcome)
    assert "services down:   web; up: db" in outcome.out


def test_a_service_that_does_not_become_ready_ends_with_5_and_the_last_answer_of_its_probe(
    stack: Stack,
) -> None:
    web = stack.config["services"]["web"]
    web["command"] = ["/bin/sh", "-c", "echo loading; exec sleep 100"]
    web["ready_timeout"] = "0.5s"
    stack.save()
    stack.step("upgrade/0010_a.sh")
    outcome = stack.run("upgrade", "-y").expect(5)
    assert "web is not ready after" in outcome.err
    assert "Connection refused" in outcome.err
    assert "loading" in outcome.err
    assert "raise services.web.ready_timeout" in outcome.err
    assert_not_ready(stack, outcome)


def test_the_run_goes_on_when_the_service_starts_at_last(stack: Stack) -> None:
    web = stack.config["services"]["web"]
    command, web["command"] = web["command"], ["/bin/false"]
    stack.save()
    stack.step("upgrade/0010_a.sh")
    stack.run("upgrade", "-y").expect(5)
    web["command"] = command
    stack.save()
    stack.run("upgrade", "-y").expect(0)
    assert stack.ran() == ["0010"]
    assert stack.up() == UP


def external(port: int) -> dict[str, Any]:
    probe = {"tcp": f"{LOOPBACK}:{port}"}
    return {"tier": "backend", "manager": "external", "ready": [probe], "ready_timeout": "0.4s"}


def test_an_external_service_that_is_not_ready_refuses_before_anything_is_stopped(tmp_path: Path) -> None:
    services = {"remote": external(free_port()), "web": service("application", tmp_path)}
    with temporary_stack(tmp_path, {"services": services}) as stack:
        stack.run("services", "start", "web").expect(0)
        stack.step("upgrade/0010_a.sh")
        assert "service remote: external, and not ready" in stack.run("upgrade", "-y").expect(4).err
        assert stack.ran() == []
        assert accepts(stack.web)


def test_an_external_service_is_waited_for_but_never_stopped(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as remote:
        port = remote.getsockname()[1]
        with temporary_stack(tmp_path, {"services": {"remote": external(port)}}) as stack:
            stack.step("upgrade/0010_a.sh")
            stack.step("upgrade/3010_b.sh")
            stack.run("upgrade", "-y").expect(0)
            assert stack.ran() == ["0010", "3010"]
            assert names(stack, "service-stopping", "service-starting") == []


def test_a_continued_plan_tells_what_it_will_do_from_here(stack: Stack) -> None:
    stack.start_services()
    stack.step("upgrade/0010_a.sh", "exit 1")
    stack.run("upgrade", "-y").expect(1)
    plan = stack.run("plan", "-o", "json").expect(0).json()
    assert [move["stop"] for move in plan["transitions"]] == [[], []], "both are down already"
    assert plan["transitions"][-1]["start"] == ["db", "web"]


def test_a_continued_plan_without_a_step_still_starts_what_is_down(stack: Stack) -> None:
    web = stack.config["services"]["web"]
    command, web["command"] = web["command"], ["/bin/false"]
    stack.save()
    stack.step("upgrade/0010_a.sh")
    stack.run("upgrade", "-y").expect(5)
    web["command"] = command
    stack.save()
    plan = stack.run("plan", "-o", "json").expect(0).json()
    (move,) = plan["transitions"]
    assert (move["phase"], move["stop"], move["start"]) == (None, [], ["web"])


def test_after_a_failure_the_services_stay_as_the_phase_has_them(stack: Stack) -> None:
    stack.start_services()
    stack.step("upgrade/3010_b.sh", "exit 1")
    outcome = stack.run("upgrade", "-y").expect(1)
    assert "services down:   web; up: db" in outcome.out
    assert stack.up() == {"db": True, "web": False}


def test_maintenance_mode_is_entered_before_the_first_stop_and_left_after_everything_is_ready(
    stack: Stack,
) -> None:
    stack.start_services()
    note = f"{stack.directory}/maintenance"
    state = f"(echo >/dev/tcp/127.0.0.1/{stack.web}) 2>/dev/null && echo up || echo down"
    stack.config["maintenance"] = {
        "enter": ["/bin/bash", "-c", f"(echo enter; {state}) >>{note}"],
        "leave": ["/bin/bash", "-c", f"(echo leave; {state}) >>{note}"],
    }
    stack.config["backup"] = {"command": ["/bin/bash", "-c", f"(echo backup; {state}) >>{note}"]}
    stack.save()
    stack.step("upgrade/0010_a.sh")
    stack.run("upgrade", "-y").expect(0)
    assert Path(note).read_text().split() == ["backup", "up", "enter", "up", "leave", "up"]


def test_a_failed_backup_refuses_before_anything_is_stopped(stack: Stack) -> None:
    stack.start_services()
    stack.config["backup"] = {"command": ["/bin/sh", "-c", "echo no space on tape; exit 1"]}
    stack.save()
    stack.step("upgrade/0010_a.sh")
    outcome = stack.run("upgrade", "-y").expect(4)
    assert "no space on tape" in outcome.err
    assert stack.ran() == []
    assert stack.up() == UP


def test_maintenance_mode_that_could_not_be_entered_is_entered_when_the_run_goes_on(stack: Stack) -> None:
    stack.start_services()
    note = stack.directory / "maintenance"
    stack.config["maintenance"] = {
        "enter": ["/bin/false"],
        "leave": ["/bin/sh", "-c", f"echo leave >>{note}"],
    }
    stack.save()
    stack.step("upgrade/0010_a.sh")
    stack.run("upgrade", "-y").expect(1)
    assert stack.ran() == []
    stack.config["maintenance"]["enter"] = ["/bin/sh", "-c", f"echo enter >>{note}"]
    stack.save()
    stack.run("upgrade", "-y").expect(0)
    assert note.read_text().split() == ["enter", "leave"]
