# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of systemd, through systemctl and journalctl.

A unit is held down by a link to /dev/null in /run/systemd/system.control: that directory is searched
before /etc/systemd/system, where `systemctl mask --runtime` is without effect, and it is gone after a
reboot. A masked unit cannot be started by hand, by Restart=, by another unit, a timer or a socket; but a
timer or socket that tries is put out of action for good. So `stop` also stops the units that trigger
this one, remembers them in the state directory, and `start` (or `release`, for a unit that was down
before) brings them back. Masking takes a unit's ExecStop= away, therefore it comes after the stop.
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.config import model
from orchestrator.errors import ServiceFailed
from orchestrator.host import clock, facts, files, processes
from orchestrator.host.facts import ProcessId
from orchestrator.services.service import Activity, Condition, Places

HOLDS = Path("/run/systemd/system.control")
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
_WANTED_BY = ("WantedBy", "RequiredBy", "UpheldBy", "RequisiteOf")
_BLOCK = b"[Unit]\nAssertPathExists=/run/orchestrator/no-such-file\n"


class SystemdManager:
    def __init__(self, name: str, spec: model.SystemdService, places: Places) -> None:
        self._unit = spec.unit
        self._spec = spec
        self._record_path = places.state / f"{name}.systemd.json"

    # What is ----------------------------------------------------------------------------------------

    def condition(self) -> Condition:
        try:
            shown = self._show(
                "LoadState", "ActiveState", "SubState", "Result", "MainPID", "NRestarts", "ExecMainStatus"
            )
        except ServiceFailed as error:
            return Condition(Activity.UNKNOWN, error.message)
        if shown["LoadState"] == "not-found":
            return Condition(Activity.FAILED, f"no unit {self._unit}")
        activity = _ACTIVITIES.get(shown["ActiveState"], Activity.UNKNOWN)
        return Condition(activity, _describe(shown), int(shown.get("MainPID") or 0) or None)

    def enabled(self) -> bool:
        """Whether a boot starts it: enabled, or without a choice of its own (static, generated, indirect,
        linked) and wanted by another unit. A socket or timer that would start it later does not count.
        While it is held, what was so before. Raises ServiceFailed when systemd cannot be asked."""
        shown = self._show("LoadState", "UnitFileState", *_WANTED_BY)
        record = self._record()
        if "enabled" in record and self._unit_held() is not None:
            return bool(record["enabled"])
        return _is_enabled(shown)

    def held(self) -> bool:
        unit = self._unit_held()
        return unit is not None and self._show("LoadState", unit=unit)["LoadState"] == "masked"

    def processes(self) -> set[ProcessId]:
        """Everything in its control group, and its main process."""
        try:
            shown = self._show("Id", "ControlGroup", "Slice", "MainPID")
        except ServiceFailed:
            return set()
        group = shown.get("ControlGroup") or _default_group(shown.get("Slice", ""), shown["Id"])
        pids = facts.in_control_group(group) | {int(shown.get("MainPID") or 0)}
        return {
            process for pid in pids - {0} if (process := facts.identify(pid)) and facts.is_running(process)
        }

    def log_tail(self, lines: int) -> list[str]:
        if self._spec.log is not None:
            return files.last_lines(self._spec.log, lines)
        argv = [
            "journalctl",
            "--no-pager",
            "--quiet",
            "--output=cat",
            f"--lines={lines}",
            f"--unit={self._unit}",
        ]
        return processes.run(argv).stdout.splitlines()

    # What shall be ----------------------------------------------------------------------------------

    def start(self) -> None:
        # After `start-limit-hit` systemd refuses until this; it fails for a unit that is not loaded yet.
        processes.run(["systemctl", "reset-failed", "--", self._unit])
        self._restore_triggers()
        self._systemctl("start", "--no-block", "--", self._unit)

    def stop(self) -> None:
        shown = self._show("LoadState", "ActiveState", "TriggeredBy")
        triggers = [unit for unit in shown.get("TriggeredBy", "").split() if self._is_active(unit)]
        if triggers:
            record = self._record()
            known = record.get("triggers", [])
            self._write_record(
                {"was_up": shown["ActiveState"] != "inactive"}
                | record
                | {"triggers": known + [unit for unit in triggers if unit not in known]}
            )
        units = [*triggers, self._unit] if shown["LoadState"] != "not-found" else triggers
        if units:
            self._stop(units)

    def hold(self) -> None:
        shown = self._show("Id", "LoadState", "UnitFileState", *_WANTED_BY)
        unit = self._unit_held()
        if unit is None:
            unit = shown["Id"]
            self._write_record(self._record() | {"unit": unit, "enabled": _is_enabled(shown)})
        self._mask(unit)
        if self.condition().up:
            self._stop_blocked(unit)

    def release(self) -> None:
        unit = self._unit_held()
        if unit is not None:
            _mask_of(unit).unlink(missing_ok=True)
            self._remove_block(unit)
            self._systemctl("daemon-reload")
        record = self._record()
        if not record.get("was_up", True):
            self._restore_triggers()
        self._write_record(
            {key: value for key, value in self._record().items() if key not in ("unit", "enabled")}
        )

    # How --------------------------------------------------------------------------------------------

    def _show(self, *properties: str, unit: str | None = None) -> dict[str, str]:
        """Raises ServiceFailed when systemd cannot be asked."""
        names = ",".join(properties)
        shown = processes.run(
            ["systemctl", "show", "--no-pager", f"--property={names}", "--", unit or self._unit]
        )
        if not shown.ok:
            raise ServiceFailed(f"systemd cannot be asked about {self._unit}: {shown.last_words()}")
        pairs = (line.partition("=") for line in shown.stdout.splitlines())
        return {key: value for key, _, value in pairs}

    def _systemctl(self, *arguments: str, timeout: float = 90.0) -> None:
        done = processes.run(["systemctl", *arguments], timeout=timeout)
        if done.ok:
            return
        verb = arguments[0]
        if done.exit_code == processes.TIMED_OUT:
            raise ServiceFailed(
                f"systemctl {verb} {self._unit} did not end within {timeout:g} s: {self.condition().detail}",
                hint="systemd goes on with it; stop_timeout of the service is how long it is waited for",
            )
        raise ServiceFailed(
            f"systemctl {verb} {self._unit} failed: {done.last_words()}",
            hint=f"systemctl status {self._unit}",
        )

    def _stop(self, units: Sequence[str]) -> None:
        """A start that somebody orders meanwhile cancels the stop: then it is ordered again."""
        deadline = clock.monotonic() + self._spec.stop_timeout
        while (left := deadline - clock.monotonic()) > 0:
            try:
                return self._systemctl("stop", "--", *units, timeout=left)
            except ServiceFailed:
                if self.condition().activity not in (Activity.RUNNING, Activity.STARTING):
                    raise
        raise ServiceFailed(
            f"{self._unit} is started again whenever it is stopped", hint=_who_starts(self._unit)
        )

    def _is_active(self, unit: str) -> bool:
        return self._show("ActiveState", unit=unit)["ActiveState"] in ("active", "activating")

    def _restore_triggers(self) -> None:
        """Start the sockets, timers and paths that `stop` stopped; those an upgrade took away are forgotten."""
        record = self._record()
        up = self.condition().up
        triggers = [
            unit
            for unit in record.get("triggers", ())
            if self._show("LoadState", unit=unit)["LoadState"] == "loaded"
            and not (up and unit.endswith(".socket"))  # systemd refuses a socket whose service runs
        ]
        if triggers:
            processes.run(["systemctl", "reset-failed", "--", *triggers])
            self._systemctl("start", "--", *triggers)
        self._write_record({key: value for key, value in record.items() if key not in ("triggers", "was_up")})

    def _mask(self, unit: str) -> None:
        try:
            files.make_directory(HOLDS)
            if not _mask_of(unit).is_symlink():
                _mask_of(unit).symlink_to(os.devnull)
        except OSError as error:
            raise ServiceFailed(f"cannot hold {unit} down: {error.strerror}: {error.filename}") from None
        self._systemctl("daemon-reload")
        state = self._show("LoadState", unit=unit)["LoadState"]
        if state != "masked":
            raise ServiceFailed(
                f"cannot hold {unit} down: systemd says {state}, not masked, in spite of {_mask_of(unit)}"
            )

    def _stop_blocked(self, unit: str) -> None:
        """Stop what somebody revived between the stop and the mask (Upholds= does so at once).

        A condition that fails keeps it from being started and, unlike the mask, leaves it its ExecStop=.
        """
        files.make_directory(_block_of(unit).parent)
        files.replace_file(_block_of(unit), _BLOCK, durable=False)
        _mask_of(unit).unlink()
        self._systemctl("daemon-reload")
        self.stop()
        self._mask(unit)
        self._remove_block(unit)

    @staticmethod
    def _remove_block(unit: str) -> None:
        _block_of(unit).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            _block_of(unit).parent.rmdir()

    def _unit_held(self) -> str | None:
        """The unit that `hold` was at: the one behind an alias, which cannot be told while it is masked."""
        for unit in (self._record().get("unit"), self._unit):
            if unit and (_mask_of(unit).is_symlink() or _block_of(unit).exists()):
                return str(unit)
        return None

    def _record(self) -> dict[str, Any]:
        """What `stop` and `hold` must not forget; nothing of it outlives a reboot."""
        record = files.read_json(self._record_path)
        return record if isinstance(record, dict) and record.get("boot") == facts.boot_id() else {}

    def _write_record(self, record: Mapping[str, Any]) -> None:
        content = {key: value for key, value in record.items() if key != "boot"}
        if content:
            files.replace_json(self._record_path, {"boot": facts.boot_id(), **content})
        else:
            self._record_path.unlink(missing_ok=True)


def _mask_of(unit: str) -> Path:
    return HOLDS / unit


def _block_of(unit: str) -> Path:
    return HOLDS / f"{unit}.d" / "orchestrator.conf"


def _who_starts(unit: str) -> str:
    return f"journalctl --unit={unit} and systemctl list-dependencies --reverse {unit} may tell by whom"


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


def _is_enabled(shown: Mapping[str, str]) -> bool:
    state = shown.get("UnitFileState", "")
    if state in _ENABLED:
        return True
    return state not in _DISABLED and any(shown.get(relation) for relation in _WANTED_BY)


def _default_group(slice_unit: str, unit: str) -> str:
    """Where systemd puts the processes of a unit: `a-b.slice` lies in `a.slice`."""
    parts = slice_unit.removesuffix(".slice").strip("-").split("-") if slice_unit else []
    slices = ["-".join(parts[: count + 1]) + ".slice" for count in range(len(parts)) if parts[count]]
    return "/" + "/".join([*slices, unit])
