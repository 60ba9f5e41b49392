# SPDX-License-Identifier: GPL-3.0-or-later
"""The systemd manager on real systemd: the tests of `inside/systemd_manager.py`, run in a host."""

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
