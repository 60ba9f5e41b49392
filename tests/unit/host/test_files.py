# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that survive kills, full disks and each other: replacing, appending, locking, looking."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.host import files
from orchestrator.host.files import DurableLog, FileLock
from tests.support.disks import small_disk

KIB = 1024


def python(program: str, *words: object) -> "subprocess.Popen[str]":
    """Another process that runs `program` with the project's `files` at hand."""
    argv = [
        sys.executable,
        "-c",
        f"import sys\nfrom orchestrator.host import files\n{program}",
        *map(str, words),
    ]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


# Replacing ------------------------------------------------------------------------------------------------


def test_a_replaced_file_has_the_new_content_and_mode_and_leaves_nothing_else(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        files.replace_file(tmp_path / "a", b"one", mode=0o600)
        files.replace_file(tmp_path / "a", b"two" * 100_000, mode=0o640)
    finally:
        os.umask(before)
    assert (tmp_path / "a").read_bytes() == b"two" * 100_000
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["a"]


def test_what_a_killed_writer_left_does_not_disturb_the_next(tmp_path: Path) -> None:
    (tmp_path / ".a.new").write_bytes(b"half of something longer")
    files.replace_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


def test_whoever_reads_while_it_is_replaced_and_its_writer_is_killed_sees_a_whole_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a"
    contents = [letter * 200_000 for letter in "xyz"]
    path.write_text(contents[0])
    program = (
        "from pathlib import Path\n"
        "print('go', flush=True)\n"
        "while True:\n"
        "    for letter in b'xyz':\n"
        "        files.replace_file(Path(sys.argv[1]), bytes([letter]) * 200_000, durable=False)\n"
    )
    for _ in range(5):
        writer = python(program, path)
        assert first_line(writer) == "go"
        for _ in range(20):
            assert path.read_text() in contents
        end(writer)
        assert path.read_text() in contents


def test_a_full_disk_leaves_the_old_content_and_no_half_of_the_new(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        path = disk / "a"
        files.replace_file(path, b"old")
        with pytest.raises(OSError, match="No space left"):
            files.replace_file(path, b"new" * 64 * KIB)
        assert path.read_bytes() == b"old"
        assert os.listdir(disk) == ["a"]


def test_json_comes_back_and_what_is_torn_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "a.json"
    assert files.read_json(path) is None
    files.replace_json(path, {"a": [1, None, "\u20ac"]})
    assert files.read_json(path) == {"a": [1, None, "\u20ac"]}
    for torn in (b"", b"{", b"\xff", b"\0" * 10):
        path.write_bytes(torn)
        assert files.read_json(path) is None


def test_directories_are_made_with_their_parents_and_left_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c"
    files.make_directory(path, 0o700)
    files.make_directory(path, 0o755)
    assert path.stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_text("")
    for wrong in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NotADirectoryError):
            files.make_directory(wrong)


# Appending --------------------------------------------------------------------------------------------------


def append(path: Path, *lines: str, reserve: int = 0) -> None:
    log = DurableLog(path, reserve=reserve)
    for line in lines:
        log.append(line)
    log.close()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "one\ntwo\n"),
        ("", "one\ntwo\n"),
        ("zero\n", "zero\none\ntwo\n"),
        ("torn", "torn\none\ntwo\n"),
        ("whole\nto", "whole\nto\none\ntwo\n"),
    ],
)
@pytest.mark.parametrize("reserve", [0, 64 * KIB])
def test_lines_are_added_and_never_glued_to_a_torn_one(
    tmp_path: Path, before: str | None, after: str, reserve: int
) -> None:
    path = tmp_path / "log"
    if before is not None:
        path.write_text(before)
    append(path, "one", "two", reserve=reserve)
    assert path.read_text() == after


def test_a_link_in_the_place_of_the_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="Too many levels"):
        DurableLog(tmp_path / "log")
    assert not (tmp_path / "elsewhere").exists()


def test_it_knows_whether_its_name_still_leads_to_it(tmp_path: Path) -> None:
    log = DurableLog(tmp_path / "log")
    assert log.in_place
    (tmp_path / "log").rename(tmp_path / "moved")
    assert not log.in_place
    (tmp_path / "log").write_text("another")
    assert not log.in_place
    log.close()


def free(disk: Path) -> int:
    status = os.statvfs(disk)
    return status.f_bfree * status.f_bsize


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as stream:
        stream.write(b"x" * free(disk))
    assert free(disk) == 0


def test_a_full_disk_refuses_a_line_whole_and_takes_it_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        log = DurableLog(disk / "log")
        log.append("first")
        fill(disk)
        with pytest.raises(OSError, match="No space left"):
            log.append("x" * 10 * KIB)
        assert (disk / "log").read_text() == "first\n", "nothing of it was written"
        (disk / "filler").unlink()
        log.append("second")
        log.close()
        assert (disk / "log").read_text() == "first\nsecond\n"


def test_a_line_after_a_torn_one_that_was_refused_is_still_not_glued_to_it(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        (disk / "log").write_text("torn")
        log = DurableLog(disk / "log")
        fill(disk)
        with pytest.raises(OSError, match="No space left"):
            log.append("x" * 10 * KIB)
        (disk / "filler").unlink()
        log.append("after")
        log.close()
        assert (disk / "log").read_text() == "torn\nafter\n"


def test_what_was_reserved_can_be_written_on_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "256k") as disk:
        log = DurableLog(disk / "log", reserve=64 * KIB)
        assert (disk / "log").stat().st_size == 0
        fill(disk)
        for number in range(60):
            log.append(f"{number:02} " + "x" * (KIB - 4))
        with pytest.raises(OSError, match="No space left"):
            log.append("x" * 16 * KIB)
        log.close()
        lines = (disk / "log").read_text().splitlines()
        assert [int(line[:2]) for line in lines] == list(range(60))


