# SPDX-License-Identifier: GPL-3.0-or-later
"""The step shim: ends of every kind, what it leaves on record, and what a killed runner leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.host import files, shimmed
from orchestrator.host import shim as shim_program
from orchestrator.host.facts import ProcessId, boot_id, is_running
from orchestrator.host.processes import clean_environment
from orchestrator.host.shimmed import Ending, Record, Shim, read_record
from tests.support.disks import small_disk


@dataclass
class Bench:
    """A shim with a directory for its files."""

    directory: Path
    shim: Shim

    @property
    def log(self) -> Path:
        return self.directory / "log"

    @property
    def record(self) -> Path:
        return self.directory / "record"

    def start(self, *argv: str, env: dict[str, str] | None = None) -> ProcessId | Ending:
        return self.shim.start(argv, env=clean_environment(env), log=self.log, record=self.record)

    def started(self, *argv: str) -> ProcessId:
        process = self.start(*argv)
        assert isinstance(process, ProcessId), process
        return process

    def end(self) -> Ending:
        while (ending := self.shim.poll(5)) is None:
            pass
        return ending

    def run(self, *argv: str, env: dict[str, str] | None = None) -> Ending:
        started = self.start(*argv, env=env)
        return started if isinstance(started, Ending) else self.end()

    def sh(self, script: str) -> Ending:
        return self.run("/bin/sh", "-c", script)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    shim = Shim(tmp_path / "shim.lock")
    yield Bench(tmp_path, shim)
    shim.close()


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until, "it does not come true"
        time.sleep(0.005)


# Ends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 1, 75, 77, 127, 128, 255])
def test_the_exit_status_is_told_and_on_record(bench: Bench, status: int) -> None:
    ending = bench.sh(f"exit {status}")
    assert (ending.exit, ending.signal, ending.left, ending.error, ending.known) == (
        status,
        None,
        (),
        "",
        True,
    )
    assert read_record(bench.record).ending.exit == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGRTMIN + 3])
def test_a_signal_is_told_and_on_record(bench: Bench, number: int) -> None:
    ending = bench.sh(f"kill -{int(number)} $$")
    assert (ending.exit, ending.signal) == (None, number)
    assert read_record(bench.record).ending.signal == number


@pytest.mark.parametrize(
    ("first", "mode", "told"),
    [
        ("#!/no/such/interpreter", 0o755, "No such file or directory"),
        ("#!/bin/sh", 0o644, "Permission denied"),
        ("no interpreter", 0o755, "Exec format error"),
        (None, 0o755, "No such file or directory"),
    ],
)
def test_what_cannot_be_started_is_told_and_the_next_can(
    bench: Bench, first: str | None, mode: int, told: str
) -> None:
    program = bench.directory / "program"
    if first is not None:
        program.write_text(f"{first}\n")
        program.chmod(mode)
    assert bench.run(str(program)) == Ending(error=told)
    assert read_record(bench.record) == Record(None, None, "", Ending())
    assert bench.sh("exit 3").exit == 3


def test_a_zero_byte_in_a_request_does_not_kill_it(bench: Bench) -> None:
    assert "null" in bench.run("/bin/true", env={"A": "x\0y"}).error
    assert bench.sh("exit 3").exit == 3


def test_a_log_or_a_record_that_cannot_be_made_is_told(bench: Bench) -> None:
    bench.log.mkdir()
    assert bench.sh("exit 0").error == "Is a directory"
    bench.log.rmdir()
    bench.record.unlink()
    bench.record.mkdir()
    assert bench.sh("exit 0").error == "Is a directory"
    bench.record.rmdir()
    assert bench.sh("exit 3").exit == 3


def test_time_is_measured(bench: Bench) -> None:
    assert 0.2 <= bench.sh("sleep 0.2").seconds < 2


def test_it_still_runs_until_it_ends(bench: Bench) -> None:
    bench.started("/bin/sh", "-c", "sleep 0.3")
    assert bench.shim.poll(0.05) is None
    assert bench.shim.poll(0) is None
    assert bench.end().exit == 0


# Surroundings ---------------------------------------------------------------------------------------------


def test_a_command_has_no_input_a_session_of_its_own_and_only_its_own_files(bench: Bench) -> None:
    script = "cat; echo $(readlink /proc/self/fd/0) $(ls /proc/self/fd | wc -l) $(pwd) $(umask); ps -o sid= -p $$; echo $$"
    assert bench.sh(script).exit == 0
    first, session, pid = bench.log.read_text().splitlines()
    assert first == "/dev/null 4 / 0022"
    assert session.strip() == pid


def test_what_it_writes_is_added_to_its_log_in_order(bench: Bench) -> None:
    bench.log.write_text("before\n")
    bench.sh("echo out; echo err >&2; printf '\\377\\000'")
    assert bench.log.read_bytes() == b"before\nout\nerr\n\xff\x00"


def test_its_environment_is_what_was_asked_for_and_nothing_else(bench: Bench) -> None:
    shim_environment = {"A": "1", "B": "x=y z\n\u20ac", "C": "\udcff"}
    started = bench.shim.start(
        ["/usr/bin/env", "-0"], env=shim_environment, log=bench.log, record=bench.record
    )
    assert isinstance(started, ProcessId)
    assert bench.end().exit == 0
    assert bench.log.read_bytes() == "A=1\0B=x=y z\n\u20ac\0".encode() + b"C=\xff\0"


def test_a_very_long_request_goes_through(bench: Bench) -> None:
    value = "x" * 100_000
    assert bench.run("/bin/sh", "-c", "test ${#A} = 100000", env={"A": value}).exit == 0


def test_signals_have_their_usual_meaning(bench: Bench) -> None:
    assert bench.sh("grep SigIgn /proc/self/status; grep SigBlk /proc/self/status").exit == 0
    ignored, blocked = (int(line.split()[1], 16) for line in bench.log.read_text().splitlines())
    usual = (1 << 31) - 1
    assert (ignored & usual, blocked & usual) == (0, 0)


# What it leaves -------------------------------------------------------------------------------------------


def test_processes_left_behind_are_named_once(bench: Bench) -> None:
    ending = bench.sh("sleep 60 & setsid sleep 61 & (sleep 0.01 &) ; exit 0")
    assert ending.exit == 0
    left = set(ending.left)
    assert len([pid for pid in left if Path(f"/proc/{pid}").exists()]) >= 2
    again = bench.sh("sleep 62 & exit 0")
    assert len(again.left) == 1
    assert not set(again.left) & left
    assert bench.sh("exit 0").left == ()
    for pid in (*left, *again.left):
        subprocess.run(["kill", "-9", str(pid)], check=False, stderr=subprocess.DEVNULL)


def test_its_end_is_not_that_of_what_keeps_its_output_open(bench: Bench) -> None:
    began = time.monotonic()
    ending = bench.sh("sleep 60 & exit 5")
    assert ending.exit == 5
    assert time.monotonic() - began < 5
    os.kill(ending.left[0], signal.SIGKILL)


def test_the_dead_of_earlier_commands_are_buried(bench: Bench) -> None:
    for _ in range(3):
        bench.sh("(sleep 0.01 &) ; exit 0")
    wait_for(lambda: bench.sh("exit 0").exit == 0 and not zombies_of(bench))


def zombies_of(bench: Bench) -> list[str]:
    assert bench.shim._process is not None
    pid = bench.shim._process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [child for child in children if is_zombie(int(child))]


def is_zombie(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_the_record_tells_who_runs_before_anybody_else_does(bench: Bench) -> None:
    process = bench.started("/bin/sleep", "60")
    record = read_record(bench.record)
    assert (record.pid, record.started, record.boot) == (process.pid, process.started, boot_id())
    assert not record.ending.known
    os.kill(process.pid, signal.SIGKILL)
    assert bench.end().signal == signal.SIGKILL
    after = read_record(bench.record)
    assert (after.pid, after.ending.signal) == (process.pid, signal.SIGKILL)


def test_a_record_of_an_earlier_attempt_does_not_shine_through(bench: Bench) -> None:
    bench.sh("exit 9")
    process = bench.started("/bin/sleep", "60")
    assert not read_record(bench.record).ending.known
    os.kill(process.pid, signal.SIGKILL)
    bench.end()


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "5", "\0" * 256, " " * 255 + "\n", "{}"])
def test_a_record_that_a_power_cut_took_is_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "record").write_text(text)
    assert read_record(tmp_path / "record") == Record(None, None, "", Ending())
    assert read_record(tmp_path / "none") == Record(None, None, "", Ending())


def test_the_record_fits_its_block_whatever_the_numbers() -> None:
    widest = {
        "pid": 1 << 22,
        "started": (1 << 64) - 1,
        "boot": "f" * 36,
        "signal": 255,
        "seconds": 1234567890.123456,
    }
    assert len(json.dumps(widest)) < 255


def test_a_disk_that_is_full_at_the_end_does_not_cost_the_status(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        shim = Shim(disk / "shim.lock")
        bench = Bench(disk, shim)
        ending = bench.sh(f"cat /dev/zero >{disk}/filler; exit 7")
        assert ending.exit == 7
        assert read_record(bench.record).ending.exit == 7
        shim.close()


# Who dies first -------------------------------------------------------------------------------------------

RUNNER = """
import sys
from pathlib import Path
from orchestrator.host.processes import clean_environment
from orchestrator.host.shimmed import Shim
directory = Path(sys.argv[1])
shim = Shim(directory / "shim.lock")
run_lock = open(directory / "run.lock", "w")
import fcntl
fcntl.flock(run_lock, fcntl.LOCK_EX)
argv = ["/bin/sh", "-c", sys.argv[2]]
process = shim.start(argv, env=clean_environment(), log=directory / "log", record=directory / "record")
print(process.pid, flush=True)
sys.stdin.read()
"""


def killed_runner(directory: Path, script: str) -> int:
    """A runner that started `script` and was killed at once; the pid of the script."""
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(directory), script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert runner.stdout is not None
    pid = int(runner.stdout.readline())
    os.killpg(runner.pid, signal.SIGKILL)
    runner.communicate()
    return pid


def test_a_command_survives_its_runner_and_its_status_is_on_record_when_the_lock_is_free(
    tmp_path: Path,
) -> None:
    lock = tmp_path / "shim.lock"
    killed_runner(tmp_path, "echo begun; sleep 0.3; echo ended; exit 42")
    assert files.lock_is_held(lock)
    assert not files.lock_is_held(tmp_path / "run.lock"), "nothing of the runner's is inherited"
    assert not read_record(tmp_path / "record").ending.known
    wait_for(lambda: not files.lock_is_held(lock))
    assert read_record(tmp_path / "record").ending.exit == 42
    assert (tmp_path / "log").read_text() == "begun\nended\n"


def test_whoever_sees_the_lock_free_sees_the_status(tmp_path: Path) -> None:
    for attempt in range(5):
        directory = tmp_path / f"{attempt}"
        directory.mkdir()
        killed_runner(directory, "exit 42")
        while files.lock_is_held(directory / "shim.lock"):
            pass
        assert read_record(directory / "record").ending.exit == 42


def test_what_a_command_leaves_behind_does_not_keep_the_lock(tmp_path: Path) -> None:
    killed_runner(tmp_path, f"sleep 60 & echo $! >{tmp_path}/pid; exit 3")
    wait_for(lambda: not files.lock_is_held(tmp_path / "shim.lock"))
    left = int((tmp_path / "pid").read_text())
    assert read_record(tmp_path / "record").ending.exit == 3
    os.kill(left, signal.SIGKILL)


def test_a_command_survives_its_shim_and_its_end_is_then_unknown(bench: Bench) -> None:
    process = bench.started("/bin/sleep", "60")
    kill_shim(bench)
    assert bench.shim.poll(5) == Ending()
    assert is_running(process)
    assert not files.lock_is_held(bench.directory / "shim.lock")
    record = read_record(bench.record)
    assert (record.pid, record.ending.known) == (process.pid, False)
    os.kill(process.pid, signal.SIGKILL)


def kill_shim(bench: Bench) -> None:
    assert bench.shim._process is not None
    bench.shim._process.kill()
    bench.shim._process.wait()


def test_a_dead_shim_starts_nothing_and_says_so(bench: Bench) -> None:
    kill_shim(bench)
    assert bench.start("/bin/true") == Ending()
    assert not bench.record.exists()


def test_where_no_shim_can_be_had_no_command_starts_and_the_reason_is_told(tmp_path: Path) -> None:
    (tmp_path / "shim.lock").mkdir()
    shim = Shim(tmp_path / "shim.lock")
    ending = Bench(tmp_path, shim).start("/bin/true")
    assert isinstance(ending, Ending)
    assert ending.error.startswith("the step shim does not run: ")
    assert "Is a directory" in ending.error
    shim.close()


def test_it_leaves_at_once_when_it_is_let_go(tmp_path: Path) -> None:
    shim = Shim(tmp_path / "shim.lock")
    assert files.lock_is_held(tmp_path / "shim.lock")
    began = time.monotonic()
    shim.close()
    assert time.monotonic() - began < 0.9
    assert not files.lock_is_held(tmp_path / "shim.lock")


def test_it_works_with_closed_standard_streams(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "for number in (0, 1, 2): os.close(number)\n"
        "from pathlib import Path\n"
        "from orchestrator.host.streams import prepare_standard_streams\n"
        "prepare_standard_streams()\n"
        "from orchestrator.host.processes import clean_environment\n"
        "from orchestrator.host.shimmed import Shim\n"
        "d = Path(sys.argv[1])\n"
        "shim = Shim(d / 'lock')\n"
        "shim.start(['/bin/echo', 'hello'], env=clean_environment(), log=d / 'log', record=d / 'record')\n"
        "ending = shim.poll(5)\n"
        "shim.close()\n"
        "os._exit(ending.exit)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode == 0
    assert (tmp_path / "log").read_text() == "hello\n"


def test_a_new_one_starts_though_its_file_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shimmed.remember_shim()
    monkeypatch.setattr(shim_program, "__file__", str(tmp_path / "taken away"))
    shim = Shim(tmp_path / "shim.lock")
    try:
        assert Bench(tmp_path, shim).sh("exit 3").exit == 3
    finally:
        shim.close()
