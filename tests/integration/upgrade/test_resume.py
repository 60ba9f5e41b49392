# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that did not end is continued; scripts may have changed since; `recover` only pays what it owes."""

import signal
import time
from pathlib import Path

import pytest

from tests.support.product import Product
from tests.support.stack import Stack, temporary_stack, wait_for, wait_for_step

UP = {"db": True, "web": True}


def until_go(directory: Path) -> str:
    """Shell that waits for the file `go`."""
    return f"while [ ! -e {directory}/go ]; do sleep 0.05; done"


def continued_beside_its_step(product: Product) -> str:
    """Continue a killed run whose step still runs, let the step end, and hand back what was told."""
    run = product.start("upgrade", "-y")
    wait_for(lambda: "still runs (pid" in str(product.journal()[-1]), "the step is waited for")
    (product.directory / "go").touch()
    out, err = run.communicate(timeout=30)
    assert run.returncode == 0, err
    return out


@pytest.fixture
def failed(product: Product) -> Product:
    """Two steps are done, the third has failed."""
    product.step("default/0010_always.sh")
    product.step("upgrade/0020_once.sh")
    product.step("default/0030_fails.sh", "exit 1")
    product.step("upgrade/0040_last.sh")
    product.run("upgrade", "-y").expect(1)
    assert product.ran() == ["0010", "0020", "0030"]
    product.trace.unlink()
    return product


def test_finished_steps_are_not_repeated(failed: Product) -> None:
    failed.step("default/0030_fails.sh")
    plan = failed.run("plan", "-o", "json").json()
    assert plan["continues"].startswith("0001-")
    reasons = {step["id"].rpartition("/")[2][:4]: step["reason"] for step in plan["steps"]}
    assert reasons == {"0010": "finished in this run", "0020": "done", "0030": "failed", "0040": "due"}
    failed.run("upgrade", "-y").expect(0)
    assert failed.ran() == ["0030", "0040"]
    assert len(list((failed.state / "runs").iterdir())) == 1, "it is one run"


def test_the_next_run_repeats_what_runs_always(failed: Product) -> None:
    failed.step("default/0030_fails.sh")
    failed.run("upgrade", "-y").expect(0)
    failed.trace.unlink()
    failed.run("upgrade", "-y").expect(0)
    assert failed.ran() == ["0010", "0030"]


def test_restart_begins_anew_but_never_repeats_what_runs_once(failed: Product) -> None:
    failed.step("default/0030_fails.sh")
    failed.run("upgrade", "-y", "--restart").expect(0)
    assert failed.ran() == ["0010", "0030", "0040"]


def test_what_differs_since_the_run_began_is_said(failed: Product) -> None:
    failed.step("default/0030_fails.sh", "true")
    failed.step("upgrade/0035_new.sh")
    (failed.directory / "scripts/upgrade/0040_last.sh").unlink()
    for command in (["plan"], ["upgrade", "-y"]):
        out = failed.run(*command).expect(0).out
        assert "default/0030_fails.sh was changed since this run began" in out
        assert "upgrade/0035_new.sh is new since this run began" in out
        assert "upgrade/0040_last.sh is gone since this run began" in out
    assert failed.ran() == ["0030", "0035"]


def test_a_step_marked_done_by_hand_is_not_run_again(failed: Product) -> None:
    failed.step("upgrade/0030_fails.sh", "exit 1")
    (failed.directory / "scripts/default/0030_fails.sh").unlink()
    failed.run("upgrade", "-y").expect(1)
    failed.run("history", "mark-done", "0030", "--reason", "did it by hand").expect(0)
    failed.run("upgrade", "-y").expect(0)
    assert failed.ran() == ["0030", "0040"]


def test_a_line_taken_out_of_the_history_makes_a_step_of_the_unfinished_run_due_again(
    failed: Product,
) -> None:
    failed.step("default/0030_fails.sh")
    failed.run("history", "redo", "0020", "--reason", "it was wrong").expect(0)
    assert "upgrade/0020_once.sh" in failed.run("pending").expect(1).out
    failed.run("upgrade", "-y").expect(0)
    assert failed.ran() == ["0020", "0030", "0040"]
    assert failed.history() == {"0020_once.sh": "done", "0040_last.sh": "done"}


