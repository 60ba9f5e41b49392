# SPDX-License-Identifier: GPL-3.0-or-later
"""How the suite is spread over workers: file by file, but for the files whose tests are long and independent."""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

SPREAD = (
    "test_ansible_example.py",
    "test_benchmarks.py",
    "test_crash_sweep.py",
    "test_upgrade_on_systemd.py",
)


class ByFileOrTest(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return nodeid if file.endswith(SPREAD) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFileOrTest:
    return ByFileOrTest(config, log)
