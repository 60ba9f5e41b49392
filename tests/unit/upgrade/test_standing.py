# SPDX-License-Identifier: GPL-3.0-or-later
"""How it stands with upgrades, from the files of a state directory alone."""

import json
import os
from pathlib import Path

import pytest

from orchestrator.host import clock
from orchestrator.host.files import FileLock
from orchestrator.upgrade.following import step_progress
from orchestrator.upgrade.journal import Event
from orchestrator.upgrade.reporter import Progress
from orchestrator.upgrade.requests import Request, record_request
from orchestrator.upgrade.standing import (
    Condition,
    last_part,
    read_standing,
    running_step,
    service_states,
)
from orchestrator.upgrade.statusfile import progress_of, read_status, write_status
from tests.support.plans import event

STARTED = event("run-started", run="0001-x", pid=os.getpid(), boot="b", steps=1)
ENDED = event("run-ended", outcome="done", exit_code=0)
STOPPED = event("run-stopped", reason="it failed", exit_code=1)
STEP = event("step-started", step="upgrade/0010_a", attempt=1, log="/x", mono=90.0, expected=7.0)
PROGRESS = Progress("0001-x", "all-up", "upgrade/0010_a", 1, 2, elapsed=3.0, expected=7.0, quiet=1.0)


def journal(state_dir: Path, *events: Event, number: int = 1) -> None:
    path = state_dir / "runs" / f"{number:04}-20261120T100000Z"
    path.mkdir(parents=True)
    (path / "journal.jsonl").write_text("".join(f"{one.to_json()}\n" for one in events))


@pytest.fixture
def held(tmp_path: Path) -> FileLock:
    """The lock, held by this process."""
    lock = FileLock(tmp_path / "lock")
    assert lock.try_acquire()
    lock.describe({"pid": os.getpid(), "purpose": "upgrade"})
    return lock


def test_before_the_first_run(tmp_path: Path) -> None:
    assert read_standing(tmp_path).condition is Condition.NEVER


@pytest.mark.parametrize(
    ("events", "condition"),
    [
        ((STARTED, ENDED), Condition.IDLE),
        ((STARTED, ENDED, event("note", text="mail: no")), Condition.IDLE),
        ((STARTED, STOPPED), Condition.UNFINISHED),
        ((STARTED, STEP), Condition.UNFINISHED),
        ((), Condition.NEVER),
    ],
)
def test_without_a_holder_the_last_run_counts(
    tmp_path: Path, events: tuple[Event, ...], condition: Condition
) -> None:
    journal(tmp_path, *events)
    found = read_standing(tmp_path)
    assert found.condition is condition
    assert not found.watchable


def test_whoever_holds_the_lock_and_wrote_the_last_begin_works_on_the_run(
    tmp_path: Path, held: FileLock
) -> None:
    journal(tmp_path, STARTED, STEP)
    write_status(tmp_path, PROGRESS)
    with held:
        found = read_standing(tmp_path)
    assert found.condition is Condition.RUNNING
    assert found.watchable
    assert found.run is not None
    assert found.running == STEP
    assert found.progress is not None
    assert found.progress.elapsed == pytest.approx(3.0, abs=0.5)


def test_one_that_has_only_just_taken_the_lock_works_on_no_run_yet(tmp_path: Path, held: FileLock) -> None:
    other = event("run-started", run="0001-x", pid=1, boot="b")
    journal(tmp_path, other, STOPPED)
    with held:
        found = read_standing(tmp_path)
    assert found.condition is Condition.RUNNING
    assert found.run is None
    assert not found.watchable


def test_a_run_that_has_ended_is_not_watched_though_its_process_lives(tmp_path: Path, held: FileLock) -> None:
    journal(tmp_path, STARTED, ENDED)
    with held:
        found = read_standing(tmp_path)
    assert (found.condition, found.watchable) == (Condition.RUNNING, False)
    assert found.end == ENDED


def test_a_request_is_part_of_it(tmp_path: Path) -> None:
    record_request(tmp_path, Request("deb toy", "an image is built"))
    request = read_standing(tmp_path).request
    assert request is not None
    assert request.by == "deb toy"


def test_the_last_part_is_that_of_the_process_that_continued_last() -> None:
    continued = event("run-continued", run="0001-x", pid=7)
    assert last_part([STARTED, STEP, STOPPED, continued, ENDED]) == [continued, ENDED]
    assert last_part([]) == []


def test_the_step_that_runs_is_the_one_without_an_end() -> None:
    end = event("step-ended", step="upgrade/0010_a", status="done")
    assert running_step([STARTED, STEP]) == STEP
    assert running_step([STARTED, STEP, end]) is None


def test_services_are_as_the_journal_says() -> None:
    found = event("services-found", services={"db": {"up": True}, "web": {"up": False}, "x": {"up": True}})
    events = [found, event("service-stopping", service="db")]
    assert service_states(events) == {"db": "stopping", "web": "down", "x": "up"}
    events += [event("service-down", service="db"), event("service-starting", service="web")]
    assert service_states(events) == {"db": "down", "web": "starting", "x": "up"}
    events += [event("service-failed", service="web"), event("service-ready", service="db"), found]
    assert service_states(events) == {"db": "up", "web": "failed", "x": "up"}


# status.json ------------------------------------------------------------------------------------------------


def test_what_was_told_ages_by_the_monotonic_clock(tmp_path: Path) -> None:
    write_status(tmp_path, PROGRESS)
    told = progress_of(read_status(tmp_path), os.getpid(), clock.monotonic() + 100)
    assert told is not None
    assert (round(told.elapsed), round(told.quiet)) == (103, 101)
    assert told.step == PROGRESS.step


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": 1}', '{"pid": %d, "mono": 1}'])
def test_what_another_process_left_or_is_damaged_does_not_count(tmp_path: Path, content: str) -> None:
    (tmp_path / "status.json").write_text(content.replace("%d", str(os.getpid())))
    assert progress_of(read_status(tmp_path), os.getpid(), 2.0) is None


def test_a_killed_runners_status_does_not_count(tmp_path: Path) -> None:
    write_status(tmp_path, PROGRESS)
    content = json.loads((tmp_path / "status.json").read_text())
    assert progress_of({**content, "pid": 1}, os.getpid(), 2.0) is None


def test_a_step_that_nobody_has_told_of_yet_is_known_from_its_start() -> None:
    found = step_progress(STEP, None, 100.0)
    assert (found.step, found.elapsed, found.expected, found.quiet) == ("upgrade/0010_a", 10.0, 7.0, 10.0)
    other = step_progress(STEP, Progress("r", "", "upgrade/0009_z", 1, 2, 50.0, None, 0.0), 100.0)
    assert other == found
    assert step_progress(STEP, PROGRESS, 91.0).elapsed == 3.0, "an adopted step is older than its runner"
