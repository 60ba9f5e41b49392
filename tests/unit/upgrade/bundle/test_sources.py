# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and commands as a bundle reads them: both ends of what is long, and never a wait without end."""

import json
import os
from pathlib import Path

import pytest

from orchestrator.upgrade.bundle.sources import Commands, Source, Unavailable, guarded, read_file


def test_a_short_file_is_read_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(b"\xffone\ntwo")
    content = read_file(file, 100)
    assert (content.data, content.left_out) == (b"\xffone\ntwo", 0)


def test_of_a_long_file_whole_lines_of_both_ends_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    lines = [f"line {number:06}\n" for number in range(10_000)]
    file.write_text("".join(lines))
    content = read_file(file, 4096)
    head, mark, tail = content.data.decode().partition("[... ")
    assert head.splitlines(keepends=True) == lines[: head.count("\n")]
    left = tail.partition("\n")[2]
    assert left.splitlines(keepends=True) == lines[-left.count("\n") :]
    assert len(head) + len(left) + content.left_out == file.stat().st_size
    assert len(content.data) < 4096 + 100
    assert mark
    assert tail.startswith(f"{content.left_out} bytes")


def test_the_mark_in_json_lines_is_one(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"a": 1}\n' * 1000)
    content = read_file(file, 1000)
    documents = [json.loads(line) for line in content.data.splitlines()]
    assert {"left_out": content.left_out} in documents


def test_one_endless_line_is_cut_as_well(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(b"x" * 100_000)
    content = read_file(file, 4096)
    assert content.left_out == 100_000 - 4096
    assert content.data.count(b"x") == 4096


def test_a_pipe_is_no_file_and_keeps_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unavailable, match="no regular file"):
        read_file(tmp_path / "pipe")


def read(commands: Commands, *argv: str) -> str:
    try:
        content = commands.source("x.txt", "x", argv).read()
    except Unavailable as error:
        return f"not: {error}"
    return f"{content.data.decode()}({content.remark})"


def test_a_command_that_fails_tells_what_it_can() -> None:
    commands = Commands()
    assert read(commands, "sh", "-c", "echo a") == "a\n()"
    assert read(commands, "sh", "-c", "echo a; exit 3") == "a\n(exit status 3)"
    assert read(commands, "sh", "-c", "echo why >&2; exit 3") == "not: why"
    assert read(commands, "true") == "not: it says nothing"
    assert read(commands, "no-such-program") == "not: no-such-program: command not found"


def test_a_program_that_hangs_is_given_up() -> None:
    commands = Commands(seconds=0.1)
    assert read(commands, "sh", "-c", "echo a; sleep 60") == "a\n(cut off after 0.1 s)"
    assert read(commands, "sh", "-c", "sleep 60") == "not: no end within 0.1 s"
    assert read(commands, "sh", "-c", "echo a") == "not: sh does not answer"
    assert read(commands, "echo", "a") == "a\n()"


def test_what_goes_wrong_while_sources_are_found_is_one_that_cannot_be_read() -> None:
    def sources() -> "list[Source]":
        raise PermissionError(13, "Permission denied")

    def lazily() -> "object":
        yield from sources()

    (only,) = guarded("run", "the run", lazily())  # type: ignore[arg-type]
    with pytest.raises(Unavailable, match="Permission denied"):
        only.read()
