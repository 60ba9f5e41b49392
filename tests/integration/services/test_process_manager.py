# SPDX-License-Identifier: GPL-3.0-or-later
"""The process manager beyond what all managers promise: killed runners, crashes, what it says."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import ServiceFailed, StateUnwritable
from orchestrator.host import facts
from orchestrator.services.marker import marker
from orchestrator.services.service import Activity, Places
from tests.support.managed import ProcessWorkshop, Service, living
from tests.support.requirements import require
from tests.support.servers import server_directory, wait_until

# A runner that is killed at its N-th change of a file or start of a process, as `kill -9` would.
KILLED_RUNNER = """
import json, os, signal, sys
from pathlib import Path
from orchestrator.services.managers import make_manager
from orchestrator.services.service import Places
from tests.support.managed import service_spec

spec, places, verb, fatal = json.loads(sys.argv[1])
manager = make_manager("app", service_spec(**spec), Places(*map(Path, places)))
seen = 0

def count(event, arguments):
    global seen
    writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if writes or event in ("os.rename", "subprocess.Popen", "os.kill", "os.killpg"):
        seen += 1
        if seen == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
getattr(manager, verb)()
"""


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[ProcessWorkshop]:
    with ProcessWorkshop(tmp_path) as made:
        yield made


def killed_at(service: Service, verb: str, fatal: int) -> bool:
    """Whether another runner was killed at its event number `fatal`; False when it had fewer."""
    spec = service.spec.model_dump(mode="json", exclude={"ready"})
    places = [str(service.places.state), str(service.places.logs)]
    argv = [sys.executable, "-c", KILLED_RUNNER, json.dumps([spec, places, verb, fatal])]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def mains(service: Service) -> list[int]:
    """The session leaders that were started as this service."""
    marked = facts.started_with(marker(service.name, service.places))
    return [pid for pid in marked if facts.leads_session(pid)]


def test_a_runner_killed_anywhere_in_a_start_leads_to_no_second_process(workshop: ProcessWorkshop) -> None:
    app = workshop.make()
    fatal = 1
    while killed_at(app, "start", fatal):
        app.start()
        assert len(mains(app)) == 1, f"after a kill at event {fatal}"
        assert app.manager.condition().pid == mains(app)[0]
        app.manager.stop()
        assert app.controlled.why_not_down() == []
        fatal += 1
    assert fatal > 4, "it was killed before, between and after the notes and the start"


def test_a_runner_killed_anywhere_in_a_stop_leaves_a_service_that_can_be_stopped(
    workshop: ProcessWorkshop,
) -> None:
    app = workshop.make()
    fatal = 1
    app.start()
    while killed_at(app, "stop", fatal):
        wait_until(
            lambda: app.manager.condition().activity is not Activity.STOPPING or bool(mains(app)),
            "the signal",
        )
        assert app.manager.condition().activity is not Activity.FAILED, f"after a kill at event {fatal}"
        app.manager.stop()
        assert app.manager.condition().activity is Activity.STOPPED
        app.start()
        fatal += 1
    assert fatal > 2


def test_a_process_whose_note_is_lost_is_found_again(workshop: ProcessWorkshop) -> None:
    app = workshop.make("--child")
    app.start()
    (main,) = mains(app)
    (app.places.state / "app.json").unlink()
    assert app.manager.condition().pid == main
    app.manager.start()
    assert mains(app) == [main]
    app.manager.stop()
    assert mains(app) == []


def test_a_torn_note_is_no_obstacle(workshop: ProcessWorkshop) -> None:
    app = workshop.make()
    app.start()
    (app.places.state / "app.json").write_text('{"proc')
    assert app.manager.condition().activity is Activity.RUNNING
    app.manager.stop()
    assert app.manager.condition().activity is Activity.STOPPED


def test_two_starts_at_once_start_one_process(workshop: ProcessWorkshop) -> None:
    app = workshop.make()
    manager = app.manager
    threads = [threading.Thread(target=manager.start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mains(app)) == 1


def test_what_had_to_be_killed_is_said_also_to_a_later_runner(workshop: ProcessWorkshop) -> None:
    app = workshop.make("--stubborn", stop_timeout=0.3)
    app.start()
    main = app.manager.condition().pid
    assert main is not None
    command = facts.command_of(main)
    app.manager.stop()
    expected = f"killed: no end within 0.3 s of SIGTERM: pid {main} ({command})"
    assert app.manager.condition().detail == expected
    app.start()
    assert app.manager.condition().detail == f"pid {app.manager.condition().pid}"


def test_a_child_in_a_session_of_its_own_is_killed_with_the_rest(workshop: ProcessWorkshop) -> None:
    app = workshop.make("--escape", stop_timeout=0.3)
    app.start()
    known = app.controlled.stop()
    assert len(known) == 2
    assert living(known) == set()


def test_the_stop_signal_is_the_configured_one(workshop: ProcessWorkshop) -> None:
    app = workshop.make("--stubborn", stop_signal="QUIT")
    app.start()
    app.manager.stop()
    assert app.manager.condition().detail == ""


def test_children_of_one_that_crashed_are_ended_before_the_next_start(workshop: ProcessWorkshop) -> None:
    app = workshop.make("--deaf-child", stop_timeout=0.3)
    app.start()
    before = app.manager.processes()
    app.crash()
    app.wait_for(Activity.FAILED)
    assert len(living(before)) == 1
    assert app.controlled.why_not_down(before), "a failed service with a process left is not down"
    app.start()
    assert living(before) == set()


def test_after_a_reboot_it_is_stopped_not_failed(workshop: ProcessWorkshop) -> None:
    app = workshop.make()
    app.places.state.mkdir()
    note = {"process": {"pid": os.getpid(), "started": 1, "boot": "an-earlier-one"}, "note": ""}
    (app.places.state / "app.json").write_text(json.dumps(note))
    assert app.manager.condition().activity is Activity.STOPPED


def test_its_environment_is_clean_and_says_which_service_it_is(
    workshop: ProcessWorkshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "x")
    app = workshop.make(env={"COLOUR": "blue"})
    app.start()
    (main,) = mains(app)
    told = Path(f"/proc/{main}/environ").read_text().split("\0")
    assert {"COLOUR=blue", "ORCHESTRATOR_SERVICE=app", "LC_ALL=C.UTF-8"} <= set(told)
    assert not any("SECRET" in word for word in told)


def test_it_can_run_as_another_user(workshop: ProcessWorkshop) -> None:
    require(os.geteuid() == 0, "only root becomes another user")
    with server_directory() as directory:
        spec = workshop.make().spec.model_copy(
            update={"command": ("/bin/sh", "-c", f"id -un > {directory}/who; sleep 600"), "user": "nobody"}
        )
        directory.chmod(0o777)
        app = Service("other", spec, workshop.made[0].places, 0)
        workshop.made.append(app)
        app.manager.start()
        wait_until(lambda: bool((directory / "who").exists() and (directory / "who").read_text()), "its user")
        assert (directory / "who").read_text() == "nobody\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"command": ("/no/such/program",)}, "cannot start app: No such file or directory: /no/such/program"),
        ({"command": ("/etc/passwd",)}, "cannot start app: Permission denied: /etc/passwd"),
        ({"user": "no-such-user"}, "cannot start app: there is no user no-such-user"),
        ({"cwd": Path("/no/such/place")}, "cannot start app: No such file or directory: /no/such/place"),
        ({"log": Path("/proc/app.log")}, "cannot start app: .*: /proc/app.log"),
    ],
)
def test_what_cannot_be_started_is_said(
    workshop: ProcessWorkshop, change: dict[str, object], words: str
) -> None:
    app = workshop.make()
    app.spec = app.spec.model_copy(update=change)
    with pytest.raises(ServiceFailed, match=words):
        app.manager.start()
    assert app.manager.condition().activity is Activity.STOPPED


def test_a_state_directory_that_cannot_be_written_is_said_before_anything_starts(
    workshop: ProcessWorkshop,
) -> None:
    app = workshop.make()
    app.places = Places(Path("/proc/no-such-place"), app.places.logs)
    with pytest.raises(StateUnwritable, match="cannot write /proc/no-such-place"):
        app.manager.start()
    assert mains(app) == []
