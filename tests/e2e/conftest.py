# SPDX-License-Identifier: GPL-3.0-or-later
"""Real systemd hosts for tests: `systemd_host` is fresh for each test, `shared_host` one for a module."""

from collections.abc import Iterator

import pytest

from tests.support import systemd_host as hosts
from tests.support.requirements import require


@pytest.fixture
def systemd_host() -> Iterator[hosts.SystemdHost]:
    """A fresh host of the test's own: it may be cut, booted, broken."""
    require(not hosts.obstacle(), hosts.obstacle())
    with hosts.SystemdHost() as host:
        yield host


@pytest.fixture(scope="module")
def shared_host() -> Iterator[hosts.SystemdHost]:
    """One host for a module's tests, which must not disturb each other: units of their own, no cuts."""
    require(not hosts.obstacle(), hosts.obstacle())
    with hosts.SystemdHost("shared") as host:
        yield host
