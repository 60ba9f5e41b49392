# SPDX-License-Identifier: GPL-3.0-or-later
"""The history file: what its lines mean, what is written, and that no hand's work in it is undone."""

import random
from pathlib import Path

import pytest

from orchestrator.errors import Invalid, NotPermitted, StateUnwritable
from orchestrator.upgrade.history import (
    FILE_NAME,
    Entry,
    History,
    HistoryFile,
    Mark,
    parse_history,
    parse_line,
    read_history,
)
from tests.support.nobody import as_nobody, public_directory

DONE = Entry("0010_a.sh", "2026-11-20T10:00:00.000Z", "ab12", Mark.DONE, {"run": "0001", "seconds": "1.000"})


def write(directory: Path, text: str) -> Path:
    path = directory / FILE_NAME
    path.write_text(text)
    return path


def record(directory: Path, *entries: Entry) -> None:
    history = HistoryFile(directory)
    try:
        for entry in entries:
            history.record(entry)
    finally:
        history.close()


# Lines ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("0010_a.sh", Entry("0010_a.sh")),
        ("  0010_a.sh  ", Entry("0010_a.sh")),
        ("\t0010_a.sh\t", Entry("0010_a.sh")),
        ("0010_a.sh\r", Entry("0010_a.sh")),
        ("0010_a.sh\t\t\t", Entry("0010_a.sh")),
        ("0010_a.sh\t2026-11-20", Entry("0010_a.sh", "2026-11-20")),
        ("0010_a.sh\t2026-11-20\tab12", Entry("0010_a.sh", "2026-11-20", "ab12")),
        ("0010_a.sh\t\t\tstatus=skipped\treason=no%0Aneed", Entry("0010_a.sh", mark=Mark.SKIPPED, details={"reason": "no\nneed"})),
        ("0010_a.sh\t\t\tstatus=baseline\tnonsense\ta=b=c", Entry("0010_a.sh", mark=Mark.BASELINE, details={"a": "b=c"})),
        ("0010_a.sh\t\t\tstatus=from-the-future", Entry("0010_a.sh")),
        ("0010_a.sh\t\t\treason=100%", Entry("0010_a.sh", details={"reason": "100%"})),
        ("0010_a.sh\t\t\treason=%E2%82", Entry("0010_a.sh", details={"reason": "\ufffd"})),
        (DONE.to_line(), DONE),
    ],
)  # fmt: skip
def test_a_line_is_an_entry(line: str, entry: Entry) -> None:
    assert parse_line(line) == entry


@pytest.mark.parametrize("line", ["", "   ", "\t\t", "# comment", "  # comment", "#0010_a.sh", "\r"])
def test_empty_lines_and_comments_are_none(line: str) -> None:
    assert parse_line(line) is None


def test_a_plain_list_of_names_in_any_order_is_a_history() -> None:
    history = parse_history("0900_z.sh\n\n# by hand\n0010_a.sh\r\n0500_m.sh")
    assert set(history.entries) == {"0900_z.sh", "0010_a.sh", "0500_m.sh"}
    assert all(entry == Entry(name) for name, entry in history.entries.items())
    assert history.get("0010_a") is None


def test_for_a_name_that_stands_twice_the_last_line_counts() -> None:
    history = parse_history("0010_a.sh\t\t\tstatus=skipped\n0010_a.sh\t\t\tstatus=marked\n")
    assert history.entries["0010_a.sh"].mark is Mark.MARKED


def test_a_separator_of_another_alphabet_ends_no_line() -> None:
    assert set(parse_history("# one\x0c0010_a.sh\u20280020_b.sh\x850030_c.sh\n0040_d.sh").entries) == {
        "0040_d.sh"
    }


def test_versions_are_those_that_steps_were_run_for() -> None:
    history = parse_history("a\t\t\tversion=1.0\nb\nc\t\t\tversion=2.0\nd\t\t\tversion=\n")
    assert history.versions() == ["1.0", "2.0"]


