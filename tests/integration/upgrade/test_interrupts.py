# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C once, twice and thrice, SIGTERM, SIGHUP, and a terminal that is gone."""

import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.support.product import Outcome, Product
from tests.support.stack import Stack, wait_for, wait_for_step
from tests.support.terminal import INTERRUPT, at_terminal

# Long enough to be interrupted, and ends by itself should the test fail.
BUSY = "sleep 20 & wait"


def actions(product: Product) -> list[str]:
    return [e["action"] for e in product.journal() if e["event"] == "interrupt"]


def end(run: subprocess.Popen[str]) -> Outcome:
    out, err = run.communicate(timeout=30)
    return Outcome(run.returncode, out, err)


@pytest.fixture
def run(product: Product) -> Iterator[subprocess.Popen[str]]:
    """An upgrade of two steps, in the middle of the first, which ends when the file `go` appears."""
    body = f"trap 'echo got TERM; exit 7' TERM; while [ ! -e {product.directory}/go ]; do sleep 0.05; done"
    product.step("upgrade/0010_a.sh", body)
    product.step("upgrade/0020_b.sh")
    run = product.start("upgrade", "-y")
    wait_for_step(product, "0010")
    yield run
    if run.poll() is None:
        run.kill()
        run.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_press_stops_after_the_step(
    product: Product, run: subprocess.Popen[str], number: signal.Signals
) -> None:
    run.send_signal(number)
    wait_for(lambda: actions(product) == ["after-step"], "the press is on record")
    (product.directory / "go").touch()
    outcome = end(run).expect(130)
    assert product.ran() == ["0010"]
    assert product.history() == {"0010_a.sh": "done"}, "the step ended in peace"
    assert "Stopping after upgrade/0010_a.sh" in outcome.out
    assert f"continue with:   orchestrator upgrade --config {product.file}" in outcome.out
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0010", "0020"]


def test_the_second_press_terminates_the_process_group_of_the_step(
    product: Product, run: subprocess.Popen[str]
) -> None:
    run.send_signal(signal.SIGINT)
    wait_for(lambda: len(actions(product)) == 1, "the first press is on record")
    run.send_signal(signal.SIGINT)
    outcome = end(run).expect(130)
    assert actions(product) == ["after-step", "terminate"]
    assert "0010_a.sh: got TERM" in outcome.out
    assert product.history() == {}
    (product.directory / "go").touch()
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0010", "0010", "0020"]


def test_the_third_press_kills_it(product: Product) -> None:
    product.step("upgrade/0010_a.sh", f"trap '' TERM; {BUSY}; wait; sleep 20")
    run = product.start("upgrade", "-y")
    wait_for_step(product, "0010")
    for number in range(1, 4):
        run.send_signal(signal.SIGINT)
        wait_for(lambda: len(actions(product)) == number, "the press is on record")  # noqa: B023
    end(run).expect(130)
    assert actions(product) == ["after-step", "terminate", "kill"]


def test_two_presses_at_once_count_as_two(product: Product, run: subprocess.Popen[str]) -> None:
    run.send_signal(signal.SIGINT)
    time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    end(run).expect(130)
    assert actions(product)[-1] == "terminate"


def test_a_second_SIGTERM_does_not_touch_the_step(product: Product, run: subprocess.Popen[str]) -> None:  # noqa: N802
    for _ in range(3):
        run.terminate()
        time.sleep(0.15)
    assert actions(product) == ["after-step"]
    (product.directory / "go").touch()
    end(run).expect(130)
    assert product.history() == {"0010_a.sh": "done"}


def test_an_unsafe_step_is_asked_for_once_more(product: Product) -> None:
    product.step("upgrade/0010_a.sh", BUSY, "#interrupt: unsafe")
    run = product.start("upgrade", "-y")
    wait_for_step(product, "0010")
    for number in range(1, 4):
        run.send_signal(signal.SIGINT)
        wait_for(lambda: len(actions(product)) == number, "the press is on record")  # noqa: B023
    outcome = end(run).expect(130)
    assert actions(product) == ["after-step", "ask", "terminate"]
    assert "must not be interrupted" in outcome.out


