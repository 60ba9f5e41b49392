# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that print a flood, or what harms a terminal, that close their output, leave daemons, or are killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support.product import Product
from tests.support.stack import wait_for, wait_for_step
from tests.support.terminal import at_terminal

MEGABYTE = 1 << 20
FLOOD = 200 * MEGABYTE
# Lines of text with bytes of every value in between.
PRINT_FLOOD = f"""{sys.executable} -S -c 'import os
line = bytes(range(256)) + b"x" * 200 + bytes([10])
piece = line * 2048
left = {FLOOD}
while left > 0: left -= os.write(1, piece)'"""
EVIL = r"printf '\033[2J\033[?25l\033]0;title\007\033[?1049h\016\007\233\r\b\177end\n'"


# Runs the command behind it, and leaves the most memory it had in a file. What wait4 tells of a process is at least
# what its parent had, which is whatever other tests made of it.
MEASURED = """
import atexit, runpy, sys
from pathlib import Path
peak = Path(sys.argv[1])
def leave():
    lines = Path("/proc/self/status").read_text().splitlines()
    peak.write_text(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))
atexit.register(leave)
sys.argv = sys.argv[4:]
runpy.run_module("orchestrator", run_name="__main__", alter_sys=True)
"""


def measured(product: Product) -> list[str]:
    """A wrapper around the command."""
    return [sys.executable, "-c", MEASURED, str(product.directory / "peak")]


def most_memory(product: Product) -> int:
    """Of the command that was measured, in bytes."""
    return int((product.directory / "peak").read_text()) * 1024


@pytest.mark.parametrize("output", ["json", "rich", "plain"])
def test_a_flood_of_output_costs_neither_memory_nor_much_time(product: Product, output: str) -> None:
    size = FLOOD if output != "plain" else FLOOD // 8  # all of which is shown
    product.step("upgrade/0010_a.sh", PRINT_FLOOD.replace(str(FLOOD), str(size)))
    began = time.monotonic()
    with (product.directory / "out").open("wb") as out:
        run = subprocess.Popen(
            [*measured(product), *product.argv("upgrade", "-y", "-o", output)],
            env=product.environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            text=True,
        )
        assert run.wait() == 0
    assert most_memory(product) < 100 * MEGABYTE
    assert time.monotonic() - began < 30
    log = next((product.state / "runs").glob("*/steps/upgrade/0010_a.sh.attempt-1.log"))
    assert log.stat().st_size >= size, "the log has all of it"


def test_a_line_without_end_costs_no_memory(product: Product) -> None:
    product.step("upgrade/0010_a.sh", f"head -c {30 * MEGABYTE} /dev/zero | tr '\\0' x")
    with product.start("upgrade", "-y", "-o", "plain", wrapper=measured(product)) as run:
        assert run.stdout is not None
        longest = max(len(line) for line in run.stdout)
        assert run.wait() == 0
    assert longest < 10_000
    assert most_memory(product) < 100 * MEGABYTE


@pytest.mark.parametrize("words", [["-o", "plain"], ["-o", "rich"], ["-v"]])
def test_what_a_step_prints_does_not_act_on_the_terminal(product: Product, words: list[str]) -> None:
    product.step("upgrade/0010_a.sh", f"{EVIL}; sleep 0.4; exit 1")
    with at_terminal(product.argv("upgrade", "-y", *words), product.environment()) as screen:
        assert screen.wait() == 1
    for harm in (b"\x1b[2J", b"\x1b]0;", b"\x1b[?1049h", b"\x0e", b"\x07", b"\x9b", b"\x7f"):
        assert harm not in screen.data.replace("\u00ff".encode(), b""), harm
    assert screen.data.count(b"\x1b[?25l") == screen.data.count(b"\x1b[?25h"), "the cursor is there again"
    assert "end" in screen.text


def test_names_and_texts_of_scripts_do_not_act_on_the_terminal_either(product: Product) -> None:
    path = product.step("upgrade/0010_a.sh")
    path.write_text(path.read_text().replace("Step 0010", "Step \x1b[2J\x07 0010"))
    with at_terminal(product.argv("plan"), product.environment()) as screen:
        assert screen.wait() == 78
        assert "control characters" in screen.text
    assert b"\x1b[2J" not in screen.data
    assert b"\x07" not in screen.data


def test_a_step_may_close_its_output(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "exec >&- 2>&-; sleep 0.3; touch /nonexistent/x; exit 0")
    product.step("upgrade/0020_b.sh", "exec >&- 2>&-; exit 9")
    outcome = product.run("upgrade", "-y").expect(1)
    assert "upgrade/0020_b.sh failed: exit status 9" in outcome.err
    assert product.history() == {"0010_a.sh": "done"}


