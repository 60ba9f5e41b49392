# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of systemd.

A unit is held down by a mask that the next boot takes away. It then cannot be started by hand, by
Restart=, by another unit, a timer or a socket; but a timer or socket that tries is put out of action for
good. So `stop` also stops the units that trigger this one, remembers them in the state directory, and
`start` (or `release`, for a unit that was down before) brings them back. The mask takes a unit's ExecStop=
away, therefore it comes after the stop.

Units that are PartOf= this one belong to it: systemd stops them with it but does not wait for them (that
is how postgresql.service and its clusters are on Debian). They are stopped, held and looked at as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.config import model
from orchestrator.errors import ServiceFailed
from orchestrator.host import clock, facts, files, processes
from orchestrator.host.facts import ProcessId
from orchestrator.services import systemctl
from orchestrator.services.notes import read_note, write_note
from orchestrator.services.service import Activity, Condition, Places
from orchestrator.services.unitstate import JUDGED, WANTED_BY, default_group, is_enabled, judge

_PARTS = ("Id", "ConsistsOf", "TriggeredBy")


class SystemdManager:
    def __init__(self, name: str, spec: model.SystemdService, places: Places) -> None:
        self._unit = spec.unit
        self._spec = spec
        self._record_path = places.state / f"{name}.systemd.json"

    # What is ----------------------------------------------------------------------------------------

    def condition(self) -> Condition:
        try:
            shown = systemctl.show(self._unit, *JUDGED, *_PARTS)
            condition = judge(self._unit, shown)
            if condition.activity is Activity.STOPPED:
                for part in _parts_of(shown, self._record().get("held", ())):
                    if _is_active(part):
                        return Condition(
                            Activity.RUNNING, f"{condition.detail}, but its part {part} is active"
                        )
        except ServiceFailed as error:
            return Condition(Activity.UNKNOWN, error.message)
        return condition

    def enabled(self) -> bool:
        """Whether a boot starts it: enabled, or without a choice of its own (static, generated, indirect,
        linked) and wanted by another unit. A socket or timer that would start it later does not count.
        While it is held, what was so before. Raises ServiceFailed when systemd cannot be asked."""
        record = self._record()
        if "enabled" in record and self._touched():
            return bool(record["enabled"])
        return is_enabled(systemctl.show(self._unit, "UnitFileState", *WANTED_BY))

    def held(self) -> bool:
        units = self._record().get("held") or [self._unit]
        return all(systemctl.is_masked(unit) for unit in units)

    def processes(self) -> set[ProcessId]:
        """Everything in its control group, and its main process. Empty when systemd cannot be asked."""
        try:
            pids = {pid for unit in self._units() for pid in _pids(unit)}
        except ServiceFailed:
            return set()  # `condition` says so
        found = map(facts.identify, pids)
        return {process for process in found if process is not None and facts.is_running(process)}

    def log_tail(self, lines: int) -> list[str]:
        if self._spec.log is not None:
            return files.last_lines(self._spec.log, lines)
        options = ["--no-pager", "--quiet", "--output=cat", f"--lines={lines}"]
        try:
            units = self._units()
        except ServiceFailed as error:
            return [error.message]
        read = processes.run(["journalctl", *options, *(f"--unit={unit}" for unit in units)])
        return read.stdout.splitlines() if read.ok else [f"journalctl: {read.last_words()}"]

    # What shall be ----------------------------------------------------------------------------------

    def start(self) -> None:
        record = self._record()
        units = [self._unit, *filter(_is_loaded, record.get("parts", ()))]
        # After `start-limit-hit` systemd refuses until this; it fails for a unit that is not loaded yet.
        processes.run(["systemctl", "reset-failed", "--", *units])
        self._restore_triggers()
        systemctl.order("start", "--no-block", "--", *units)
        self._write_record(_without(self._record(), "parts"))

    def stop(self) -> None:
        units = self._units()
        triggers = [unit for unit in _triggers(units) if _is_active(unit)]
        # What the unit itself wants comes with it, as it then is; other parts must be remembered.
        parts = [unit for unit in units[1:] if _is_active(unit) and not _is_wanted_by(unit, units)]
        if triggers or parts:
            record = {"was_up": self.condition().up, **self._record()}
            for key, found in (("triggers", triggers), ("parts", parts)):
                record[key] = sorted({*record.get(key, ()), *found})
            self._write_record(record)
        if known := [unit for unit in (*triggers, *units) if _exists(unit)]:
            self._stop(known)

    def hold(self) -> None:
        units = self._touched()
        if not units:
            shown = systemctl.show(self._unit, "UnitFileState", *WANTED_BY)
            units = self._units()
            self._write_record({**self._record(), "held": units, "enabled": is_enabled(shown)})
        systemctl.mask(units)
        if any(_is_active(unit) for unit in units):
            # Revived since the stop (Upholds= does so at once): stopped again, this time with the door closed.
            systemctl.block(units)
            self.stop()
            systemctl.unblock(units)
            systemctl.mask(units)

    def release(self) -> None:
        if units := self._touched():
            systemctl.unmask(units)
        if not self._record().get("was_up", True):
            self._restore_triggers()
        self._write_record(_without(self._record(), "held", "enabled"))

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
                # The start that cancelled the stop may itself have been refused: it is down all the same.
                if condition.activity is Activity.STOPPED:
                    return None
                revived = condition.activity in (Activity.RUNNING, Activity.STARTING)
                # Or it is still on its way down, with nobody left who waits for that.
                if not (revived or "canceled" in error.message) or clock.monotonic() > deadline:
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
            if _is_loaded(unit)
            and not (up and unit.endswith(".socket"))  # systemd refuses a socket whose service runs
        ]
        if triggers:
            processes.run(["systemctl", "reset-failed", "--", *triggers])
            systemctl.order("start", "--", *triggers)
        self._write_record(_without(record, "triggers", "was_up"))

    def _units(self) -> list[str]:
        """This unit and those that are PartOf= it, by their real names.

        systemd forgets parts that are down and aliases of what is masked: the record knows those.
        """
        record = self._record()
        known = [*record.get("held", ()), *_with_parts(self._unit), *record.get("parts", ())]
        return list(dict.fromkeys(known))

    def _touched(self) -> list[str]:
        """What `hold` was at, in force or not."""
        units = self._record().get("held") or [self._unit]
        return units if any(systemctl.is_touched(unit) for unit in units) else []

    def _record(self) -> dict[str, Any]:
        """What `stop` and `hold` must not forget; nothing of it outlives a reboot."""
        record = read_note(self._record_path)
        return record if record.get("boot") == facts.boot_id() else {}

    def _write_record(self, record: Mapping[str, Any]) -> None:
        content = _without(record, "boot")
        write_note(self._record_path, {"boot": facts.boot_id(), **content} if content else {})