def test_a_selection_stays_with_its_run(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "exit 1")
    product.step("upgrade/0020_b.sh")
    product.step("upgrade/0030_c.sh")
    product.run("upgrade", "-y", "--only", "001*", "--only", "0020").expect(1)
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0010", "0010", "0020"]
    product.run("upgrade", "-y").expect(0)
    assert product.ran()[-1] == "0030"


def test_a_selection_that_means_nothing_is_a_mistake(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    assert "0777" in product.run("upgrade", "-y", "--skip", "0777", "--reason", "typo").expect(2).err
    assert "nothing*" in product.run("upgrade", "-y", "--only", "nothing*").expect(2).err
    assert "--reason" in product.run("upgrade", "-y", "--skip", "0010").expect(2).err
    assert product.ran() == []


def test_a_skipped_step_stays_due_and_the_reason_is_on_record(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    product.step("upgrade/0020_b.sh")
    outcome = product.run("upgrade", "-y", "--skip", "0010", "--reason", "not today").expect(0)
    assert "skipped 0010: not today" in outcome.out
    assert product.ran() == ["0020"]
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0020", "0010"]


def test_a_check_that_fails_in_a_continued_run_does_not_end_it(stack: Stack) -> None:
    stack.start_services()
    stack.step("default/0010_always.sh")
    stack.step("upgrade/0020_b.sh", "exit 1")
    stack.run("upgrade", "-y").expect(1)
    stack.step("check/0010_new.sh", "echo no licence; exit 1")
    outcome = stack.run("upgrade", "-y").expect(4)
    assert "no licence" in outcome.err
    assert "nothing was stopped" not in outcome.err
    assert stack.run("status", "-o", "json").json()["debts"] != []
    stack.step("check/0010_new.sh")
    stack.step("upgrade/0020_b.sh")
    stack.run("upgrade", "-y").expect(0)
    assert stack.ran().count("0010") == 3, "twice the check, once the step that was finished"
    assert stack.up() == UP


def test_a_killed_run_is_continued_and_says_how_it_stands(stack: Stack) -> None:
    stack.start_services()
    stack.step("upgrade/0010_a.sh", until_go(stack.directory))
    stack.step("upgrade/0020_b.sh")
    run = stack.start("upgrade", "-y")
    wait_for_step(stack, "0010")
    run.kill()
    run.communicate()
    told = stack.run("status").expect(0).out
    assert "it died without a word" in told
    assert "was running:     upgrade/0010_a.sh" in told
    assert "stopped:web" in told
    assert "still runs (pid" in continued_beside_its_step(stack)
    assert stack.ran() == ["0010", "0020"]
    assert stack.up() == UP


def test_an_adopted_step_keeps_its_time_limit(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "sleep 30", "#timeout: 4s")
    run = product.start("upgrade", "-y")
    wait_for_step(product, "0010")
    started = product.journal()[-1]["mono"]
    run.kill()
    run.communicate()
    time.sleep(3)
    product.run("pending").expect(1)
    product.run("upgrade", "-y").expect(1)
    ended = next(e for e in product.journal() if e["event"] == "step-ended")
    assert ended["status"] == "timed-out"
    assert ended["mono"] - started < 6.5, "the limit counts from the step's start, not from its adoption"


def test_restart_while_a_step_of_the_killed_run_goes_on_does_not_run_it_twice(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "sleep 1")
    run = product.start("upgrade", "-y")
    wait_for_step(product, "0010")
    run.kill()
    run.communicate()
    product.run("upgrade", "-y", "--restart").expect(0)
    assert product.ran() == ["0010"]
    assert product.history() == {"0010_a.sh": "done"}


def test_recover_starts_what_was_stopped_and_leaves_the_run_to_be_continued(tmp_path: Path) -> None:
    note = tmp_path / "maintenance"
    commands = {verb: ["/bin/sh", "-c", f"echo {verb} >>{note}"] for verb in ("enter", "leave")}
    with temporary_stack(tmp_path, {"maintenance": commands}) as stack:
        stack.start_services()
        stack.step("default/0010_a.sh")
        stack.step("upgrade/0020_b.sh", "exit 1")
        assert "or only start what is down:" in stack.run("upgrade", "-y").expect(1).out
        assert stack.up() == {"db": False, "web": False}
        outcome = stack.run("recover").expect(0)
        assert stack.up() == UP
        assert "stopped:web" in outcome.out
        assert "is still unfinished" in outcome.out
        assert f"orchestrator upgrade --config {stack.file}" in outcome.out
        assert note.read_text().split() == ["enter", "leave"]
        assert stack.run("recover").expect(0).out.startswith("Nothing to recover")
        stack.watching_step("upgrade/0020_b.sh")
        stack.run("upgrade", "-y").expect(0)
        assert stack.seen() == ["0020"], "everything was stopped again"
        assert stack.ran() == ["0010", "0020", "0020"]
        assert note.read_text().split() == ["enter", "leave"] * 2
        assert stack.up() == UP


@pytest.mark.parametrize("killed_in", ["backup", "enter", "leave"])
def test_backup_and_maintenance_commands_of_a_killed_run_are_waited_for_and_not_repeated(
    tmp_path: Path, killed_in: str
) -> None:
    note = tmp_path / "note"

    def command(verb: str) -> list[str]:
        return ["/bin/sh", "-c", f"echo {verb} >>{note}; {until_go(tmp_path) if verb == killed_in else ':'}"]

    maintenance = {"enter": command("enter"), "leave": command("leave")}
    config = {"backup": {"command": command("backup")}, "maintenance": maintenance}
    with temporary_stack(tmp_path, config) as stack:
        stack.start_services()
        stack.step("upgrade/0010_a.sh")
        run = stack.start("upgrade", "-y")
        wait_for(lambda: killed_in in note.read_text(), "it has begun")
        run.kill()
        run.communicate()
        continued_beside_its_step(stack)
        assert note.read_text().split() == ["backup", "enter", "leave"]
        assert stack.ran() == ["0010"]
        assert stack.up() == UP


def test_recover_waits_for_nothing_while_a_step_of_the_dead_run_still_runs(stack: Stack) -> None:
    stack.start_services()
    stack.step("upgrade/0010_a.sh", until_go(stack.directory))
    run = stack.start("upgrade", "-y")
    wait_for_step(stack, "0010")
    run.kill()
    run.communicate()
    assert "upgrade/0010_a.sh of run 0001-" in stack.run("recover").expect(75).err
    continued_beside_its_step(stack)


def test_a_run_killed_before_its_first_event_leaves_no_trace_in_the_lists(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    (product.state / "runs/0001-20200101T000000Z").mkdir(parents=True)
    assert product.run("runs", "list").expect(0).out == "No run yet.\n"
    product.run("upgrade", "-y").expect(0)
    assert [run["outcome"] for run in product.run("runs", "list", "-o", "json").json()] == ["done"]


def test_a_stop_during_a_retry_leaves_the_step_to_the_next_time(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "exit 75", "#retry: 5 20s")
    run = product.start("upgrade", "-y")
    wait_for(lambda: product.journal()[-1]["event"] == "note", "the retry is announced")
    run.send_signal(signal.SIGTERM)
    run.communicate(timeout=20)
    assert run.returncode in (75, 130)
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(0)


def test_recover_works_though_the_scripts_are_broken(stack: Stack) -> None:
    stack.step("upgrade/0010_fails.sh", "exit 1")
    stack.start_services()
    stack.run("upgrade", "-y").expect(1)
    (stack.directory / "scripts/upgrade/0020_broken.sh").write_text("no interpreter\n")

    outcome = stack.run("recover").expect(0)

    assert "db is ready" in outcome.out
