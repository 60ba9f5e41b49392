# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor manager beyond what all managers promise, on a supervisord of each test's own."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest

from orchestrator.errors import ServiceFailed
from orchestrator.services.service import Activity
from tests.support.managed import Service, SupervisorWorkshop
from tests.support.requirements import require
from tests.support.servers import server_directory


@pytest.fixture
def workshop() -> Iterator[SupervisorWorkshop]:
    require(shutil.which("supervisord") is not None, "no supervisord on this machine")
    with server_directory() as directory, SupervisorWorkshop(directory) as made:
        yield made


def test_autorestart_does_not_revive_what_was_stopped_by_order(workshop: SupervisorWorkshop) -> None:
    app = workshop.make(autorestart="true")
    app.start()
    app.crash()
    app.wait_for(Activity.RUNNING)
    app.wait_until_listening()
    app.manager.stop()
    app.manager.hold()
    time.sleep(0.5)
    assert app.controlled.why_not_down() == []


def test_a_program_that_dies_at_once_again_and_again_has_failed(workshop: SupervisorWorkshop) -> None:
    app = workshop.make("--no-such-option", startsecs=1, autorestart="true")
    with contextlib.suppress(ServiceFailed):  # BACKOFF is a start that goes on
        app.manager.start()
    with pytest.raises(ServiceFailed, match=r"app failed .*FATAL Exited too quickly") as caught:
        app.controlled.wait_ready()
    assert "unrecognized arguments: --no-such-option" in str(caught.value.problems[-1])


def test_a_supervisord_that_is_gone_is_said(workshop: SupervisorWorkshop) -> None:
    app = workshop.make()
    subprocess.run(["supervisorctl", "-c", workshop.config, "shutdown"], check=True, capture_output=True)
    condition = app.manager.condition()
    assert condition.activity is Activity.UNKNOWN
    assert condition.detail.startswith("supervisord cannot tell about app: unix://")
    with pytest.raises(ServiceFailed, match="supervisorctl start app failed: unix://"):
        app.manager.start()
    with pytest.raises(ServiceFailed, match="supervisorctl stop app failed: unix://"):
        app.manager.stop()


def test_a_program_that_supervisord_does_not_know_is_said(workshop: SupervisorWorkshop) -> None:
    app = workshop.make()
    unknown = Service("x", app.spec.model_copy(update={"program": "nobody"}), app.places, app.port)
    assert unknown.manager.condition().activity is Activity.UNKNOWN
    assert "no such process" in unknown.manager.condition().detail


def test_enablement_is_what_the_configuration_says(workshop: SupervisorWorkshop) -> None:
    assert workshop.make().manager.enabled()
    assert not workshop.make(autostart=False, name="other").manager.enabled()


def test_a_group_is_as_its_worst_program(workshop: SupervisorWorkshop) -> None:
    app = workshop.make()
    text = workshop.config.read_text().replace(
        "[program:app]", "[program:app]\nprocess_name=app-%(process_num)d"
    )
    text = text.replace("autostart=false", "autostart=false\nnumprocs=2").replace(
        str(app.port), "4000%(process_num)d"
    )
    workshop.config.write_text(text)
    subprocess.run(["supervisorctl", "-c", workshop.config, "update"], check=True, capture_output=True)
    group = Service(
        "app", app.spec.model_copy(update={"program": "app:*", "ports": ()}), app.places, app.port
    )
    assert group.manager.condition().activity is Activity.STOPPED
    group.manager.start()
    group.wait_for(Activity.RUNNING)
    assert len(group.manager.processes()) == 2
    group.crash()
    group.wait_for(Activity.FAILED)
    assert group.manager.condition().detail.startswith("app:app-")
    group.manager.stop()
    assert group.controlled.why_not_down() == []
