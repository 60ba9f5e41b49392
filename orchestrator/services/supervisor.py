# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of supervisord, through supervisorctl.

Holding needs nothing: a program that was stopped by order is not started again by `autorestart`, and no
other program, timer or socket can start it. Only a restart of supervisord itself would (`autostart`);
the verification before each step sees that.
"""

from dataclasses import dataclass

from orchestrator.config import model
from orchestrator.errors import ServiceFailed
from orchestrator.host import facts, files, processes
from orchestrator.host.facts import ProcessId
from orchestrator.host.processes import Completed
from orchestrator.services.service import Activity, Condition

_STATES = {
    "RUNNING": Activity.RUNNING,
    "STARTING": Activity.STARTING,
    "BACKOFF": Activity.STARTING,
    "STOPPING": Activity.STOPPING,
    "STOPPED": Activity.STOPPED,
    "EXITED": Activity.FAILED,
    "FATAL": Activity.FAILED,
    "UNKNOWN": Activity.UNKNOWN,
}
# Of a group (`web:*`) the state that matters most speaks for all.
_PRECEDENCE = (
    Activity.UNKNOWN,
    Activity.FAILED,
    Activity.STARTING,
    Activity.STOPPING,
    Activity.RUNNING,
    Activity.STOPPED,
)
_TAIL_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class _Program:
    name: str
    state: str
    words: str

    @property
    def activity(self) -> Activity:
        return _STATES[self.state]

    @property
    def pid(self) -> int | None:
        """The number in `pid 123, uptime 0:00:05`."""
        number = self.words.removeprefix("pid ").partition(",")[0]
        return int(number) if self.words.startswith("pid ") and number.isdigit() else None


class SupervisorManager:
    def __init__(self, spec: model.SupervisorService) -> None:
        self._spec = spec
        self._program = spec.program

    def condition(self) -> Condition:
        try:
            programs = self._programs()
        except ServiceFailed as error:
            return Condition(Activity.UNKNOWN, error.message)
        chosen = min(programs, key=lambda program: _PRECEDENCE.index(program.activity))
        detail = f"{chosen.state} {chosen.words}".strip()
        if len(programs) > 1:
            detail = f"{chosen.name}: {detail}"
        return Condition(chosen.activity, detail, chosen.pid)

    def enabled(self) -> bool:
        return self._spec.autostart

    def start(self) -> None:
        if self.condition().activity in (Activity.RUNNING, Activity.STARTING):
            return
        # supervisorctl waits for `startsecs`: that it came up is verified by readiness, and said there.
        done = self._supervisorctl("start", self._program, timeout=self._spec.ready_timeout)
        if not done.ok and self.condition().activity not in (Activity.RUNNING, Activity.STARTING):
            raise ServiceFailed(f"supervisorctl start {self._program} failed: {done.last_words()}")

    def stop(self) -> None:
        if self.condition().activity is Activity.STOPPED:
            return
        done = self._supervisorctl("stop", self._program, timeout=self._spec.stop_timeout)
        if done.exit_code == processes.TIMED_OUT:
            raise ServiceFailed(
                f"supervisorctl stop {self._program} did not end within {self._spec.stop_timeout:g} s",
                hint="stopwaitsecs of the program must be shorter than stop_timeout of the service",
            )
        # Ending by itself, or already down, is an error to supervisorctl and not to us.
        if not done.ok and self.condition().activity not in (Activity.STOPPED, Activity.FAILED):
            raise ServiceFailed(f"supervisorctl stop {self._program} failed: {done.last_words()}")

    def hold(self) -> None:
        """Nothing to do: see the module's text."""

    def release(self) -> None:
        """Nothing to do: see the module's text."""

    def held(self) -> bool:
        return False

    def processes(self) -> set[ProcessId]:
        try:
            programs = self._programs()
        except ServiceFailed:
            return set()
        return facts.family(program.pid for program in programs if program.pid)

    def log_tail(self, lines: int) -> list[str]:
        """Standard output, then standard error, where supervisord keeps them apart."""
        if self._spec.log is not None:
            return files.last_lines(self._spec.log, lines)
        try:
            programs = self._programs()
        except ServiceFailed as error:
            return [error.message]
        found: list[str] = []
        for channel in ("stdout", "stderr"):
            for program in programs:
                done = self._supervisorctl("tail", f"-{_TAIL_BYTES}", program.name, channel)
                if done.ok and "ERROR (no log file)" not in done.stdout:
                    found += done.stdout.rstrip().splitlines()  # it adds an empty line
        return found[-lines:]

    def _supervisorctl(self, *arguments: str, timeout: float = 30.0) -> Completed:
        config = ("-c", str(self._spec.config)) if self._spec.config else ()
        return processes.run(["supervisorctl", *config, *arguments], timeout=timeout)

    def _programs(self) -> list[_Program]:
        """The lines of `status`. Raises ServiceFailed with supervisorctl's words when there are none."""
        done = self._supervisorctl("status", self._program)
        lines = [line.split(None, 2) for line in done.stdout.splitlines()]
        found = [
            _Program(words[0], words[1], *words[2:]) for words in map(_padded, lines) if words[1] in _STATES
        ]
        if not found:
            raise ServiceFailed(f"supervisord cannot tell about {self._program}: {done.last_words()}")
        return found


def _padded(words: list[str]) -> list[str]:
    return [*words, "", "", ""][:3]
