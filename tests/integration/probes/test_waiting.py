# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for real servers: the port is open long before the service is ready."""

from pathlib import Path

import pytest

from orchestrator.errors import ServiceFailed
from orchestrator.services.probes.log import mark_logs
from orchestrator.services.readiness import ready_probes, wait_until_ready
from orchestrator.services.service import Activity, Readiness, Verdict
from tests.support.probes import NO_MARKS, spec_of
from tests.support.scripted import ScriptedManager
from tests.support.servers import LOOPBACK, PostgresqlServer, redis_server


def test_a_database_in_recovery_is_waited_for_until_it_is_through(cluster: PostgresqlServer) -> None:
    hold = cluster.data / "hold"
    cluster.write("recovery.signal", "")
    cluster.write("hold", "")
    specs = [
        spec_of({"postgresql": {"host": str(cluster.socket_directory), "port": cluster.port}}),
        spec_of({"log": {"path": str(cluster.log), "pattern": "ready to accept connections"}}),
    ]
    seen: list[Verdict] = []

    def observe(verdict: Verdict) -> None:
        seen.append(verdict)
        if "starting up" in verdict.reason:
            hold.unlink(missing_ok=True)

    marks = mark_logs(specs)
    command = f"while test -e {hold}; do sleep 0.02; done; exit 1"
    with cluster.started({"restore_command": command}, wait=False):
        waited = wait_until_ready(
            "postgresql",
            ScriptedManager(Activity.RUNNING),
            ready_probes(specs),
            marks,
            timeout=20,
            cancelled=lambda: False,
            observe=observe,
        )
        assert cluster.query("SELECT 1") == "1"
    assert 0 < waited < 20
    assert f"{cluster.socket}: the database system is starting up" in [verdict.reason for verdict in seen]
    assert seen[-1].readiness is Readiness.READY


def test_a_wrong_password_ends_a_long_wait_at_once(directory: Path) -> None:
    (directory / "password").write_text("wrong")
    with redis_server(directory, password="right") as server:
        options = {"address": f"{LOOPBACK}:{server.port}", "password_file": str(directory / "password")}
        with pytest.raises(ServiceFailed, match=r"redis failed after .* refuses the password") as caught:
            wait_until_ready(
                "redis",
                ScriptedManager(Activity.RUNNING, log=("Ready to accept connections",)),
                ready_probes([spec_of({"redis": options})]),
                NO_MARKS,
                timeout=600,
                cancelled=lambda: False,
                observe=lambda _: None,
            )
    assert [str(problem) for problem in caught.value.problems] == ["redis: Ready to accept connections"]
