# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of systemd.

A unit is held down by a mask that the next boot takes away. It then cannot be started by hand, by
Restart=, by another unit, a timer or a socket; but a timer or socket that tries is put out of action for
good. So `stop` also stops the units that trigger this one, remembers them in the state directory, and
`start` (or `release`, for a unit that was down before) brings them back. The mask takes a unit's ExecStop=
away, therefore it comes after the stop.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.config import model
from orchestrator.errors import ServiceFailed
from orchestrator.host import clock, facts, files, processes
from orchestrator.host.facts import ProcessId
from orchestrator.services import systemctl
from orchestrator.services.notes import read_note, write_note
from orchestrator.services.service import Activity, Condition, Places

_ACTIVITIES = {
    "active": Activity.RUNNING,
    "reloading": Activity.RUNNING,
    "refreshing": Activity.RUNNING,
    "activating": Activity.STARTING,
    "deactivating": Activity.STOPPING,
    "inactive": Activity.STOPPED,
    "failed": Activity.FAILED,
}
_ENABLED = ("enabled", "enabled-runtime", "alias")
_DISABLED = ("disabled", "masked", "masked-runtime", "bad")
_WANTED_BY = ("WantedBy", "RequiredBy", "UpheldBy")
_STATE = ("LoadState", "ActiveState", "SubState", "Result", "MainPID", "NRestarts", "ExecMainStatus", "Job")


class SystemdManager:
    def __init__(self, name: str, spec: model.SystemdService, places: Places) -> None:
        self._unit = spec.unit
        self._spec = spec
        self._record_path = places.state / f"{name}.systemd.json"

    # What is ----------------------------------------------------------------------------------------

    def condition(self) -> Condition:
        try:
            return judge(self._unit, systemctl.show(self._unit, *_STATE))
        except ServiceFailed as error:
            return Condition(Activity.UNKNOWN, error.message)

    def enabled(self) -> bool:
        """Whether a boot starts it: enabled, or without a choice of its own (static, generated, indirect,
        linked) and wanted by another unit. A socket or timer that would start it later does not count.
        While it is held, what was so before. Raises ServiceFailed when systemd cannot be asked."""
        record = self._record()
        if "enabled" in record and self._unit_held() is not None:
            return bool(record["enabled"])
        return is_enabled(systemctl.show(self._unit, "UnitFileState", *_WANTED_BY))

    def held(self) -> bool:
        unit = self._unit_held()
        return unit is not None and systemctl.is_masked(unit)

    def processes(self) -> set[ProcessId]:
        """Everything in its control group, and its main process. Empty when systemd cannot be asked."""
        try:
            shown = systemctl.show(self._unit, "Id", "ControlGroup", "Slice", "MainPID")
        except ServiceFailed:
            return set()  # `condition` says so
        group = shown.get("ControlGroup") or default_group(shown.get("Slice", ""), shown["Id"])
        main = int(shown.get("MainPID") or 0)
        found = map(facts.identify, facts.in_control_group(group) | ({main} if main else set()))
        return {process for process in found if process is not None and facts.is_running(process)}

    def log_tail(self, lines: int) -> list[str]:
        if self._spec.log is not None:
            return files.last_lines(self._spec.log, lines)
        options = ["--no-pager", "--quiet", "--output=cat", f"--lines={lines}"]
        read = processes.run(["journalctl", *options, f"--unit={self._unit}"])
        return read.stdout.splitlines() if read.ok else [f"journalctl: {read.last_words()}"]

    # What shall be ----------------------------------------------------------------------------------

    def start(self) -> None:
        # After `start-limit-hit` systemd refuses until this; it fails for a unit that is not loaded yet.
        processes.run(["systemctl", "reset-failed", "--", self._unit])
        self._restore_triggers()
        systemctl.order("start", "--no-block", "--", self._unit)

    def stop(self) -> None:
        shown = systemctl.show(self._unit, "LoadState", "ActiveState", "TriggeredBy")
        triggers = [unit for unit in shown.get("TriggeredBy", "").split() if _is_active(unit)]
        if triggers:
            record = {"was_up": shown["ActiveState"] not in ("inactive", "failed"), **self._record()}
            known = record.get("triggers", [])
            self._write_record({**record, "triggers": sorted({*known, *triggers})})
        units = [*triggers, self._unit] if shown["LoadState"] != "not-found" else triggers
        if units:
            self._stop(units)

    def hold(self) -> None:
        unit = self._unit_held()
        if unit is None:
            shown = systemctl.show(self._unit, "Id", "UnitFileState", *_WANTED_BY)
            unit = shown["Id"]
            self._write_record({**self._record(), "unit": unit, "enabled": is_enabled(shown)})
        systemctl.mask(unit)
        if self.condition().up:
            # Revived since the stop (Upholds= does so at once): stopped again, this time with the door closed.
            systemctl.block(unit)
            self.stop()
            systemctl.unblock(unit)
            systemctl.mask(unit)

    def release(self) -> None:
        unit = self._unit_held()
        if unit is not None:
            systemctl.unmask(unit)
        if not self._record().get("was_up", True):
            self._restore_triggers()
        self._write_record(_without(self._record(), "unit", "enabled"))

    # How --------------------------------------------------------------------------------------------

    def _stop(self, units: Sequence[str]) -> None:
        """A start that somebody orders meanwhile cancels the stop: then it is ordered again."""
        deadline = clock.monotonic() + self._spec.stop_timeout
        while True:
            left = max(0.1, deadline - clock.monotonic())
            try:
                return systemctl.order("stop", "--", *units, timeout=left)
            except ServiceFailed as error:
                condition = self.condition()
                revived = condition.activity in (Activity.RUNNING, Activity.STARTING)
                if not revived or clock.monotonic() > deadline:
                    raise ServiceFailed(f"{error.message} ({condition.detail})", hint=error.hint) from None

    def _restore_triggers(self) -> None:
        """Start the sockets, timers and paths that `stop` stopped; those an upgrade took away are forgotten."""
        record = self._record()
        if not record.get("triggers"):
            return
        up = self.condition().up
        triggers = [
            unit
            for unit in record["triggers"]
            if systemctl.show(unit, "LoadState")["LoadState"] == "loaded"
            and not (up and unit.endswith(".socket"))  # systemd refuses a socket whose service runs
        ]
        if triggers:
            processes.run(["systemctl", "reset-failed", "--", *triggers])
            systemctl.order("start", "--", *triggers)
        self._write_record(_without(record, "triggers", "was_up"))

    def _unit_held(self) -> str | None:
        """The unit that `hold` was at: the one behind an alias, which cannot be told while it is masked."""
        for unit in (self._record().get("unit"), self._unit):
            if unit and systemctl.is_touched(unit):
                return str(unit)
        return None

    def _record(self) -> dict[str, Any]:
        """What `stop` and `hold` must not forget; nothing of it outlives a reboot."""
        record = read_note(self._record_path)
        return record if record.get("boot") == facts.boot_id() else {}

    def _write_record(self, record: Mapping[str, Any]) -> None:
        content = _without(record, "boot")
        write_note(self._record_path, {"boot": facts.boot_id(), **content} if content else {})


