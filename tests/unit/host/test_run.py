# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a command to its end: what is told of it, and what it cannot do to us."""

import time
from pathlib import Path

import pytest

from orchestrator.host.processes import COMMAND_NOT_FOUND, TIMED_OUT, run


def shell(script: str, timeout: float = 30.0) -> tuple[int, str, str]:
    done = run(["/bin/sh", "-c", script], timeout=timeout)
    return done.exit_code, done.stdout, done.stderr


def test_output_and_status_are_told_apart() -> None:
    assert shell("echo out; echo err >&2; exit 3") == (3, "out\n", "err\n")
    assert shell("printf '\\377\\n'") == (0, "\ufffd\n", "")


def test_a_signal_is_a_negative_status() -> None:
    assert shell("kill -KILL $$")[0] == -9


@pytest.mark.parametrize("program", ["/no/such/program", "no-such-program", "/etc/passwd"])
def test_what_cannot_be_started_is_told_not_raised(program: str) -> None:
    done = run([program])
    assert done.exit_code == COMMAND_NOT_FOUND
    assert done.last_words() == f"{program}: command not found"


def test_its_end_is_waited_for_and_not_that_of_a_daemon_with_its_output() -> None:
    began = time.monotonic()
    assert shell("sleep 600 & echo started $!")[1].startswith("started")
    assert time.monotonic() - began < 1


def test_it_is_killed_with_its_children_when_its_time_is_over(tmp_path: Path) -> None:
    began = time.monotonic()
    code, out, err = shell(f"echo before; (sleep 1; echo late > {tmp_path}/late) & sleep 600", timeout=0.2)
    assert (code, out, err) == (TIMED_OUT, "before\n", "no end within 0.2 s")
    assert time.monotonic() - began < 1


def test_it_reads_nothing_from_our_input() -> None:
    assert shell("cat") == (0, "", "")


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_what_it_is_given_is_on_its_input(size: int) -> None:
    assert run(["/usr/bin/wc", "-c"], stdin=b"x" * size).stdout == f"{size}\n"


def test_it_need_not_read_its_input() -> None:
    assert run(["/bin/true"], stdin=b"x" * (1 << 20)).ok


def test_with_a_log_its_output_is_appended_there(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("first\n")
    done = run(["/bin/sh", "-c", "echo out; echo err >&2; (sleep 0.2; echo later) & exit 1"], log=log)
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", "")
    assert log.read_text() == "first\nout\nerr\n"
    time.sleep(0.4)
    assert log.read_text().endswith("later\n"), "what it left behind can still write"


def test_signals_have_their_usual_meaning_so_that_a_daemon_it_starts_can_trap_them() -> None:
    _, out, _ = shell("grep -E 'SigIgn|SigBlk' /proc/self/status")
    # 32 and 33 are the C library's own, blocked for a moment wherever a thread begins.
    usual = (1 << 31) - 1
    assert [int(line.split()[1], 16) & usual for line in out.splitlines()] == [0, 0]
    assert shell("trap 'echo heard' HUP; kill -HUP $$; echo on")[1] == "heard\non\n"
