# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that bring their own start, stop and status commands, as init scripts do.

`status` answers by the LSB. The output of `start` and `stop` goes to the service's log file: a daemon that
the command leaves behind keeps it open, and must not lose it when the runner goes.
"""

from pathlib import Path

from orchestrator.config import model
from orchestrator.errors import ServiceFailed
from orchestrator.host import facts, files, processes
from orchestrator.host.facts import ProcessId
from orchestrator.services.marker import marker
from orchestrator.services.service import Activity, Condition, Places

# LSB: 1 is dead with a pid file, 2 dead with a lock file; 4 and more are unknown.
_STATUS = {
    0: (Activity.RUNNING, "running"),
    1: (Activity.FAILED, "dead, and its pid file remains"),
    2: (Activity.FAILED, "dead, and its lock file remains"),
    3: (Activity.STOPPED, "stopped"),
}


class CommandManager:
    def __init__(self, name: str, spec: model.CommandService, places: Places) -> None:
        self._name = name
        self._spec = spec
        self._log = spec.log or places.logs / f"{name}.log"
        self._marker = marker(name, places)

    def condition(self) -> Condition:
        done = processes.run(self._spec.status, env=self._spec.env)
        if done.exit_code not in _STATUS:
            return Condition(Activity.UNKNOWN, f"{self._spec.status[0]}: {done.last_words()}")
        activity, words = _STATUS[done.exit_code]
        return Condition(activity, words, self._main_pid())

    def enabled(self) -> bool:
        return self._spec.autostart

    def start(self) -> None:
        if self.condition().activity is Activity.RUNNING:
            return
        self._order("start", self._spec.start, self._spec.ready_timeout, self._marker)

    def stop(self) -> None:
        if self.condition().activity is Activity.STOPPED:
            return
        self._order("stop", self._spec.stop, self._spec.stop_timeout, {})

    def hold(self) -> None:
        """Nothing to do: nobody but its own commands starts it."""

    def release(self) -> None:
        """Nothing to do, as for `hold`."""

    def held(self) -> bool:
        return False

    def processes(self) -> set[ProcessId]:
        """The family of the process in `pid_file` (without one: of whoever has the declared ports), and
        what our own start has left."""
        pids = facts.started_with(self._marker)
        if self._spec.pid_file is not None:
            pids |= {pid} if (pid := self._main_pid()) else set()
        else:
            pids |= {listener.pid for listener in facts.listeners(self._spec.ports) if listener.pid}
        return {process for process in facts.family(pids) if facts.is_running(process)}

    def log_tail(self, lines: int) -> list[str]:
        return files.last_lines(self._log, lines)

    def _order(self, verb: str, argv: tuple[str, ...], timeout: float, marks: dict[str, str]) -> None:
        try:
            files.make_directory(self._log.parent)
            done = processes.run(argv, timeout=timeout, env={**self._spec.env, **marks}, log=self._log)
        except OSError as error:
            raise ServiceFailed(f"cannot {verb} {self._name}: {error.strerror}: {error.filename}") from None
        if done.ok:
            return
        words = done.last_words()
        if done.exit_code > 0 and not done.stderr and (tail := self.log_tail(1)):
            words = f"exit status {done.exit_code}: {tail[0]}"
        raise ServiceFailed(
            f"cannot {verb} {self._name}: {argv[0]}: {words}", hint=f"its output is in {self._log}"
        )

    def _main_pid(self) -> int | None:
        return read_pid_file(self._spec.pid_file) if self._spec.pid_file else None


def read_pid_file(path: Path) -> int | None:
    """The living process whose number stands first in `path` (PostgreSQL writes more lines)."""
    try:
        words = path.read_text().split(None, 1)
    except (OSError, UnicodeDecodeError):
        return None
    if not words or not words[0].isdigit():
        return None
    process = facts.identify(int(words[0]))
    return process.pid if process and facts.is_running(process) else None