def _without(record: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in keys}


def _with_parts(unit: str) -> list[str]:
    """A unit and all that are PartOf= it, or of those, by their real names."""
    found: list[str] = []
    waiting = [unit]
    while waiting:
        shown = systemctl.show(waiting.pop(0), *_PARTS)
        if shown["Id"] not in found:
            found.append(shown["Id"])
            waiting += _parts_of(shown)
    return found


def _parts_of(shown: Mapping[str, str], more: Iterable[str] = ()) -> list[str]:
    """The units that are PartOf= this one, and `more`; without what triggers it, and itself."""
    parts = {*shown.get("ConsistsOf", "").split(), *more}
    return sorted(parts - {shown["Id"], *shown.get("TriggeredBy", "").split()})


def _triggers(units: Iterable[str]) -> list[str]:
    """The sockets, timers and paths that start one of `units`."""
    found = {
        trigger
        for unit in units
        for trigger in systemctl.show(unit, "TriggeredBy").get("TriggeredBy", "").split()
    }
    return sorted(found)


def _pids(unit: str) -> set[int]:
    shown = systemctl.show(unit, "Id", "ControlGroup", "Slice", "MainPID")
    group = shown.get("ControlGroup") or default_group(shown.get("Slice", ""), shown["Id"])
    main = int(shown.get("MainPID") or 0)
    return facts.in_control_group(group) | ({main} if main else set())


def _is_wanted_by(unit: str, units: Iterable[str]) -> bool:
    shown = systemctl.show(unit, *WANTED_BY)
    wanting = {other for others in shown.values() for other in others.split()}
    return bool(wanting & {*units})


def _exists(unit: str) -> bool:
    return systemctl.show(unit, "LoadState")["LoadState"] not in ("not-found", "error")


def _is_loaded(unit: str) -> bool:
    return systemctl.show(unit, "LoadState")["LoadState"] == "loaded"


def _is_active(unit: str) -> bool:
    return systemctl.show(unit, "ActiveState")["ActiveState"] not in ("inactive", "failed")