def _without(record: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in keys}


def _is_active(unit: str) -> bool:
    return systemctl.show(unit, "ActiveState")["ActiveState"] in ("active", "activating")


def judge(unit: str, shown: Mapping[str, str]) -> Condition:
    """What systemd's properties of a unit mean. Pure."""
    if shown["LoadState"] == "not-found" and shown["ActiveState"] == "inactive":
        return Condition(Activity.FAILED, f"no unit {unit}")
    activity = _ACTIVITIES.get(shown["ActiveState"], Activity.UNKNOWN)
    detail = _describe(shown)
    if activity in (Activity.STOPPED, Activity.FAILED) and shown.get("Job", "0") not in ("", "0"):
        activity, detail = Activity.STARTING, f"{detail}, its start waits for another unit"
    return Condition(activity, detail, int(shown.get("MainPID") or 0) or None)


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
    """What the properties of a unit say about the next boot. Pure."""
    state = shown.get("UnitFileState", "")
    if state in _ENABLED:
        return True
    return state not in _DISABLED and any(shown.get(relation) for relation in _WANTED_BY)


def default_group(slice_unit: str, unit: str) -> str:
    """Where systemd puts the processes of a unit: `a-b.slice` lies in `a.slice`."""
    parts = slice_unit.removesuffix(".slice").strip("-").split("-") if slice_unit else []
    slices = ["-".join(parts[: count + 1]) + ".slice" for count in range(len(parts)) if parts[count]]
    return "/" + "/".join([*slices, unit])
