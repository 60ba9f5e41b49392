# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemd manager on real systemd: the tests of `inside/systemd_manager.py`, run in a host."""

import sys

import pytest

from tests.e2e.inside import systemd_manager
from tests.support.inside import Outcomes, names_of_tests, run_inside
from tests.support.systemd_host import SystemdHost

pytestmark = [pytest.mark.systemd, pytest.mark.slow]


@pytest.fixture(scope="module")
def outcomes(shared_host: SystemdHost) -> Outcomes:
    return run_inside(shared_host, systemd_manager)


@pytest.mark.parametrize("name", names_of_tests(systemd_manager))
def test_inside(name: str, outcomes: Outcomes) -> None:
    outcomes.check(name)


STOP_AND_HOLD = """
import sys
from pathlib import Path
from orchestrator.services.managers import make_manager
from orchestrator.services.service import Places
from tests.support.managed import service_spec
manager = make_manager("app", service_spec(manager="systemd", unit="app.service"), Places(*map(Path, ["/var/lib/o"] * 2)))
for verb in sys.argv[1:]:
    print(getattr(manager, verb)())
"""


def test_a_boot_ends_every_hold_and_forgets_what_was_noted_of_it(systemd_host: SystemdHost) -> None:
    host = systemd_host
    unit = "[Service]\nExecStart=/usr/bin/sleep inf\n[Install]\nWantedBy=multi-user.target\n"
    host.unit_file("app.service", unit)
    host.unit_file("app.timer", "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n")
    host.systemctl("enable", "--now", "app.service", "app.timer")
    python = [sys.executable, "-c", STOP_AND_HOLD]
    assert host.run([*python, "stop", "hold", "held", "enabled"]).stdout.split() == [
        "None",
        "None",
        "True",
        "True",
    ]
    host.cut()
    host.boot()
    assert host.run([*python, "held", "enabled"]).stdout.split() == ["False", "True"]
    assert host.show("app.service") == "active"
    host.systemctl("disable", "app.service")
    assert host.run([*python, "release", "enabled"]).stdout.split() == ["None", "False"]
    assert host.show("app.timer") == "active"
