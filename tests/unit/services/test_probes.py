# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes without a server: how a unit's properties are judged, and what making one costs."""

import subprocess
import sys
from typing import Any

import pytest

from orchestrator.config import model
from orchestrator.services.probes.systemd import judge
from orchestrator.services.service import Readiness
from tests.support.probes import probe_of

WRITTEN: dict[str, Any] = {
    "tcp": "127.0.0.1:80",
    "unix": "/run/web.sock",
    "http": "http://127.0.0.1/",
    "exec": ["true"],
    "postgresql": "/run/postgresql",
    "redis": "127.0.0.1:6379",
    "systemd": "web.service",
    "log": {"path": "/var/log/web.log", "pattern": "started"},
}


def test_there_is_a_probe_for_every_kind_of_the_configuration() -> None:
    assert WRITTEN.keys() == model.PROBE_SHORTHAND.keys()
    for kind, value in WRITTEN.items():
        assert type(probe_of({kind: value})).__name__ == kind.capitalize()


def test_making_probes_of_one_kind_imports_no_other_and_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from tests.support.probes import probe_of\n"
        "from orchestrator.services import readiness\n"
        "probe_of({'tcp': '127.0.0.1:80'})\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert "orchestrator.services.probes.tcp" in loaded
    assert not loaded & {
        "orchestrator.services.probes.http",
        "http.client",
        "ssl",
        "sh",
        "tenacity",
        "psutil",
    }


@pytest.mark.parametrize(
    ("properties", "readiness", "reason"),
    [
        ({"ActiveState": "active", "SubState": "running"}, Readiness.READY, ""),
        ({"ActiveState": "active", "SubState": "exited"}, Readiness.READY, ""),
        ({"ActiveState": "activating", "SubState": "start"}, Readiness.STARTING, "activating (start)"),
        (
            {
                "ActiveState": "activating",
                "SubState": "auto-restart",
                "NRestarts": "4",
                "StatusText": "Loading: 40 %",
            },
            Readiness.STARTING,
            "activating (auto-restart), restarts: 4, its status: Loading: 40 %",
        ),
        ({"ActiveState": "reloading", "SubState": "reload"}, Readiness.STARTING, "reloading (reload)"),
        ({"ActiveState": "deactivating", "SubState": "stop"}, Readiness.STARTING, "deactivating (stop)"),
        (
            {"ActiveState": "failed", "Result": "exit-code", "NRestarts": "5"},
            Readiness.FAILED,
            "failed (exit-code), restarts: 5",
        ),
        ({"ActiveState": "inactive", "NRestarts": "0"}, Readiness.GONE, "inactive"),
        (
            {"ActiveState": "inactive", "LoadState": "not-found"},
            Readiness.GONE,
            "inactive, and its unit file is not-found",
        ),
        (
            {"ActiveState": "inactive", "LoadState": "masked"},
            Readiness.GONE,
            "inactive, and its unit file is masked",
        ),
        ({}, Readiness.STARTING, "systemctl show told no ActiveState"),
    ],
)
def test_the_properties_of_a_unit_are_judged(
    properties: dict[str, str], readiness: Readiness, reason: str
) -> None:
    verdict = judge("web.service", {"LoadState": "loaded", **properties})
    assert verdict.readiness is readiness
    assert verdict.reason == (f"web.service: {reason}" if reason else "")