def test_a_daemon_that_a_step_leaves_is_reported_and_not_waited_for(product: Product) -> None:
    pid_file = product.directory / "daemon.pid"
    # Twice away from the step, in a session of its own, with the step's output still open.
    product.step("upgrade/0010_a.sh", f"setsid sh -c 'echo $$ >{pid_file}; exec sleep 120' &\nsleep 0.3")
    product.step("upgrade/0020_b.sh")
    began = time.monotonic()
    outcome = product.run("upgrade", "-y").expect(0)
    assert time.monotonic() - began < 15
    pid = int(pid_file.read_text())
    assert f"upgrade/0010_a.sh left running: {pid} (sleep 120)" in outcome.out
    assert psutil.pid_exists(pid), "it is not ours to end"
    assert "left running" not in outcome.out.partition("0020_b.sh")[2].partition("left running")[2]


def test_children_that_end_at_once_are_not_reported(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "sleep 0.05 &")
    assert "left running" not in product.run("upgrade", "-y").expect(0).out


# Kills ----------------------------------------------------------------------------------------------------


def step_process(product: Product) -> psutil.Process:
    """The main process of the running step."""
    for process in psutil.process_iter(["environ"]):
        environment = process.info["environ"] or {}
        own = environment.get("ORCHESTRATOR_STATE_DIR") == str(product.state)
        if own and os.getsid(process.pid) == process.pid:
            return process
    raise ValueError("no step runs")


def test_a_killed_step_has_failed(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "sleep 60 & wait")
    run = product.start("upgrade", "-y")
    wait_for_step(product, "0010")
    step_process(product).kill()
    out, err = run.communicate(timeout=20)
    assert run.returncode == 1
    assert "killed by SIGKILL" in err
    assert "left running" in out, "its child goes on"
    assert product.history() == {}


def test_the_program_between_us_and_a_step_may_be_killed(product: Product) -> None:
    go = product.directory / "go"
    product.step(
        "upgrade/0010_a.sh", f"while [ ! -e {go} ]; do sleep 0.05; done; echo 0010-end >>{product.trace}"
    )
    product.step("upgrade/0020_b.sh")
    run = product.start("upgrade", "-y")
    wait_for_step(product, "0010")
    parent = step_process(product).parent()
    assert parent is not None
    assert parent.pid != run.pid
    parent.kill()
    time.sleep(0.4)
    assert run.poll() is None, "the step goes on, and its end is waited for"
    go.touch()
    _, err = run.communicate(timeout=20)
    assert run.returncode == 1
    assert "nobody saw how it ended" in err
    assert product.ran() == ["0010", "0010-end"]
    assert product.history() == {}, "what is not known is not taken for a success"
    product.run("upgrade", "-y").expect(0)
    assert product.history() == {"0010_a.sh": "done", "0020_b.sh": "done"}


def test_killed_together_with_us_it_leaves_a_step_whose_end_is_waited_for(product: Product) -> None:
    go = product.directory / "go"
    product.step(
        "upgrade/0010_a.sh", f"while [ ! -e {go} ]; do sleep 0.05; done; echo 0010-end >>{product.trace}"
    )
    run = product.start("upgrade", "-y")
    wait_for_step(product, "0010")
    parent = step_process(product).parent()
    run.kill()
    assert parent is not None
    parent.kill()
    run.communicate()
    second = product.start("upgrade", "-y")
    wait_for(lambda: "still runs" in str(product.journal()[-1]), "the step is waited for")
    go.touch()
    second.communicate(timeout=20)
    assert product.ran()[:2] == ["0010", "0010-end"], "it was not doubled while it ran"
    product.run("upgrade", "-y")
    assert product.history() == {"0010_a.sh": "done"}


def test_a_step_that_kills_the_orchestrator_is_adopted(product: Product) -> None:
    kill = "kill -9 $(cut -d' ' -f4 /proc/$PPID/stat)"  # the parent of its parent
    product.step("upgrade/0010_a.sh", f"{kill}; sleep 0.5")
    product.step("upgrade/0020_b.sh")
    assert product.run("upgrade", "-y").code == -9
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0010", "0020"]


def test_a_step_that_stops_itself_can_be_ended(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "kill -STOP $$", "#timeout: 0.5s")
    run = product.start("upgrade", "-y")
    wait_for(lambda: "over its time limit" in str(product.journal()[-1]), "its time is over")
    process = step_process(product)
    wait_for(lambda: is_told_to_end(process), "it is told to end")
    process.resume()
    run.communicate(timeout=20)
    assert run.returncode == 1


def is_told_to_end(process: psutil.Process) -> bool:
    """Whether SIGTERM waits for a process that is stopped."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    waiting = [
        int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigPnd", "ShdPnd"))
    ]
    return any(signals & 1 << (signal.SIGTERM - 1) for signals in waiting)


def test_scripts_with_windows_line_ends_are_an_error_of_the_plan(product: Product) -> None:
    path: Path = product.step("upgrade/0010_a.sh")
    path.write_text(path.read_text().replace("\n", "\r\n"), newline="")
    assert "DOS line ends" in product.run("upgrade", "-y").expect(78).err
