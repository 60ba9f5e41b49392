# SPDX-License-Identifier: GPL-3.0-or-later
"""The `exec` probe: what the exit status of a command means."""

import pytest

from orchestrator.services.service import Readiness
from tests.support.probes import ask


@pytest.mark.parametrize(
    ("script", "readiness", "reason"),
    [
        ("exit 0", Readiness.READY, ""),
        ("echo all well", Readiness.READY, ""),
        ("echo first; echo not yet; exit 1", Readiness.STARTING, "sh: not yet (exit status 1)"),
        ("echo lost >&2; exit 4", Readiness.FAILED, "sh: lost (exit status 4)"),
        ("exit 5", Readiness.FAILED, "sh: exit status 5"),
    ],
)
def test_the_exit_status_decides_and_the_last_line_is_the_reason(
    script: str, readiness: Readiness, reason: str
) -> None:
    verdict = ask({"exec": {"command": ["sh", "-c", script], "failed": [4, 5]}})
    assert (verdict.readiness, verdict.reason) == (readiness, reason)


def test_a_command_that_is_not_there_is_starting() -> None:
    verdict = ask({"exec": ["/nonexistent/check", "--now"]})
    assert verdict.readiness is Readiness.STARTING
    assert verdict.reason == "/nonexistent/check: command not found (exit status 127)"
