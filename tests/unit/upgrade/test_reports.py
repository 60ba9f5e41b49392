# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step tells beside its output: read as it is appended, each event once, whatever stands between."""

import json
from pathlib import Path

import pytest

from orchestrator.errors import StateUnwritable
from orchestrator.upgrade.reports import (
    LONGEST_LINE,
    ReportTail,
    Telling,
    environment_of,
    parse_report,
    read_progress,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "0010_a.sh.attempt-1.events"


def append(file: Path, text: str) -> None:
    with file.open("a") as stream:
        stream.write(text)


def names(tail: ReportTail, *, to_end: bool = False) -> list[tuple[int, str]]:
    return [(report.number, report.content["name"]) for report in tail.pump(to_end=to_end)]


@pytest.mark.parametrize(
    "line",
    ["", "text", "[]", "1", "null", "{}", '{"name": ""}', '{"name": 1}', '{"text": "x"}', "[" * 3000, "\xff"],
)
def test_what_is_no_event_is_passed_over(line: str) -> None:
    assert parse_report(line.encode("latin-1")) is None


def test_an_event_is_an_object_with_a_name() -> None:
    assert parse_report(b' {"name": "x", "a": [1]} \r') == {"name": "x", "a": [1]}


def test_events_are_read_as_they_are_appended_and_each_once(file: Path) -> None:
    tail = ReportTail(file)
    assert names(tail) == []
    append(file, '{"name": "a"}\n{"name": "b"}\n{"na')
    assert names(tail) == [(1, "a"), (2, "b")]
    assert names(tail) == []
    append(file, 'me": "c"}\n')
    assert names(tail) == [(3, "c")]


def test_lines_that_are_no_events_count_so_that_a_later_reader_numbers_the_same(file: Path) -> None:
    append(file, 'noise\n{"name": "a"}\n\n{"name": "b", "lost": true}\n')
    tail = ReportTail(file)
    assert names(tail) == [(2, "a"), (4, "b")]
    assert (tail.lines, tail.lost) == (4, 1)


def test_the_last_line_needs_no_end_once_the_step_has_ended(file: Path) -> None:
    append(file, '{"name": "a"}\n{"name": "b"}')
    tail = ReportTail(file)
    assert names(tail) == [(1, "a")]
    assert names(tail, to_end=True) == [(2, "b")]


def test_half_an_event_of_a_killed_step_is_none(file: Path) -> None:
    append(file, '{"name": "a"}\n{"name": "b"')
    assert names(ReportTail(file), to_end=True) == [(1, "a")]


def test_a_line_without_end_is_not_kept_in_memory(file: Path) -> None:
    append(file, '{"name": "' + "x" * 20 * LONGEST_LINE)
    tail = ReportTail(file)
    for _ in range(20):
        assert names(tail) == []
    assert len(tail._rest) <= 1
    append(file, '"}\n{"name": "b"}\n')
    assert names(tail, to_end=True) == [(2, "b")]


def test_many_pieces_are_read_to_the_end(file: Path) -> None:
    append(file, "".join(f'{{"name": "n{number}", "lost": true}}\n' for number in range(20_000)))
    tail = ReportTail(file)
    assert len(names(tail, to_end=True)) == 20_000
    assert tail.lost == 20_000


def test_only_true_is_a_loss(file: Path) -> None:
    append(file, '{"name": "a", "lost": 1}\n{"name": "a", "lost": []}\n{"name": "a", "lost": false}\n')
    tail = ReportTail(file)
    assert [report.lost for report in tail.pump(to_end=True)] == [False, False, False]
    assert tail.lost == 0


def test_progress_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "progress"
    assert read_progress(file) == ""
    file.write_bytes(b"\n 12 of 40 tables \nmore\n")
    assert read_progress(file) == "12 of 40 tables"
    file.write_bytes(b"\xff" * 100_000)
    assert len(read_progress(file)) <= 512


# The step's side ------------------------------------------------------------------------------------


def test_an_action_tells_events_with_its_name_and_its_progress(tmp_path: Path) -> None:
    environment = environment_of(lambda suffix: tmp_path / f"x.{suffix}")
    with Telling(environment, "a.b") as telling:
        telling.report("made", "it is made", {"size": 5, "where": Path("/x"), "name": "not this"})
        telling.report("gone", "", {}, lost=True)
        telling.progress("1 of 2")
        telling.progress("2 of 2")
    lines = (tmp_path / "x.events").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"name": "made", "action": "a.b", "text": "it is made", "size": 5, "where": "/x"},
        {"name": "gone", "action": "a.b", "lost": True},
    ]
    assert read_progress(tmp_path / "x.progress") == "2 of 2"


def test_two_actions_of_a_step_share_its_files(tmp_path: Path, file: Path) -> None:
    environment = environment_of(lambda _: file)
    for action in ("a", "b"):
        with Telling(environment, action) as telling:
            telling.report("done", "", {})
    assert [report.content["action"] for report in ReportTail(file).pump()] == ["a", "b"]


def test_where_nobody_wants_to_know_nothing_is_written() -> None:
    with Telling({}, "a") as telling:
        telling.report("made", "", {})
        telling.progress("1 of 2")


def test_an_event_that_cannot_be_kept_is_an_error_and_progress_is_not(tmp_path: Path) -> None:
    environment = environment_of(lambda suffix: tmp_path / "absent" / suffix)
    with Telling(environment, "a") as telling:
        telling.progress("1 of 2")
        with pytest.raises(StateUnwritable, match="events cannot be written: No such file"):
            telling.report("made", "", {})
