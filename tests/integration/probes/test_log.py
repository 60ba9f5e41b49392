# SPDX-License-Identifier: GPL-3.0-or-later
"""The `log` probe: only what was written since the start counts, wherever rotation has put it."""

import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.services.probes.log import UNMARKED_TAIL, mark_logs
from orchestrator.services.service import Marks, Probe, Readiness
from tests.support.probes import NO_MARKS, is_ready, probe_of, spec_of

STARTED = "Server started\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "service.log"


def written(path: Path, **more: Any) -> dict[str, Any]:
    return {"log": {"path": str(path), "pattern": "^Server started$"}, **more}


def mark(path: Path) -> Marks:
    return mark_logs([spec_of(written(path)), spec_of({"tcp": "127.0.0.1:1"})])


@pytest.fixture
def probe(path: Path) -> Probe:
    return probe_of(written(path))


def append(path: Path, text: str) -> None:
    with path.open("a") as stream:
        stream.write(text)


def test_a_line_from_before_the_start_does_not_count(path: Path, probe: Probe) -> None:
    append(path, STARTED)
    marks = mark(path)
    assert probe.ask(marks).readiness is Readiness.STARTING
    append(path, "loading\n")
    verdict = probe.ask(marks)
    assert verdict.reason == f"{path}: no line matches '^Server started$' yet; the last one is: loading"
    append(path, STARTED)
    assert is_ready(probe, marks)


def test_a_file_that_did_not_exist_at_the_start_counts_as_a_whole(path: Path, probe: Probe) -> None:
    marks = mark(path)
    assert probe.ask(marks).reason == f"{path}: No such file or directory"
    append(path, STARTED + "x\n" * UNMARKED_TAIL)
    assert is_ready(probe, marks)


def test_a_rotated_file_is_read_from_its_beginning(path: Path, probe: Probe) -> None:
    append(path, "old\n" * 3)
    marks = mark(path)
    path.rename(path.with_suffix(".1"))
    append(path, STARTED + "more than there was before\n" * 10)
    assert is_ready(probe, marks)


def test_a_file_that_is_rotated_while_it_is_watched_is_followed(path: Path, probe: Probe) -> None:
    append(path, "old\n")
    marks = mark(path)
    append(path, "loading\n" * 10)
    assert not is_ready(probe, marks)
    path.rename(path.with_suffix(".1"))
    assert not is_ready(probe, marks)
    append(path, STARTED)
    assert is_ready(probe, marks)


def test_a_truncated_file_is_read_from_its_beginning(path: Path, probe: Probe) -> None:
    append(path, "a long history\n" * 10)
    marks = mark(path)
    path.write_text(STARTED)
    assert is_ready(probe, marks)


def test_a_line_once_seen_stays_seen_when_the_file_is_rotated_after_it(path: Path, probe: Probe) -> None:
    marks = mark(path)
    append(path, STARTED)
    assert is_ready(probe, marks)
    path.unlink()
    assert is_ready(probe, marks)


def test_the_next_start_wants_the_line_again(path: Path, probe: Probe) -> None:
    first = mark(path)
    append(path, STARTED)
    assert is_ready(probe, first)
    second = mark(path)
    assert not is_ready(probe, second)
    append(path, STARTED)
    assert is_ready(probe, second)


def test_without_a_mark_the_last_mebibyte_counts(path: Path) -> None:
    append(path, STARTED + "x" * 99 + "\n")
    assert is_ready(probe_of(written(path)), NO_MARKS)
    append(path, "x\n" * (UNMARKED_TAIL // 2))
    assert not is_ready(probe_of(written(path)), NO_MARKS)


def test_a_line_that_is_still_being_written_is_read_again_as_a_whole(path: Path, probe: Probe) -> None:
    marks = mark(path)
    append(path, "Server sta")
    assert not is_ready(probe, marks)
    append(path, "rted\n")
    assert is_ready(probe, marks)


def test_a_last_line_without_an_end_counts(path: Path, probe: Probe) -> None:
    marks = mark(path)
    append(path, STARTED.rstrip())
    assert is_ready(probe, marks)


def test_bytes_that_are_no_text_do_no_harm(path: Path, probe: Probe) -> None:
    marks = mark(path)
    path.write_bytes(os.urandom(200_000) + b"\n\xff\xfe\0\r\nServer started\r\n")
    assert is_ready(probe, marks)


def test_a_line_longer_than_memory_should_be_is_read_in_pieces(path: Path, probe: Probe) -> None:
    marks = mark(path)
    append(path, "x" * (5 << 20))
    assert not is_ready(probe, marks)
    append(path, "\n" + STARTED)
    assert is_ready(probe, marks)


def test_reading_more_than_the_time_allows_goes_on_at_the_next_question(path: Path) -> None:
    probe = probe_of(written(path, timeout=0.01))
    marks = mark(path)
    append(path, "x\n" * 500_000 + STARTED)
    verdict = probe.ask(marks)
    assert verdict.reason == f"{path}: not read to its end within 0.01 s"
    assert any(is_ready(probe, marks) for _ in range(1000))


def test_a_pipe_in_place_of_the_file_is_not_waited_for(path: Path, probe: Probe) -> None:
    os.mkfifo(path)
    assert probe.ask(NO_MARKS).reason == f"{path}: is not a regular file"
