# SPDX-License-Identifier: GPL-3.0-or-later
"""`attach`: the view of a run from another shell, which cannot harm it, and ends as it ends."""

import json
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.nobody import without_power
from tests.support.product import Outcome, Product
from tests.support.stack import Stack, wait_for, wait_for_step
from tests.support.terminal import INTERRUPT, at_terminal
from tests.support.tmux import on_screen

BAR = "\N{BOX DRAWINGS HEAVY HORIZONTAL}" * 12


@pytest.fixture
def running(product: Product) -> Iterator[subprocess.Popen[str]]:
    """An upgrade in the middle of its first step, which goes on when the file `go` appears."""
    body = f"echo one; echo two; while [ ! -e {product.directory}/go ]; do sleep 0.05; done; echo three"
    product.step("upgrade/0010_a.sh", body)
    product.step("upgrade/3010_b.sh", "echo four")
    run = product.start("upgrade", "-y", "-o", "json")
    wait_for_step(product, "0010")
    yield run
    if run.poll() is None:
        run.kill()
    if run.stdout and not run.stdout.closed:
        run.communicate()


def go(product: Product) -> None:
    (product.directory / "go").touch()


class Watcher:
    """`attach`, which has said something already; what it says goes to files."""

    def __init__(self, product: Product, *words: str) -> None:
        self._out, self._err = product.directory / "watcher.out", product.directory / "watcher.err"
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(
                product.argv("attach", *words),
                env=product.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        wait_for(lambda: self._out.stat().st_size + self._err.stat().st_size > 0, "it says something")

    def end(self) -> Outcome:
        try:
            return Outcome(self.process.wait(30), self._out.read_text(), self._err.read_text())
        finally:
            self.process.kill()
            self.process.wait()


def test_without_a_terminal_it_has_the_lines_of_the_run(
    product: Product, running: subprocess.Popen[str]
) -> None:
    watcher = Watcher(product)
    go(product)
    outcome = watcher.end().expect(0)
    lines = outcome.out.splitlines()
    assert lines[0].startswith("Run 0001-")
    for line in ("Phase backends-down", "  run    upgrade/0010_a.sh", "0010_a.sh: one"):
        assert any(one.startswith(line) for one in lines), line
    assert lines.index("0010_a.sh: two") < lines.index("0010_a.sh: three") < lines.index("3010_b.sh: four")
    assert lines[-1] == "Upgrade done."
    assert running.wait(10) == 0


def test_as_json_it_has_the_journals_events(product: Product, running: subprocess.Popen[str]) -> None:
    watcher = Watcher(product, "-o", "json")
    go(product)
    outcome = watcher.end().expect(0)
    assert outcome.events() == product.journal()
    assert running.wait(10) == 0


def test_its_status_is_that_of_the_run(product: Product, running: subprocess.Popen[str]) -> None:
    product.step("upgrade/3010_b.sh", "echo no; exit 3")
    watcher = Watcher(product)
    go(product)
    outcome = watcher.end().expect(1)
    assert "The run stopped in phase backends-up" in outcome.out
    assert "upgrade/3010_b.sh failed: exit status 3" in outcome.err
    assert running.wait(10) == 1
    again = product.run("attach").expect(1)
    assert "is unfinished, stopped in phase backends-up" in again.out
    assert json.loads(product.run("attach", "-o", "json").expect(1).out)["event"] == "run-stopped"


def test_when_the_run_has_ended_it_says_how(product: Product) -> None:
    assert "No upgrade has run yet." in product.run("attach").expect(0).out
    product.step("upgrade/0010_a.sh", "exit 1", "#on-failure: continue")
    product.run("upgrade", "-y").expect(3)
    assert "done-with-failures" in product.run("attach").expect(3).out


def test_a_runner_that_dies_is_told_with_what_goes_on(
    product: Product, running: subprocess.Popen[str]
) -> None:
    watcher = Watcher(product)
    running.kill()
    running.communicate()
    outcome = watcher.end().expect(1)
    assert "died without a word" in outcome.err
    assert f"continue with: orchestrator upgrade --config {product.file}" in outcome.err
    assert "died without a word" in product.run("attach").expect(1).out
    go(product)
    product.run("upgrade", "-y").expect(0)


def test_a_run_that_is_continued_is_followed_from_there_with_the_step_that_still_ran(
    product: Product, running: subprocess.Popen[str]
) -> None:
    running.kill()
    running.communicate()
    second = product.start("upgrade", "-y", "-o", "json")
    wait_for(
        lambda: any(e["event"] == "note" and "still runs" in e["text"] for e in product.journal()), "adopted"
    )
    watcher = Watcher(product)
    go(product)
    out = watcher.end().expect(0).out
    assert out.splitlines()[0].endswith("continues, to version 2.0: 2 steps to do")
    assert "0010_a.sh: three" in out
    assert second.wait(10) == 0
    second.communicate()


def test_it_waits_for_a_run_that_is_about_to_begin(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "sleep 0.3")
    with at_terminal(product.argv("upgrade"), product.environment()) as screen:
        screen.expect("Go on?")
        watcher = Watcher(product)
        assert watcher.process.poll() is None
        screen.type("y\n")
        assert screen.wait() == 0
    outcome = watcher.end().expect(0)
    assert "Waiting for orchestrator upgrade (pid " in outcome.err
    assert "Upgrade done" in outcome.out


def test_another_holder_of_the_lock_is_no_run(stack: Stack) -> None:
    stack.config["services"]["web"] |= {"command": ["/bin/sleep", "100"], "ready_timeout": "3s"}
    stack.save()
    starting = stack.start("services", "start")
    wait_for(lambda: "orchestrator services start (pid " in stack.run("status").out, "the lock is held")
    assert "orchestrator services start (pid " in stack.run("attach").expect(0).out
    starting.kill()
    starting.communicate()


def test_somebody_without_permission_is_told_so(product: Product, running: subprocess.Popen[str]) -> None:
    journal = next((product.state / "runs").iterdir()) / "journal.jsonl"
    before = journal.stat().st_mode
    journal.chmod(0)
    outcome = product.run("attach", wrapper=without_power())
    journal.chmod(before)
    assert "Permission denied" in outcome.expect(77).err
    go(product)
    assert running.wait(20) == 0


# At a terminal ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keys", "code"), [("q", 0), (INTERRUPT, 130)])
def test_one_leaves_and_the_run_goes_on(
    product: Product, running: subprocess.Popen[str], keys: str, code: int
) -> None:
    with at_terminal(product.argv("attach"), product.environment()) as screen:
        screen.expect("q leaves; the run goes on.")
        screen.expect("| two")
        screen.type(keys)
        assert screen.wait() == code
        screen.expect("Left; the run goes on.")
        screen.expect("orchestrator attach --config")
    assert [e for e in product.journal() if e["event"] == "interrupt"] == []
    go(product)
    assert running.wait(20) == 0


def test_a_watchers_terminal_that_goes_away_takes_only_the_watcher(
    product: Product, running: subprocess.Popen[str]
) -> None:
    with at_terminal(product.argv("attach"), product.environment()) as screen:
        screen.expect("| two")
        screen.hang_up()
        assert screen.process.wait(10) == -signal.SIGHUP
    go(product)
    assert running.wait(20) == 0


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_the_view_is_the_runs_own(product: Product, running: subprocess.Popen[str], columns: int) -> None:
    with on_screen(product.argv("attach"), product.environment(), columns=columns) as screen:
        screen.expect("| two")
        screen.expect(BAR)
        below = screen.lines()[-4:]
        assert "0/2 backends-down" in below[0]
        assert below[1].startswith("upgrade/0010_a.sh  ")
        assert below[2:] == ["  | one", "  | two"]
        assert max(map(len, screen.lines(unfolded=True))) <= columns
        go(product)
        assert screen.ended() == 0
        text = screen.text()
        assert "done   upgrade/3010_b.sh" in text
        assert "Upgrade done." in text
        assert BAR not in text
        assert screen.cursor_is_visible
    assert running.wait(20) == 0


def test_the_terminal_is_as_it_was(product: Product, running: subprocess.Popen[str]) -> None:
    shell = f"stty -a | grep -o ' .\\?icanon\\| .\\?echo ' ; {' '.join(product.argv('attach'))}; stty -a | grep -o ' .\\?icanon\\| .\\?echo '"
    with at_terminal(["/bin/sh", "-c", shell], product.environment()) as screen:
        screen.expect("| two")
        screen.type("q")
        assert screen.wait() == 0
        assert screen.text.split().count("icanon") == 2
        assert screen.text.split().count("echo") == 2
    go(product)
    assert running.wait(20) == 0
