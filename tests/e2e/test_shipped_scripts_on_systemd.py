# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped steps where their questions have real answers: a host with systemd as PID 1."""

import pytest

from orchestrator.config.shipped import share_directory
from tests.support.systemd_host import SystemdHost

SHIPPED = share_directory() / "scripts.d"

pytestmark = [pytest.mark.systemd]


def test_every_shipped_step_ends_well_on_a_systemd_host(shared_host: SystemdHost) -> None:
    for script in sorted(SHIPPED.glob("*/[0-9]*")):
        ended = shared_host.run([str(script)], check=False)
        assert ended.returncode in (0, 77), (script, ended.stdout, ended.stderr)


def test_failed_units_are_reported_and_are_no_failure(shared_host: SystemdHost) -> None:
    report = str(SHIPPED / "default" / "9900_failed_units.sh")
    assert "no failed units" in shared_host.run([report]).stdout
    shared_host.unit_file("breaks.service", "[Service]\nExecStart=/bin/false\n")
    shared_host.systemctl("start", "breaks.service")
    shared_host.run(["sh", "-c", "until systemctl is-failed --quiet breaks.service; do sleep 0.05; done"])
    assert "breaks.service" in shared_host.run([report]).stdout
    shared_host.systemctl("reset-failed")


def test_a_reboot_that_a_package_asked_for_is_reported(shared_host: SystemdHost) -> None:
    shared_host.write("/run/reboot-required", "")
    shared_host.write("/run/reboot-required.pkgs", "libc6\nlibc6\n")
    report = shared_host.run([str(SHIPPED / "default" / "9910_reboot_required.sh")]).stdout
    assert report == "warning: a reboot is required\n  because of libc6\n"
