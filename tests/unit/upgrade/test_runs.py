# SPDX-License-Identifier: GPL-3.0-or-later
"""The runs on disk: their order, which is unfinished, and how long things took in them."""

from pathlib import Path

from orchestrator.upgrade.estimates import RUNS_LOOKED_AT, VALUES, read_durations
from orchestrator.upgrade.journal import Event
from orchestrator.upgrade.runs import RunDirectory, find_run, list_runs, unfinished_run
from tests.support.plans import event


def run(state_dir: Path, number: int, *events: Event) -> RunDirectory:
    path = state_dir / "runs" / f"{number:04}-20261120T100000Z"
    path.mkdir(parents=True)
    begun = event("run-started", run=path.name, boot="b")
    directory = RunDirectory(path)
    directory.journal.write_text("".join(f"{one.to_json()}\n" for one in (begun, *events)))
    return directory


def took(step: str, seconds: float, status: str = "done") -> list[Event]:
    return [
        event("step-started", step=step, attempt=1),
        event("step-ended", step=step, attempt=1, status=status, seconds=seconds),
    ]


def test_without_runs_nothing_is_known(tmp_path: Path) -> None:
    assert read_durations(tmp_path).seconds == {}


def test_the_median_of_successes_counts(tmp_path: Path) -> None:
    for number, seconds in enumerate((1.0, 90.0, 2.0), 1):
        run(tmp_path, number, *took("default/0010_a", seconds), *took("default/0020_b", seconds, "failed"))
    assert read_durations(tmp_path).seconds == {"default/0010_a": 2.0}


def test_services_have_a_duration_for_each_verb(tmp_path: Path) -> None:
    ready, down = (
        event("service-ready", service="db", seconds=3.0),
        event("service-down", service="db", seconds=1.0),
    )
    run(tmp_path, 1, ready, down)
    assert read_durations(tmp_path).seconds == {"start db": 3.0, "stop db": 1.0}


def test_only_the_latest_values_count(tmp_path: Path) -> None:
    for number in range(1, VALUES + 3):
        run(tmp_path, number, *took("default/0010_a", 100.0 if number <= 2 else 1.0))
    assert read_durations(tmp_path).seconds == {"default/0010_a": 1.0}


def test_runs_in_which_a_step_was_not_done_take_none_of_its_values_away(tmp_path: Path) -> None:
    for number, seconds in enumerate((5.0, 7.0, 6.0), 1):
        run(tmp_path, number, *took("default/0010_a", seconds))
    for number in range(4, 4 + VALUES):  # refused by a check, say
        run(tmp_path, number, *took("check/0010_b", 1.0, "failed"), *took("default/0010_a", 99.0, "failed"))
    assert read_durations(tmp_path).seconds == {"default/0010_a": 6.0}


def test_old_runs_do_not_count(tmp_path: Path) -> None:
    run(tmp_path, 1, *took("default/0010_a", 5.0))
    for number in range(2, RUNS_LOOKED_AT + 2):
        run(tmp_path, number)
    assert read_durations(tmp_path).seconds == {}


def test_of_a_continued_run_the_last_attempt_counts(tmp_path: Path) -> None:
    again = event("run-continued", run="0001-x", boot="b")
    parts = [*took("upgrade/0010_a", 50.0, "failed"), again, *took("upgrade/0010_a", 3.0)]
    parts += [*took("upgrade/0020_b", 8.0), again, *took("upgrade/0020_b", 1.0, "stopped")]
    run(tmp_path, 1, *parts, *took("upgrade/0030_c", 0.0, "not-applicable"))
    assert read_durations(tmp_path).seconds == {"upgrade/0010_a": 3.0}


def test_a_clock_that_is_set_changes_no_duration(tmp_path: Path) -> None:
    start = event("step-started", step="upgrade/0010_a", attempt=1, time="2026-11-20T10:00:00.000Z", mono=5.0)
    end = event(
        "step-ended",
        step="upgrade/0010_a",
        status="done",
        seconds=2.0,
        time="2026-11-20T09:00:02.000Z",
        mono=7.0,
    )
    run(tmp_path, 1, start, end)
    assert read_durations(tmp_path).seconds == {"upgrade/0010_a": 2.0}


# Runs on disk -----------------------------------------------------------------------------------------------


def test_runs_are_ordered_by_number_whatever_the_clock_said(tmp_path: Path) -> None:
    for name in (
        "0002-20200101T000000Z",
        "0010-19700101T000000Z",
        "0001-20301231T235959Z",
        "10000-20261120T100000Z",
    ):
        path = tmp_path / "runs" / name
        path.mkdir(parents=True)
        RunDirectory(path).journal.write_text(event("run-started", run=name).to_json())
    (tmp_path / "runs" / "lost+found").mkdir()
    (tmp_path / "runs" / "0011-20261120T100000Z").mkdir()
    assert [one.number for one in list_runs(tmp_path)] == [1, 2, 10, 10000]
    assert find_run(tmp_path, "last").number == 10000
    assert find_run(tmp_path, "10").number == 10
    assert find_run(tmp_path, "0002-20200101T000000Z").number == 2


def test_the_newest_run_is_unfinished_until_its_end_is_on_record(tmp_path: Path) -> None:
    assert unfinished_run(tmp_path) is None
    run(tmp_path, 1, event("run-ended", outcome="done"))
    assert unfinished_run(tmp_path) is None
    second = run(tmp_path, 2, *took("upgrade/0010_run-ended.sh", 1.0))
    found = unfinished_run(tmp_path)
    assert found is not None
    assert found[0] == second
    (tmp_path / "runs" / "0003-20261120T100000Z").mkdir()
    assert unfinished_run(tmp_path) is not None, "a run without an event never began"
    with second.journal.open("a") as stream:
        stream.write(event("run-ended", outcome="refused").to_json())
    assert unfinished_run(tmp_path) is None