def test_a_pause_before_a_retry_is_cut_short(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "exit 1", "#retry: 3 30s")
    run = product.start("upgrade", "-y")
    wait_for(lambda: any(e["event"] == "note" for e in product.journal()), "it waits for the retry")
    run.send_signal(signal.SIGINT)
    end(run)
    assert run.returncode in (1, 130)
    assert product.ran() == ["0010"]


def test_waiting_for_a_service_is_cut_short_and_the_run_can_go_on(stack: Stack) -> None:
    web = stack.config["services"]["web"]
    command, web["command"] = web["command"], ["/bin/sleep", "100"]
    stack.save()
    stack.step("upgrade/3010_a.sh")
    run = stack.start("upgrade", "-y")
    wait_for(lambda: "service-starting" in str(stack.journal()[-1]), "it waits for web")
    run.send_signal(signal.SIGINT)
    outcome = end(run).expect(130)
    assert "stopped on request" in outcome.err
    assert "services down:" in outcome.out
    web["command"] = command
    stack.save()
    stack.run("services", "stop", "web").expect(0)
    stack.run("upgrade", "-y").expect(0)
    assert stack.up() == {"db": True, "web": True}
    assert stack.ran() == ["3010"]


def test_a_real_interrupt_at_a_terminal_reaches_the_command_and_not_the_step(stack: Stack) -> None:
    stack.start_services()
    stack.step("upgrade/0010_a.sh", "sleep 1; echo unharmed")
    stack.step("upgrade/0020_b.sh")
    with at_terminal(stack.argv("upgrade", "-y"), stack.environment()) as screen:
        wait_for_step(stack, "0010")
        assert stack.run("status", "-o", "json").json()["stop"]["terminal"] is True
        screen.type(INTERRUPT)
        assert screen.wait() == 130
        assert "Stopping after upgrade/0010_a.sh" in screen.text
        assert "services down:   db, web; up: none" in " ".join(screen.text.split("\n"))
    assert stack.history() == {"0010_a.sh": "done"}
    stack.run("upgrade", "-y").expect(0)


def test_services_started_by_a_run_do_not_die_with_its_terminal(stack: Stack) -> None:
    stack.step("upgrade/6010_a.sh")
    with at_terminal(stack.argv("upgrade", "-y"), stack.environment()) as screen:
        assert screen.wait() == 0
    time.sleep(0.2)
    assert stack.up() == {"db": True, "web": True}


def test_SIGHUP_changes_nothing(product: Product, run: subprocess.Popen[str]) -> None:  # noqa: N802
    run.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    (product.directory / "go").touch()
    end(run).expect(0)
    assert product.ran() == ["0010", "0020"]


def test_a_run_whose_terminal_is_gone_goes_on_to_its_end(stack: Stack) -> None:
    stack.start_services()
    stack.step("upgrade/0010_a.sh", "sleep 0.8; echo still here")
    stack.step("upgrade/0020_b.sh", "echo and here")
    with at_terminal(stack.argv("upgrade", "-y", "-v"), stack.environment()) as screen:
        wait_for_step(stack, "0010")
        screen.hang_up()
        assert screen.process.wait(30) == 0
    assert stack.history() == {"0010_a.sh": "done", "0020_b.sh": "done"}
    assert stack.up() == {"db": True, "web": True}
    assert stack.run("runs", "list", "-o", "json").json()[0]["outcome"] == "done"


def test_a_terminal_that_goes_at_a_question_ends_the_command(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    with at_terminal(product.argv("upgrade"), product.environment()) as screen:
        screen.expect("Go on?")
        screen.hang_up()
        assert screen.process.wait(10) != 0
    assert product.ran() == []