def test_the_reserve_is_renewed_while_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "512k") as disk:
        log = DurableLog(disk / "log", reserve=64 * KIB)
        for _ in range(100):
            log.append("x" * (KIB - 1))
        fill(disk)
        for _ in range(32):
            log.append("y" * (KIB - 1))
        log.close()


def test_what_was_reserved_and_not_used_is_given_back(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "256k") as disk:
        before = free(disk)
        append(disk / "log", "line", reserve=64 * KIB)
        assert before - free(disk) <= 8 * KIB
        assert (disk / "log").read_text() == "line\n"


def test_without_room_for_the_reserve_it_is_not_opened(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        descriptors = len(os.listdir("/proc/self/fd"))
        with pytest.raises(OSError, match="No space left"):
            DurableLog(disk / "log", reserve=128 * KIB)
        assert len(os.listdir("/proc/self/fd")) == descriptors


def test_a_reserve_beyond_32_bits_is_understood(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk, pytest.raises(OSError, match="No space left"):
        DurableLog(disk / "log", reserve=(1 << 32) + 4096)


def test_lines_are_whole_when_their_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    program = (
        "from pathlib import Path\n"
        "log = files.DurableLog(Path(sys.argv[1]), reserve=65536)\n"
        "print('go', flush=True)\n"
        "while True: log.append('x' * 500)\n"
    )
    for _ in range(3):
        writer = python(program, path)
        assert first_line(writer) == "go"
        time.sleep(0.02)
        end(writer)
    append(path, "last")
    lines = path.read_text().splitlines()
    assert lines[-1] == "last"
    assert {len(line) for line in lines[:-1]} <= {500}


# Locking ----------------------------------------------------------------------------------------------------

HOLD = (
    "from pathlib import Path\n"
    "lock = files.FileLock(Path(sys.argv[1]))\n"
    "print(lock.try_acquire(), flush=True)\n"
    "lock.describe({'pid': 5, 'text': 'x' * int(sys.argv[2])})\n"
    "print('described', flush=True)\n"
    "sys.stdin.read()\n"
)


def test_a_lock_is_held_against_other_processes_and_dies_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not files.lock_is_held(path)
    assert not path.exists(), "looking creates nothing"
    holder = python(HOLD, path, 1)
    assert first_line(holder) == "True"
    assert files.lock_is_held(path)
    assert not FileLock(path).try_acquire()
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert not files.lock_is_held(path)
    with FileLock(path) as mine:
        assert mine.try_acquire()
        assert files.lock_is_held(path)
    assert not files.lock_is_held(path)


def test_a_lock_is_held_against_other_descriptors_of_this_process(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.try_acquire()
    assert not second.try_acquire()
    second.release()
    assert files.lock_is_held(tmp_path / "lock"), "who does not hold it cannot release it"
    first.release()
    first.release()
    assert second.try_acquire()
    second.release()


def test_a_lock_is_not_inherited(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    assert lock.try_acquire()
    child = subprocess.Popen(["sleep", "60"])
    lock.release()
    assert not files.lock_is_held(tmp_path / "lock")
    child.kill()
    child.wait()


def test_the_file_tells_of_the_holder_and_of_nobody_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = FileLock(path)
    assert lock.try_acquire()
    lock.describe({"pid": 1, "step": "a long name of a step"})
    lock.describe({"pid": 1})
    assert files.read_json(path) == {"pid": 1}
    lock.release()
    assert files.read_json(path) is None


def test_a_full_disk_costs_the_description_not_the_lock(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        lock = FileLock(disk / "lock")
        assert lock.try_acquire()
        fill(disk)
        lock.describe({"pid": 1})
        assert files.lock_is_held(disk / "lock")
        lock.release()


def test_a_link_in_the_place_of_the_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="Too many levels"):
        FileLock(tmp_path / "lock").try_acquire()


# Looking ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "count", "lines"),
    [
        (b"", 5, []),
        (b"a\nb\nc\n", 2, ["b", "c"]),
        (b"a\nb", 5, ["a", "b"]),
        (b"\xff\n", 1, ["\ufffd"]),
        (b"x" * 100 + b"\nlast\n", 2, ["x" * 27, "last"]),
    ],
)
def test_the_last_lines_of_a_file_are_found_without_reading_all_of_it(
    tmp_path: Path, text: bytes, count: int, lines: list[str]
) -> None:
    (tmp_path / "log").write_bytes(text)
    assert files.last_lines(tmp_path / "log", count, most=33) == lines


def test_there_are_no_last_lines_of_what_cannot_be_read(tmp_path: Path) -> None:
    assert files.last_lines(tmp_path / "none", 5) == []
    assert files.last_lines(tmp_path, 5) == []


def test_what_was_added_to_a_file_is_read_from_there(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert files.read_new_bytes(path, 0, 10) == b""
    path.write_bytes(b"0123456789")
    assert files.read_new_bytes(path, 3, 4) == b"3456"
    assert files.read_new_bytes(path, 8, 10) == b"89"
    assert files.read_new_bytes(path, 20, 10) == b""
