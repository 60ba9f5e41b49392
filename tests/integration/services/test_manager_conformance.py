# SPDX-License-Identifier: GPL-3.0-or-later
"""The managers that need nothing but programs. systemd passes the same suite inside a host of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.managed import CommandWorkshop, ProcessWorkshop, SupervisorWorkshop, Workshop
from tests.support.manager_conformance import ManagerConformance
from tests.support.requirements import require
from tests.support.servers import server_directory


class TestProcess(ManagerConformance):
    @pytest.fixture
    def workshop(self, tmp_path: Path) -> Iterator[Workshop]:
        with ProcessWorkshop(tmp_path) as made:
            yield made


class TestCommand(ManagerConformance):
    @pytest.fixture
    def workshop(self, tmp_path: Path) -> Iterator[Workshop]:
        with CommandWorkshop(tmp_path) as made:
            yield made


class TestSupervisor(ManagerConformance):
    @pytest.fixture
    def workshop(self) -> Iterator[Workshop]:
        require(shutil.which("supervisord") is not None, "no supervisord on this machine")
        with server_directory() as directory, SupervisorWorkshop(directory) as made:
            yield made
