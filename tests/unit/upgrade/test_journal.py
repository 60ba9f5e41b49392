# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: what is on the disk before what follows, and what is read of a damaged one."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import StateUnwritable
from orchestrator.upgrade.journal import FILE_NAME, Event, EventName, Journal, read_journal
from orchestrator.upgrade.runs import RunDirectory


def line(seq: int, event: str = "note", **fields: Any) -> str:
    return json.dumps({"seq": seq, "time": "2026-11-20T10:00:00.000Z", "mono": 1.5, "event": event, **fields})


def read(directory: Path, text: str | bytes) -> list[Event]:
    path = directory / FILE_NAME
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_journal(path))


def journal(directory: Path, heard: list[Event] | None = None) -> Journal:
    return Journal(directory / FILE_NAME, listener=(heard if heard is not None else []).append)


def test_an_event_comes_back_as_it_was_written(tmp_path: Path) -> None:
    book = journal(tmp_path)
    written = [
        book.write(EventName.RUN_STARTED, run="0001", steps=3),
        book.write(EventName.NOTE, text="a\nb\u2028\x1b \U0001f600", nested={"list": [1, None, 1.5, True]}),
    ]
    book.close()
    assert list(read_journal(tmp_path / FILE_NAME)) == written
    assert [event.seq for event in written] == [1, 2]


def test_it_is_on_the_disk_before_anybody_hears_of_it(tmp_path: Path) -> None:
    seen: list[int] = []

    def look(_: Event) -> None:
        seen.append(len(list(read_journal(tmp_path / FILE_NAME))))

    book = Journal(tmp_path / FILE_NAME, listener=look)
    book.write(EventName.NOTE, text="a")
    book.write(EventName.NOTE, text="b")
    book.close()
    assert seen == [1, 2]


def test_a_journal_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert list(read_journal(tmp_path / "none")) == []


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "\n",
        "{",
        line(2)[:-1],
        line(2)[:10],
        "\x00" * 100,
        "null",
        "5",
        '"text"',
        "[]",
        "[1, 2]",
        "{}",
        line(2, "event-of-the-future"),
        '{"event": 5, "seq": 1, "time": "", "mono": 0}',
        '{"event": ["note"], "seq": 1, "time": "", "mono": 0}',
        '{"event": "note", "time": "", "mono": 0}',
        "\udcff",
    ],
)
def test_a_damaged_or_foreign_line_costs_no_other(tmp_path: Path, damage: str) -> None:
    text = f"{line(1, text='a')}\n{damage}\n{line(3, text='b')}\n".encode(errors="surrogateescape")
    assert [event["text"] for event in read(tmp_path, text)] == ["a", "b"]
    assert [event["text"] for event in read(tmp_path, text[: -len(line(3, text="b")) - 2])] == ["a"]


def test_a_continued_journal_goes_on_counting_and_is_not_glued_to_a_torn_line(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(f"{line(7)}\n{line(8)[:20]}")
    book = journal(tmp_path)
    assert book.write(EventName.NOTE, text="after").seq == 8
    book.close()
    assert [event.seq for event in read_journal(tmp_path / FILE_NAME)] == [7, 8]


def test_torn_at_any_byte_it_holds_what_was_whole(tmp_path: Path) -> None:
    whole = "".join(f"{line(number)}\n" for number in (1, 2, 3)).encode()
    lengths = [len(f"{line(1)}\n") * count for count in (1, 2, 3)]
    for end in range(len(whole)):
        found = read(tmp_path, whole[:end])
        assert len(found) == sum(end >= length - 1 for length in lengths)


def test_events_of_many_threads_are_numbered_in_the_order_of_the_file(tmp_path: Path) -> None:
    heard: list[Event] = []
    book = journal(tmp_path, heard)

    def write(name: str) -> None:
        for _ in range(20):
            book.write(EventName.NOTE, text=name)

    threads = [threading.Thread(target=write, args=(f"{number}",)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    book.close()
    assert [event.seq for event in read_journal(tmp_path / FILE_NAME)] == list(range(1, 101))
    assert [event.seq for event in heard] == list(range(1, 101))


def test_what_cannot_be_written_is_told_and_nobody_hears_of_it(tmp_path: Path) -> None:
    heard: list[Event] = []
    (tmp_path / FILE_NAME).symlink_to("elsewhere")
    with pytest.raises(StateUnwritable, match="cannot be written: Too many levels") as caught:
        journal(tmp_path, heard)
    assert "nothing was touched" in caught.value.hint
    assert heard == []


def test_a_listener_may_write_itself(tmp_path: Path) -> None:
    def answer(event: Event) -> None:
        if event.name is EventName.INTERRUPT:
            book.write(EventName.NOTE, text="heard")

    book = Journal(tmp_path / FILE_NAME, listener=answer)
    book.write(EventName.INTERRUPT, step="x", action="kill")
    book.close()
    assert [event.name for event in read_journal(tmp_path / FILE_NAME)] == [
        EventName.INTERRUPT,
        EventName.NOTE,
    ]


# Whether a run has begun and ended, from its journal ------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "began", "ended"),
    [
        ("", False, False),
        ("{", False, False),
        (line(1, "run-started", run="1"), True, False),
        (line(1, "run-started", run="1") + "\n" + line(2, "run-ended", outcome="done") + "\n", True, True),
        (line(1, "run-started", run="1") + "\n" + line(2, "run-ended", outcome="done"), True, True),
        (line(1, "run-started", run="1") + "\n" + line(2, "run-ended", outcome="done")[:-1], True, False),
        (line(1, "run-started", run="1") + "\n" + line(2, "step-started", step="upgrade/0010_run-ended.sh"), True, False),
        (line(1, "run-started", run="1") + "\n" + line(2, "note", text="run-ended" * 1000), True, False),
    ],
)  # fmt: skip
def test_a_run_ended_when_its_last_event_says_so(tmp_path: Path, text: str, began: bool, ended: bool) -> None:
    run = RunDirectory(tmp_path)
    run.journal.write_text(text)
    assert (run.began, run.ended) == (began, ended)
