# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd's properties of a unit mean. Pure."""

import re
from collections.abc import Mapping

from orchestrator.services.service import Activity, Condition

# What `judge` reads, and what `is_enabled` reads beside UnitFileState.
JUDGED = (
    *("LoadState", "ActiveState", "SubState", "Result", "MainPID", "NRestarts", "ExecMainStatus", "Job"),
    "ExecCondition",
)
WANTED_BY = ("WantedBy", "RequiredBy", "UpheldBy")

_ACTIVITIES = {
    "active": Activity.RUNNING,
    "reloading": Activity.RUNNING,
    "refreshing": Activity.RUNNING,
    "activating": Activity.STARTING,
    "deactivating": Activity.STOPPING,
    "inactive": Activity.STOPPED,
    "failed": Activity.FAILED,
}
# { path=/bin/false ; argv[]=/bin/false x ; ... ; code=exited ; status=1 }, as `systemctl show` writes a command.
_EXEC = re.compile(r"\{ path=.*? ; argv\[\]=(?P<argv>.*?) ; .*? ; status=(?P<status>\d+)[^}]*\}")
_ENABLED = ("enabled", "enabled-runtime", "alias")
_DISABLED = ("disabled", "masked", "masked-runtime", "bad")


def judge(unit: str, shown: Mapping[str, str]) -> Condition:
    """What systemd's properties of a unit mean."""
    if shown["LoadState"] == "not-found" and shown["ActiveState"] == "inactive":
        return Condition(Activity.FAILED, f"no unit {unit}")
    activity = _ACTIVITIES.get(shown["ActiveState"], Activity.UNKNOWN)
    detail = _describe(shown)
    if activity in (Activity.STOPPED, Activity.FAILED) and shown.get("Job", "0") not in ("", "0"):
        activity, detail = Activity.STARTING, f"{detail}, its start waits for another unit"
    refused = activity is Activity.STOPPED and shown.get("Result") == "exec-condition"
    if refused:
        detail += f", {_describe_refusal(shown.get('ExecCondition', ''))}"
    return Condition(activity, detail, int(shown.get("MainPID") or 0) or None, refused)


def _describe_refusal(conditions: str) -> str:
    """Which of a unit's ExecCondition= kept it from being started."""
    for match in _EXEC.finditer(conditions):
        if match["status"] != "0":
            return f"its start was refused by ExecCondition={match['argv']}"
    return "its start was refused by its ExecCondition="


def _describe(shown: Mapping[str, str]) -> str:
    """systemd's words for a unit's state, and what went wrong."""
    text = f"{shown['ActiveState']} ({shown['SubState']})"
    if shown["ActiveState"] == "failed" or shown["SubState"] == "auto-restart":
        text += f", {shown.get('Result', '')}"
        if (status := shown.get("ExecMainStatus", "0")) != "0":
            text += f", status {status}"
    if (restarts := shown.get("NRestarts", "0")) != "0":
        text += f", restarted {restarts} times" if restarts != "1" else ", restarted once"
    if shown["LoadState"] != "loaded":
        text += f", {shown['LoadState']}"
    return text


def is_enabled(shown: Mapping[str, str]) -> bool:
    """What the properties of a unit say about the next boot."""
    state = shown.get("UnitFileState", "")
    if state in _ENABLED:
        return True
    return state not in _DISABLED and any(shown.get(relation) for relation in WANTED_BY)


def default_group(slice_unit: str, unit: str) -> str:
    """Where systemd puts the processes of a unit: `a-b.slice` lies in `a.slice`."""
    parts = slice_unit.removesuffix(".slice").strip("-").split("-") if slice_unit else []
    slices = ["-".join(parts[: count + 1]) + ".slice" for count in range(len(parts)) if parts[count]]
    return "/" + "/".join([*slices, unit])
