# SPDX-License-Identifier: GPL-3.0-or-later
"""`upgrade --detach`: everything asked in the foreground, then a run that nothing of the terminal can reach."""

import json
import os
import signal
import stat
import time
from pathlib import Path

import pytest

from tests.support.product import Outcome, Product
from tests.support.stack import Stack, wait_for, wait_for_step
from tests.support.terminal import INTERRUPT, at_terminal


def until_go(product: Product) -> str:
    return f"while [ ! -e {product.directory}/go ]; do sleep 0.05; done"


def go(product: Product) -> None:
    (product.directory / "go").touch()


def state_of(product: Product) -> str:
    return str(product.run("status", "-o", "json").expect(0).json()["state"])


def wait_for_end(product: Product) -> None:
    wait_for(lambda: state_of(product) != "running", "the run has ended")


def begun(product: Product) -> dict[str, object]:
    return next(event for event in product.journal() if event["event"] in ("run-started", "run-continued"))


def test_it_comes_back_when_the_run_has_begun_and_says_how_to_get_at_it(stack: Stack) -> None:
    stack.start_services()
    stack.step("upgrade/0010_a.sh", until_go(stack))
    outcome = stack.run("upgrade", "--detach", "-y").expect(0)
    run = begun(stack)["run"]
    assert f"Run {run} goes on in the background (pid {begun(stack)['pid']})." in outcome.out
    assert f"orchestrator attach --config {stack.file}" in outcome.out
    assert f"orchestrator status --config {stack.file}" in outcome.out
    assert "upgrade/0010_a.sh  due" in outcome.out, "the plan"
    assert state_of(stack) == "running"
    go(stack)
    wait_for_end(stack)
    assert stack.history() == {"0010_a.sh": "done"}
    assert stack.up() == {"db": True, "web": True}


def test_its_output_is_for_nobody_else_to_read(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "echo between us; sleep 0.3")
    product.run("upgrade", "--detach", "-y").expect(0)
    wait_for_end(product)
    log = product.state / "detached.log"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert "0010_a.sh: between us" in log.read_text()
    assert "Upgrade done" in log.read_text()
    assert not (product.state / "detached.env").exists()


def test_it_leads_a_session_of_its_own_without_a_terminal(product: Product) -> None:
    product.step("upgrade/0010_a.sh", until_go(product))
    told = product.run("upgrade", "--detach", "-y", "-o", "json").expect(0)
    pid = json.loads(told.out)["pid"]
    assert os.getsid(pid) == pid
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    assert fields[4] == "0", "no controlling terminal"
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.readlink(f"/proc/{pid}/fd/0") == os.devnull
    go(product)
    wait_for_end(product)


def test_questions_are_asked_in_the_foreground_and_the_consent_goes_along(product: Product) -> None:
    product.step("upgrade/0010_a.sh", until_go(product), "#risk: deletes all the books")
    with at_terminal(product.argv("upgrade", "--detach"), product.environment()) as screen:
        screen.expect("deletes all the books")
        screen.expect("Type yes to agree")
        assert not (product.state / "runs").exists()
        screen.type("yes\n")
        screen.expect("Go on?")
        screen.type("y\n")
        assert screen.wait() == 0
        screen.expect("goes on in the background")
    go(product)
    wait_for_end(product)
    assert product.history() == {"0010_a.sh": "done"}
    answers = {event["question"]: event["by"] for event in product.journal() if event["event"] == "answered"}
    assert answers == {"0010": "--accept", "continue": "--assumeyes"}
    assert begun(product)["invoker"] == "terminal"