@pytest.mark.parametrize(
    "reason",
    [
        "plain words, (and) marks: a=b; c/d",
        "tab\there",
        "two\nlines\r\n",
        "100 %",
        "%41",
        "\u20ac \U0001f600",
        "\x00\x1b[31m\x7f\x85\u2028",
        "",
        "#",
    ],
)
def test_a_reason_may_hold_anything(reason: str) -> None:
    entry = Entry("0010_a.sh", "now", "", Mark.SKIPPED, {"reason": reason, "by": "me"})
    line = entry.to_line()
    assert line.isprintable() or line.replace("\t", "").isprintable()
    assert parse_line(line) == entry


def test_a_reason_in_plain_words_is_readable_in_the_file() -> None:
    line = Entry(
        "a", mark=Mark.MARKED, details={"reason": "done by hand, ticket #47 (see wiki: x=y)"}
    ).to_line()
    assert line.endswith("\treason=done by hand, ticket #47 (see wiki: x=y)")


def test_any_entry_comes_back_as_it_was_written() -> None:
    chance = random.Random(1)
    letters = "ab %=#\t\n\r\x00\x1f\x85\u20ac\u2028\U0001f600/&+"
    for _ in range(500):
        details = {key: "".join(chance.choices(letters, k=chance.randint(0, 9))) for key in ("reason", "by")}
        entry = Entry("0010_a.sh", "now", "ab", chance.choice(list(Mark)), details)
        assert parse_history(f"x\n{entry.to_line()}\ny\n").entries == {
            "x": Entry("x"),
            "0010_a.sh": entry,
            "y": Entry("y"),
        }


# The file -----------------------------------------------------------------------------------------------


def test_no_file_means_an_empty_history_and_reading_makes_none(tmp_path: Path) -> None:
    assert read_history(tmp_path) == History()
    assert list(tmp_path.iterdir()) == []


def test_records_are_added_at_the_end(tmp_path: Path) -> None:
    path = write(tmp_path, "# mine\n0005_by_hand\n")
    record(tmp_path, DONE, Entry("0020_b.sh"))
    assert path.read_text() == f"# mine\n0005_by_hand\n{DONE.to_line()}\n{Entry('0020_b.sh').to_line()}\n"


def test_a_last_line_without_its_end_is_not_glued_to_the_next(tmp_path: Path) -> None:
    path = write(tmp_path, "0005_by_hand")
    record(tmp_path, Entry("0010_a.sh"))
    assert path.read_text() == "0005_by_hand\n0010_a.sh\t\t\tstatus=done\n"


def test_a_torn_line_costs_no_other(tmp_path: Path) -> None:
    whole = f"0005_x.sh\n{DONE.to_line()}\n"
    for end in range(len(whole)):
        write(tmp_path, whole[:end])
        record(tmp_path, Entry("0020_b.sh"))
        names = set(read_history(tmp_path).entries)
        assert "0020_b.sh" in names
        assert (DONE.name in names) == (len("0005_x.sh\n") + len(DONE.name) <= end)


def test_a_record_of_a_known_name_takes_its_place_and_all_else_stays(tmp_path: Path) -> None:
    text = "# first\n\n0020_b.sh\t\t\treason=%zz\n0010_a.sh\n#last\n0030_c.sh  "
    path = write(tmp_path, text)
    record(tmp_path, DONE)
    assert path.read_text() == text.replace("0010_a.sh", DONE.to_line()) + "\n"


def test_of_a_name_that_stands_twice_one_line_is_left(tmp_path: Path) -> None:
    path = write(tmp_path, "0010_a.sh\n0020_b.sh\n0010_a.sh\n")
    record(tmp_path, DONE)
    assert path.read_text() == f"{DONE.to_line()}\n0020_b.sh\n"


