# SPDX-License-Identifier: GPL-3.0-or-later
"""The `systemd` probe asks a real systemd about units in every state."""

import sys

import pytest

from tests.support.servers import wait_until
from tests.support.systemd_host import SystemdHost

pytestmark = [pytest.mark.systemd]

PROGRAM = """
import sys
from tests.support.probes import ask
verdict = ask({"systemd": sys.argv[1]})
print(verdict.readiness, verdict.reason)
"""

NOTIFY = """\
[Service]
Type=notify
NotifyAccess=all
ExecStart=/bin/sh -c 'systemd-notify --status="Loading: 40 %"; while ! test -e /run/go; do sleep 0.05; done; \\
    systemd-notify --ready; exec sleep inf'
"""


def answer(host: SystemdHost, unit: str) -> str:
    return host.run([sys.executable, "-c", PROGRAM, unit]).stdout.strip()


def test_a_notify_unit_is_starting_with_its_own_status_until_it_says_ready(shared_host: SystemdHost) -> None:
    shared_host.unit_file("probe-notify.service", NOTIFY)
    assert answer(shared_host, "probe-notify.service") == "gone probe-notify.service: inactive"
    shared_host.systemctl("start", "--no-block", "probe-notify")
    loading = "starting probe-notify.service: activating (start), its status: Loading: 40 %"
    wait_until(lambda: answer(shared_host, "probe-notify.service") == loading, loading)
    shared_host.write("/run/go", "")
    wait_until(lambda: answer(shared_host, "probe-notify.service") == "ready", "readiness")


def test_a_unit_that_fails_is_failed_with_its_result(shared_host: SystemdHost) -> None:
    shared_host.unit_file("probe-broken.service", "[Service]\nExecStart=/bin/false\n")
    shared_host.systemctl("start", "probe-broken")
    wait_until(lambda: answer(shared_host, "probe-broken.service").startswith("failed"), "failure")
    assert answer(shared_host, "probe-broken.service") == "failed probe-broken.service: failed (exit-code)"


def test_a_unit_that_is_started_again_and_again_tells_how_often(shared_host: SystemdHost) -> None:
    text = (
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=0.2\n"
    )
    shared_host.unit_file("probe-flapping.service", text)
    shared_host.systemctl("start", "probe-flapping")
    wait_until(
        lambda: "(auto-restart), restarts: " in answer(shared_host, "probe-flapping.service"), "restarts"
    )
    shared_host.systemctl("stop", "probe-flapping")


def test_a_unit_that_does_not_exist_is_gone(shared_host: SystemdHost) -> None:
    assert (
        answer(shared_host, "absent.service")
        == "gone absent.service: inactive, and its unit file is not-found"
    )