def test_a_question_answered_with_no_begins_nothing(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    with at_terminal(product.argv("upgrade", "--detach"), product.environment()) as screen:
        screen.expect("Go on?")
        screen.type("n\n")
        assert screen.wait() == 130
    assert product.ran() == []
    assert not (product.state / "detached.log").exists()


def test_it_refuses_in_the_foreground(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "", "#min-disk: /tmp 900T")
    assert "nothing was touched" in product.run("upgrade", "--detach", "-y").expect(4).err
    assert "needs an answer" in clean(product).run("upgrade", "--detach").expect(6).err
    assert not (product.state / "detached.log").exists()


def clean(product: Product) -> Product:
    product.step("upgrade/0010_a.sh")
    return product


def test_a_plan_needs_no_background(product: Product) -> None:
    assert "--dry-run" in product.run("upgrade", "--detach", "-n").expect(2).err


def test_with_nothing_to_do_it_begins_nothing(product: Product) -> None:
    assert "Nothing to do." in product.run("upgrade", "--detach", "-y").expect(0).out
    assert json.loads(product.run("upgrade", "--detach", "-y", "-o", "json").expect(0).out) == {"run": None}
    product.step("default/0010_a.sh")
    assert product.run("upgrade", "--detach", "-y", "--if-pending").expect(0).out == "Nothing to do.\n"


def test_options_go_along(product: Product) -> None:
    for number in (10, 20, 30):
        product.step(f"upgrade/00{number}_a.sh", "sleep 0.2")
    words = ["--skip", "0020", "--reason", 'it\'s "known" to $fail; `x`', "--wait-lock", "1m"]
    product.run("upgrade", "--detach", "-y", *words).expect(0)
    wait_for_end(product)
    assert product.ran() == ["0010", "0030"]
    (skipped,) = (event for event in product.journal() if event["event"] == "step-skipped")
    assert skipped["reason"] == 'it\'s "known" to $fail; `x`'
    product.run("upgrade", "--detach", "-y", "--only", "0020*").expect(0)
    wait_for_end(product)
    assert product.ran() == ["0010", "0030", "0020"]


def test_an_unfinished_run_is_continued_or_begun_anew(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    product.step("upgrade/0020_b.sh", "exit 1")
    product.run("upgrade", "-y").expect(1)
    product.step("upgrade/0020_b.sh", "sleep 0.3")
    product.run("upgrade", "--detach", "-y", "--restart").expect(0)
    wait_for_end(product)
    assert [event["event"] for event in product.journal()].count("run-restarted") == 1
    assert state_of(product) == "idle"


def test_one_that_ends_at_once_is_told_with_its_words_and_its_status(product: Product) -> None:
    product.step("upgrade/0010_a.sh", f"rm {product.directory}/scripts/default/0001_x.sh")
    product.config["product"] = {
        "name": "Toy",
        # Right in the foreground, and then not any more.
        "version_command": ["/bin/sh", "-c", f"mkdir {product.directory}/seen && echo 2.0"],
    }
    product.save()
    outcome = product.run("upgrade", "--detach", "-y").expect(78)
    assert "the product's version is not known" in outcome.out
    assert product.ran() == []
    (product.directory / "seen").rmdir()
    told = product.run("upgrade", "--detach", "-y", "-o", "json").expect(78).json()
    assert told["run"] is None
    assert told["exit_code"] == 78
    assert "version is not known" in told["words"]


def test_while_a_run_is_under_way_a_second_one_is_told_who_runs(product: Product) -> None:
    product.step("upgrade/0010_a.sh", until_go(product))
    product.run("upgrade", "--detach", "-y").expect(0)
    wait_for_step(product, "0010")
    assert "at upgrade/0010_a.sh" in product.run("upgrade", "--detach", "-y").expect(75).err
    assert "Upgrade" not in (product.state / "detached.log").read_text(), "the log is that of the first"
    go(product)
    wait_for_end(product)


# What a terminal can do to it -------------------------------------------------------------------------------


def hung_up(stack: Stack, *words: str) -> None:
    """Begin an upgrade of two steps at a terminal that goes away in the first."""
    stack.start_services()
    stack.step("upgrade/0010_a.sh", f"{until_go(stack)}; echo still here")
    stack.step("upgrade/0020_b.sh", "echo and here")
    with at_terminal(stack.argv("upgrade", "-y", *words), stack.environment()) as screen:
        wait_for_step(stack, "0010")
        if words:
            assert screen.wait() == 0
            screen.type(INTERRUPT)
        screen.hang_up()
        time.sleep(0.2)
        status = stack.run("status", "-o", "json").expect(0).json()
        assert (status["state"], status["in_flight"]) == ("running", "upgrade/0010_a.sh")
        assert status["services"] == {"db": "down", "web": "down"}
        assert status["stop"]["when"] == "after-step", "nobody has asked it to stop"
        go(stack)
        wait_for_end(stack)
    assert stack.history() == {"0010_a.sh": "done", "0020_b.sh": "done"}
    assert stack.up() == {"db": True, "web": True}


def test_a_detached_run_survives_its_terminal(stack: Stack) -> None:
    hung_up(stack, "--detach")


def test_an_attended_run_survives_its_terminal_and_others_see_it(stack: Stack) -> None:
    hung_up(stack)


def test_asked_to_stop_it_ends_after_the_step(product: Product) -> None:
    product.step("upgrade/0010_a.sh", until_go(product))
    product.step("upgrade/0020_b.sh")
    pid = json.loads(product.run("upgrade", "--detach", "-y", "-o", "json").expect(0).out)["pid"]
    wait_for_step(product, "0010")
    status = product.run("status", "-o", "json").json()
    assert status["stop"]["command"] == f"kill -TERM {pid}"
    assert not status["stop"]["terminal"], "no Ctrl-C reaches it"
    os.kill(pid, signal.SIGTERM)
    wait_for(
        lambda: product.run("status", "-o", "json").json()["stop"]["when"] == "asked", "the request is seen"
    )
    go(product)
    wait_for_end(product)
    assert product.ran() == ["0010"]
    assert state_of(product) == "unfinished"


def test_a_log_that_cannot_be_made_is_an_error(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    (product.state / "detached.log").mkdir(parents=True)
    outcome: Outcome = product.run("upgrade", "--detach", "-y").expect(1)
    assert "detached.log" in outcome.err
    assert product.ran() == []


@pytest.mark.parametrize("words", [["-y"], ["-y", "-o", "json"]])
def test_a_program_called_by_a_relative_path_is_found_again(product: Product, words: list[str]) -> None:
    product.step("upgrade/0010_a.sh", "sleep 0.3")
    program = product.directory / "bin" / "orchestrator"
    program.parent.mkdir()
    program.write_text("from orchestrator.cli.app import main\nmain()\n")
    argv = [product.argv()[0], "-B", "bin/orchestrator", "upgrade", "--detach", *words]
    product.argv = lambda *_: argv  # type: ignore[method-assign]
    product.run(cwd=product.directory).expect(0)
    del product.argv
    wait_for_end(product)
    assert product.ran() == ["0010"]
