# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd's words mean, without a systemd. How it behaves is tested on real hosts (tests/e2e)."""

import pytest

from orchestrator.services.readiness import judge_condition
from orchestrator.services.service import Activity, Readiness
from orchestrator.services.unitstate import default_group, is_enabled, judge

RUNS = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "Result": "success",
    "MainPID": "812",
}


@pytest.mark.parametrize(
    ("changes", "activity", "detail"),
    [
        ({}, Activity.RUNNING, "active (running)"),
        ({"SubState": "exited"}, Activity.RUNNING, "active (exited)"),
        ({"ActiveState": "reloading", "SubState": "reload"}, Activity.RUNNING, "reloading (reload)"),
        ({"ActiveState": "activating", "SubState": "start"}, Activity.STARTING, "activating (start)"),
        (
            {
                "ActiveState": "activating",
                "SubState": "auto-restart",
                "Result": "exit-code",
                "ExecMainStatus": "7",
                "NRestarts": "3",
            },
            Activity.STARTING,
            "activating (auto-restart), exit-code, status 7, restarted 3 times",
        ),
        ({"ActiveState": "deactivating", "SubState": "stop"}, Activity.STOPPING, "deactivating (stop)"),
        ({"ActiveState": "inactive", "SubState": "dead"}, Activity.STOPPED, "inactive (dead)"),
        (
            {"ActiveState": "inactive", "SubState": "dead", "LoadState": "masked"},
            Activity.STOPPED,
            "inactive (dead), masked",
        ),
        (
            {"ActiveState": "inactive", "SubState": "dead", "Job": "121"},
            Activity.STARTING,
            "inactive (dead), its start waits for another unit",
        ),
        (
            {"ActiveState": "failed", "SubState": "failed", "Result": "timeout"},
            Activity.FAILED,
            "failed (failed), timeout",
        ),
        (
            {"ActiveState": "inactive", "SubState": "dead", "LoadState": "not-found"},
            Activity.FAILED,
            "no unit web.service",
        ),
        ({"LoadState": "not-found"}, Activity.RUNNING, "active (running), not-found"),
        ({"ActiveState": "maintenance", "SubState": "x"}, Activity.UNKNOWN, "maintenance (x)"),
    ],
)
def test_the_properties_of_a_unit_are_an_activity(
    changes: dict[str, str], activity: Activity, detail: str
) -> None:
    condition = judge("web.service", RUNS | changes)
    assert (condition.activity, condition.detail) == (activity, detail)
    assert condition.pid == (None if detail.startswith("no unit") else 812)


@pytest.mark.parametrize(
    ("shown", "enabled"),
    [
        ({"UnitFileState": "enabled"}, True),
        ({"UnitFileState": "enabled-runtime"}, True),
        ({"UnitFileState": "alias"}, True),
        ({"UnitFileState": "disabled"}, False),
        ({"UnitFileState": "disabled", "WantedBy": "app.service"}, False),
        ({"UnitFileState": "static"}, False),
        ({"UnitFileState": "static", "WantedBy": "multi-user.target"}, True),
        ({"UnitFileState": "indirect", "RequiredBy": "postgresql.service"}, True),
        ({"UnitFileState": "generated", "WantedBy": "multi-user.target graphical.target"}, True),
        ({"UnitFileState": "masked", "WantedBy": "multi-user.target"}, False),
        ({"UnitFileState": ""}, False),
        ({}, False),
    ],
)
def test_enabled_is_whether_a_boot_starts_it(shown: dict[str, str], enabled: bool) -> None:
    assert is_enabled(shown) is enabled


@pytest.mark.parametrize(
    ("slice_unit", "group"),
    [
        ("system.slice", "/system.slice/web.service"),
        ("system-postgresql.slice", "/system.slice/system-postgresql.slice/web.service"),
        ("-.slice", "/web.service"),
        ("", "/web.service"),
    ],
)
def test_the_control_group_of_a_unit_lies_in_its_slice(slice_unit: str, group: str) -> None:
    assert default_group(slice_unit, "web.service") == group


# What `systemctl show` of systemd 252 says of two conditions, of which the second has refused.
_CONDITIONS = """\
{ path=/bin/true ; argv[]=/bin/true ; ignore_errors=no ; start_time=[Fri 2026-11-20 20:40:01 UTC] ; \
stop_time=[Fri 2026-11-20 20:40:01 UTC] ; pid=101 ; code=exited ; status=0 }
{ path=/usr/bin/orchestrator ; argv[]=/usr/bin/orchestrator pending --quiet ; ignore_errors=no ; \
start_time=[Fri 2026-11-20 20:40:01 UTC] ; stop_time=[n/a] ; pid=102 ; code=exited ; status=1 }"""


def test_a_start_that_a_condition_refused_is_told_with_the_command() -> None:
    stopped = {"ActiveState": "inactive", "SubState": "dead", "MainPID": "0", "Result": "exec-condition"}
    condition = judge("web.service", RUNS | stopped | {"ExecCondition": _CONDITIONS})
    assert (condition.activity, condition.refused) == (Activity.STOPPED, True)
    assert condition.detail.endswith(
        "its start was refused by ExecCondition=/usr/bin/orchestrator pending --quiet"
    )
    assert judge_condition(condition).readiness is Readiness.FAILED, "there is nothing to wait for"
    waiting = judge("web.service", RUNS | stopped | {"Job": "7"})
    assert (waiting.activity, waiting.refused) == (Activity.STARTING, False)
    assert not judge("web.service", RUNS | stopped | {"Result": "success"}).refused
