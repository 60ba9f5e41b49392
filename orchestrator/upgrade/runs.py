# SPDX-License-Identifier: GPL-3.0-or-later
"""The runs on disk: `state_dir/runs/<number>-<time>/` with plan, journal and step logs.

The number orders them, not the time: a clock that was set back must not make an old run the newest.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import Invalid, Refused, StateUnwritable, UsageError
from orchestrator.host import clock, files
from orchestrator.upgrade import journal
from orchestrator.upgrade.journal import EventName
from orchestrator.upgrade.runstate import RunState, fold

FORMAT = 1
_NAME = re.compile(r"([0-9]{4,})-[0-9]{8}T[0-9]{6}Z")


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """One run's files."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def number(self) -> int:
        return int(self.path.name.partition("-")[0])

    @property
    def journal(self) -> Path:
        return self.path / journal.FILE_NAME

    @property
    def began(self) -> bool:
        """Whether its first event is on the disk."""
        return next(iter(journal.read_journal(self.journal)), None) is not None

    @property
    def ended(self) -> bool:
        """Whether its end is in the journal; a look at the last lines, however long that is: only notes come later."""
        events = map(journal.parse_line, files.last_lines(self.journal, 8, most=4096))
        return any(event is not None and event.name is EventName.RUN_ENDED for event in events)

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def shim_lock(self) -> Path:
        return self.path / "shim.lock"

    def step_file(self, step: str, attempt: int, suffix: str) -> Path:
        """`steps/upgrade/0120_x.sh.attempt-1.log`, `.status`, `.events` or `.progress`."""
        return self.path.joinpath("steps", f"{step}.attempt-{attempt}.{suffix}")

    def state(self) -> RunState:
        return fold(journal.read_journal(self.journal))

    def saved_plan(self) -> dict[str, Any]:
        """The plan as it was confirmed; empty when the run died before it was written."""
        content = files.read_json(self.plan)
        return content if isinstance(content, dict) else {}


def list_runs(state_dir: Path) -> list[RunDirectory]:
    """All runs that began, oldest first. A missing directory means none; an unreadable one is an error."""
    return [run for run in _directories(state_dir) if run.began]


def latest_run(state_dir: Path) -> RunDirectory | None:
    """The newest run that began; raises as `list_runs` does."""
    return next((run for run in reversed(_directories(state_dir)) if run.began), None)


def _directories(state_dir: Path) -> list[RunDirectory]:
    try:
        names = os.listdir(state_dir / "runs")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Invalid(f"the runs in {state_dir} cannot be read: {error.strerror}") from None
    runs = [RunDirectory(state_dir / "runs" / name) for name in names if _NAME.fullmatch(name)]
    return sorted(runs, key=lambda run: run.number)


def find_run(state_dir: Path, wanted: str) -> RunDirectory:
    """The run with this id or number; `last` is the newest. Raises UsageError when there is none."""
    runs = list_runs(state_dir)
    if wanted == "last" and runs:
        return runs[-1]
    for run in runs:
        if wanted == run.id or (wanted.isdecimal() and int(wanted) == run.number):
            return run
    known = ", ".join(run.id for run in runs[-3:]) or "none yet"
    raise UsageError(f"there is no run {wanted}", hint=f"the newest: {known}; all: orchestrator runs list")


def unfinished_run(state_dir: Path) -> tuple[RunDirectory, RunState] | None:
    """The run that began and did not end. Only the newest can be: no run is begun beside an unfinished one."""
    for run in reversed(_directories(state_dir)):
        if run.ended:
            return None
        state = run.state()
        if state.run:
            return (run, state) if state.unfinished else None
    return None


def ended_runs(state_dir: Path) -> Iterator[RunDirectory]:
    """The runs that ended, newest first."""
    return (run for run in reversed(_directories(state_dir)) if run.ended)


def create_run(state_dir: Path, plan: dict[str, Any]) -> RunDirectory:
    """A directory for a new run with its plan in it, durable."""
    existing = _directories(state_dir)
    number = existing[-1].number + 1 if existing else 1
    for left in existing:
        if not left.began:  # a runner was killed before its first event
            shutil.rmtree(left.path, ignore_errors=True)
    run = RunDirectory(state_dir / "runs" / f"{number:04}-{clock.now():%Y%m%dT%H%M%SZ}")
    try:
        files.make_directory(run.path.parent)
        files.make_directory(run.path, 0o750)
        files.replace_file(run.plan, json.dumps(plan).encode(), mode=0o640)
    except OSError as error:
        raise StateUnwritable(
            f"the run cannot be recorded in {run.path}: {error.strerror}",
            hint="make room there, then run the same command again; nothing was touched",
        ) from None
    return run


def check_format(state_dir: Path) -> None:
    """Refuse a state directory that a newer version of this program wrote."""
    content = files.read_json(state_dir / "format.json")
    found = content.get("format") if isinstance(content, dict) else None
    if isinstance(found, int) and found > FORMAT:
        raise Refused(
            f"{state_dir} was written in format {found}; this version knows up to {FORMAT}",
            hint="upgrade orchestrator itself first",
        )


def prepare_state_directory(state_dir: Path) -> None:
    """Make the directory and its format mark. Raises OSError, or Refused for that of a newer version."""
    files.make_directory(state_dir)
    check_format(state_dir)
    mark = state_dir / "format.json"
    if files.read_json(mark) is None:
        try:
            files.replace_file(mark, json.dumps({"format": FORMAT}).encode() + b"\n")
        except FileNotFoundError:
            if not mark.exists():  # else somebody made it at the same moment
                raise
