# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that the runner itself starts, in sessions of their own that outlive it.

The state directory remembers who was started; that a start is under way is noted before it. A runner that
is killed in between is no harm: the next one finds the process by its mark in the environment and adopts
it, so that a second one is never started beside it. Holding needs nothing, because nobody else starts such a service.
"""

import signal
import threading
from typing import Any

from orchestrator.config import model
from orchestrator.errors import ServiceFailed
from orchestrator.host import clock, facts, files, processes
from orchestrator.host.facts import ProcessId
from orchestrator.services.marker import marker
from orchestrator.services.notes import read_note, write_note
from orchestrator.services.service import Activity, Condition, Places

_POLL = 0.02
_KILL_GRACE = 5.0


class ProcessManager:
    def __init__(self, name: str, spec: model.ProcessService, places: Places) -> None:
        self._name = name
        self._spec = spec
        self._log = spec.log or places.logs / f"{name}.log"
        self._record_path = places.state / f"{name}.json"
        self._marker = marker(name, places)
        self._turn = threading.Lock()

    def condition(self) -> Condition:
        record = self._record()
        main = self._main(record)
        if main is not None:
            stopping = bool(record.get("stopping"))
            return Condition(Activity.STOPPING if stopping else Activity.RUNNING, f"pid {main.pid}", main.pid)
        noted = _noted(record)
        if noted is None or record.get("stopping") or noted.boot != facts.boot_id():
            return Condition(Activity.STOPPED, str(record.get("note", "")))
        return Condition(Activity.FAILED, f"pid {noted.pid} ended by itself")

    def enabled(self) -> bool:
        return self._spec.autostart

    def start(self) -> None:
        with self._turn:
            if (running := self._main(self._record())) is not None:
                self._write_record(process=running)
                return
            # Children of one that crashed would keep its ports and files.
            self._end(self.processes(), grace=self._spec.stop_timeout)
            self._write_record(starting=True)
            self._write_record(process=self._spawn())

    def stop(self) -> None:
        with self._turn:
            record = self._record()
            main = self._main(record)
            everyone = self.processes()
            if main is None and not everyone:
                if _noted(record) is not None:
                    self._write_record()
                return
            # From here on its end is our doing, also for a runner that comes after us.
            self._write_record(process=main, stopping=True)
            note = self._end(everyone, main=main, grace=self._spec.stop_timeout)
            self._write_record(note=note)

    def hold(self) -> None:
        """Nothing to do: nobody else starts it."""

    def release(self) -> None:
        """Nothing to do, as for `hold`."""

    def held(self) -> bool:
        return False

    def processes(self) -> set[ProcessId]:
        """The family of the process we started, and whoever inherited its mark."""
        noted = _noted(self._record())
        pids = facts.started_with(self._marker)
        if noted is not None and facts.is_running(noted):
            pids.add(noted.pid)
        return {process for process in facts.family(pids) if facts.is_running(process)}

    def log_tail(self, lines: int) -> list[str]:
        return files.last_lines(self._log, lines)

    def _spawn(self) -> ProcessId:
        spec = self._spec
        environment = processes.clean_environment({**spec.env, **self._marker})
        try:
            files.make_directory(self._log.parent)
            return processes.spawn_daemon(
                spec.command, log=self._log, env=environment, cwd=spec.cwd, user=spec.user, group=spec.group
            )
        except LookupError:
            raise ServiceFailed(
                f"cannot start {self._name}: there is no user {spec.user} or group {spec.group}"
            ) from None
        except OSError as error:
            what = f"{error.strerror}: {error.filename or spec.command[0]}"
            raise ServiceFailed(f"cannot start {self._name}: {what}") from None

    def _end(self, everyone: set[ProcessId], *, grace: float, main: ProcessId | None = None) -> str:
        """Signal, wait `grace` seconds for all of them, kill the rest; the words for that, else empty.

        Raises ServiceFailed when some survive even that.
        """
        number = signal.Signals[f"SIG{self._spec.stop_signal}"]
        if main is not None:
            processes.signal_group(main, number)
        else:
            for process in everyone:
                processes.signal_process(process, number)
        left = _wait_for_end(everyone, grace)
        # Who was born meanwhile belongs to it as well.
        left |= self.processes()
        if not left:
            return ""
        names = ", ".join(
            f"pid {process.pid} ({facts.command_of(process.pid)})" for process in sorted(left, key=_pid)
        )
        for process in left:
            processes.signal_process(process, signal.SIGKILL)
        if _wait_for_end(left, _KILL_GRACE):
            raise ServiceFailed(f"cannot stop {self._name}: {names} survives even SIGKILL")
        return f"killed: no end within {grace:g} s of SIG{self._spec.stop_signal}: {names}"

    def _main(self, record: dict[str, Any]) -> ProcessId | None:
        """The living main process: the noted one; without a note the oldest session leader with our mark."""
        noted = _noted(record)
        if noted is not None and facts.is_running(noted):
            return noted
        if record and not record.get("starting"):
            return None
        found = [facts.identify(pid) for pid in facts.started_with(self._marker) if facts.leads_session(pid)]
        running = [process for process in found if process is not None and facts.is_running(process)]
        return min(running, key=lambda process: process.started, default=None)

    def _record(self) -> dict[str, Any]:
        return read_note(self._record_path)

    def _write_record(
        self,
        *,
        process: ProcessId | None = None,
        starting: bool = False,
        stopping: bool = False,
        note: str = "",
    ) -> None:
        record = {"process": process.to_json() if process else None, "note": note}
        write_note(self._record_path, record | {"starting": starting, "stopping": stopping})


def _noted(record: dict[str, Any]) -> ProcessId | None:
    return ProcessId.from_json(record["process"]) if record.get("process") else None


def _pid(process: ProcessId) -> int:
    return process.pid


def _wait_for_end(group: set[ProcessId], seconds: float) -> set[ProcessId]:
    """Those of `group` that still run after at most `seconds`."""
    deadline = clock.monotonic() + seconds
    while (
        left := {process for process in group if facts.is_running(process)}
    ) and clock.monotonic() < deadline:
        clock.sleep(_POLL)
    return left