def test_after_a_line_was_replaced_others_are_still_added(tmp_path: Path) -> None:
    path = write(tmp_path, "0010_a.sh\n")
    record(tmp_path, DONE, Entry("0020_b.sh"), Entry("0020_b.sh", mark=Mark.SKIPPED))
    assert path.read_text() == f"{DONE.to_line()}\n0020_b.sh\t\t\tstatus=skipped\n"


def test_names_are_taken_out_and_all_else_stays(tmp_path: Path) -> None:
    path = write(tmp_path, "# 0010_a.sh\n0010_a.sh\n0020_b.sh\n0010_a.sh\tagain\n")
    history = HistoryFile(tmp_path)
    history.remove(["0010_a.sh", "0099_unknown"])
    assert set(history.history.entries) == {"0020_b.sh"}
    history.record(Entry("0030_c.sh"))
    history.close()
    assert path.read_text() == "# 0010_a.sh\n0020_b.sh\n0030_c.sh\t\t\tstatus=done\n"


def test_taking_the_last_name_out_leaves_an_empty_file(tmp_path: Path) -> None:
    path = write(tmp_path, "0010_a.sh\n")
    history = HistoryFile(tmp_path)
    history.remove(["0010_a.sh"])
    history.remove(["0010_a.sh"])
    history.close()
    assert path.read_bytes() == b""


def test_a_line_taken_out_by_hand_meanwhile_is_added_again(tmp_path: Path) -> None:
    path = write(tmp_path, "0010_a.sh\n")
    history = HistoryFile(tmp_path)
    path.write_text("# gone\n")
    history.record(DONE)
    history.close()
    assert path.read_text() == f"# gone\n{DONE.to_line()}\n"


@pytest.mark.parametrize("replaced", [True, False])
def test_a_file_that_an_editor_put_in_its_place_gets_the_line(tmp_path: Path, replaced: bool) -> None:
    path = write(tmp_path, "0005_x\n")
    history = HistoryFile(tmp_path)
    path.rename(tmp_path / "backup")
    if replaced:
        path.write_text("0005_x\n0006_by_hand\n")
    history.record(DONE)
    history.close()
    assert DONE.name in read_history(tmp_path).entries
    assert ("0006_by_hand" in read_history(tmp_path).entries) == replaced


def test_bytes_that_are_no_text_refuse_to_be_read_and_survive_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(b"0010_a.sh\n")
    history = HistoryFile(tmp_path)
    path.write_bytes(b"# caf\xe9\n0010_a.sh\n")
    history.record(DONE)
    history.close()
    assert path.read_bytes() == b"# caf\xe9\n" + DONE.to_line().encode() + b"\n"
    with pytest.raises(Invalid, match=f"the history {path} cannot be read"):
        read_history(tmp_path)


def test_the_mode_of_the_file_stays(tmp_path: Path) -> None:
    path = write(tmp_path, "0010_a.sh\n")
    path.chmod(0o640)
    record(tmp_path, DONE)
    assert path.stat().st_mode & 0o777 == 0o640


def test_what_may_not_be_read_or_written_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).symlink_to("elsewhere")
    with pytest.raises(StateUnwritable, match="cannot be written: Too many levels"):
        HistoryFile(tmp_path)
    with public_directory() as directory:
        write(directory, "").chmod(0o600)
        with as_nobody(), pytest.raises(NotPermitted, match="may not be read by this user"):
            read_history(directory)


def test_a_record_that_the_disk_refuses_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path, "0010_a.sh\n")
    history = HistoryFile(tmp_path)
    (tmp_path / f".{FILE_NAME}.new").mkdir()
    with pytest.raises(StateUnwritable, match=r"0010_a.sh is done but cannot be recorded"):
        history.record(DONE)
    assert history.history.entries["0010_a.sh"].mark is Mark.DONE
    history.record(Entry("0020_b.sh"))
    history.close()
    assert path.read_text() == "0010_a.sh\n0020_b.sh\t\t\tstatus=done\n"
