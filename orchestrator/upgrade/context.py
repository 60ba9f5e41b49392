# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of a running upgrade share: the plan, the record, the services, who watches."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.config.model import Config
from orchestrator.host import clock
from orchestrator.host.files import FileLock
from orchestrator.host.processes import clean_environment
from orchestrator.host.shimmed import Shim
from orchestrator.host.signals import Interrupts
from orchestrator.upgrade import statusfile
from orchestrator.upgrade.history import HistoryFile
from orchestrator.upgrade.journal import Event, EventName, Journal
from orchestrator.upgrade.plan import Plan
from orchestrator.upgrade.reporter import Progress, Reporter
from orchestrator.upgrade.reports import environment_of
from orchestrator.upgrade.requests import Request
from orchestrator.upgrade.runs import RunDirectory
from orchestrator.upgrade.runstate import RunState, apply
from orchestrator.upgrade.scratch import Scratch

if TYPE_CHECKING:
    from orchestrator.host.facts import ProcessId
    from orchestrator.services.controlled import ControlledService

# Seconds: how often `status.json` is renewed, and how often at the most when steps follow each other quickly.
STATUS_EVERY, STATUS_EVERY_STEP = 1.0, 0.2


@dataclass(slots=True)
class RunContext:
    """One run in progress. `state` is always the fold of what stands in the journal."""

    config: Config
    config_path: Path
    plan: Plan
    directory: RunDirectory
    services: "Mapping[str, ControlledService]"
    reporter: Reporter
    interrupts: Interrupts
    lock: FileLock
    history: HistoryFile
    state: RunState
    assume_yes: bool = False
    invoker: str = "unattended"
    # What this run answers; taken away at its end.
    request: Request | None = None
    journal: Journal = field(init=False)
    scratch: Scratch = field(init=False)
    due_steps: int = field(init=False)
    done_steps: int = 0
    # Steps that this process has begun, whatever became of them.
    attempted: set[str] = field(default_factory=set)
    # Processes seen of a service before its stop: none of them may live while it must be down.
    seen: "dict[str, set[ProcessId]]" = field(default_factory=dict)
    _environment: dict[str, str] = field(init=False)
    _progress_guard: threading.Lock = field(default_factory=threading.Lock)
    _shim: Shim | None = None
    _status_written: float = 0.0
    _status_step: str = ""

    def __post_init__(self) -> None:
        self.journal = Journal(self.directory.journal, listener=self._take)
        self.scratch = Scratch(self.config.state_dir / "scratch")
        self.due_steps = len(self.plan.due)
        own = {
            "RUN_ID": self.directory.id,
            "ASSUMEYES": "1" if self.assume_yes else "0",
            "CONFIG": str(self.config_path),
            "INVOKER": self.invoker,
        }
        self._environment = step_environment(self.config, self.plan, own)

    def _take(self, event: Event) -> None:
        apply(self.state, event)
        self.reporter.event(event)

    def write(self, name: EventName, **fields: Any) -> Event:
        return self.journal.write(name, **fields)

    def note(self, text: str) -> None:
        self.write(EventName.NOTE, text=text)

    @property
    def shim(self) -> Shim:
        """The program between us and the steps; started at the latest when a step is."""
        self.start_shim()
        assert self._shim is not None
        return self._shim

    def start_shim(self) -> None:
        """Before a step can replace its file; but not while that of a killed runner may still live, for which it would
        have to wait."""
        if self._shim is None:
            self._shim = Shim(self.directory.shim_lock)

    def renew_shim(self) -> None:
        """After it was killed: the next step gets a new one."""
        if self._shim is not None:
            self._shim.close()
            self._shim = None

    def environment(self, step: str, kind: str, phase: str, attempt: int) -> dict[str, str]:
        """What is the same for all steps of the run, and what is this one's."""
        return {
            **self._environment,
            "ORCHESTRATOR_PHASE": phase,
            "ORCHESTRATOR_STEP": step,
            "ORCHESTRATOR_KIND": kind,
            "ORCHESTRATOR_ATTEMPT": str(attempt),
            "ORCHESTRATOR_SCRATCH_DIR": str(self.scratch.path(step)),
            **environment_of(lambda suffix: self.directory.step_file(step, attempt, suffix)),
        }

    def progress(self, progress: Progress) -> None:
        """Tell whoever watches, here and (at most once a second, or at a new step) from other shells."""
        with self._progress_guard:
            self.reporter.progress(progress)
            now = clock.monotonic()
            age = now - self._status_written
            if age >= STATUS_EVERY or (progress.step != self._status_step and age >= STATUS_EVERY_STEP):
                self._status_written, self._status_step = now, progress.step
                statusfile.write_status(self.config.state_dir, progress)

    def close(self) -> None:
        if self._shim is not None:
            self._shim.close()
        self.scratch.close()
        self.journal.close()
        self.history.close()
        statusfile.remove_status(self.config.state_dir)


def step_environment(config: Config, plan: Plan, own: Mapping[str, str]) -> dict[str, str]:
    """What a step finds in its environment (orchestrator-scripts(7)); `own` are the names that differ by step."""
    named = {
        "DRY_RUN": "0",
        "STATE_DIR": str(config.state_dir),
        "LOG_DIR": str(config.log_dir),
        "FROM_VERSION": plan.from_version or "",
        "TO_VERSION": plan.to_version or "",
        **own,
    }
    prefixed = {f"ORCHESTRATOR_{name}": value for name, value in named.items()}
    return clean_environment({**config.environment, **prefixed})
