# SPDX-License-Identifier: GPL-3.0-or-later
"""State that is of another version, torn, gone, or dated in the future; files that change under a run."""

import shutil

import pytest

from tests.support.product import Product
from tests.support.requirements import require
from tests.support.stack import Stack, python_step, tree, wait_for_step

WRITERS = [
    ["upgrade", "-y"],
    ["recover"],
    ["history", "baseline"],
    ["services", "start"],
    ["services", "stop"],
]
READERS = [["plan"], ["pending"], ["check"]]


@pytest.mark.parametrize("words", [*WRITERS, *READERS])
def test_the_state_of_a_newer_version_is_refused_and_not_touched(product: Product, words: list[str]) -> None:
    product.step("upgrade/0010_a.sh")
    product.state.mkdir()
    (product.state / "format.json").write_text('{"format": 2}\n')
    before = tree(product.state)
    outcome = product.run(*words).expect(4)
    assert "was written in format 2; this version knows up to 1" in outcome.err
    assert tree(product.state) == before


@pytest.mark.parametrize("content", ["", "{", "\0\0\0\0", "[]", '"x"', '{"format": "new"}'])
def test_a_torn_mark_of_the_format_is_no_obstacle(product: Product, content: str) -> None:
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
    (product.state / "format.json").write_text(content)
    product.step("upgrade/0020_b.sh")
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0010", "0020"]


@pytest.mark.parametrize(
    "file", ["status.json", "lock", "data-version", "services/web.json", "services/db.json"]
)
def test_other_torn_files_are_no_obstacle(stack: Stack, file: str) -> None:
    path = stack.state / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\0\xff{")
    stack.step("upgrade/0010_a.sh")
    stack.run("status").expect(0)
    stack.run("plan").expect(0)
    stack.run("upgrade", "-y").expect(0)
    assert stack.up() == {"db": True, "web": True}


def test_a_torn_last_line_of_the_journal_is_passed_over(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    product.step("upgrade/0020_b.sh", "exit 1")
    product.run("upgrade", "-y").expect(1)
    journal = next((product.state / "runs").iterdir()) / "journal.jsonl"
    with journal.open("a") as stream:
        stream.write('{"seq": 99, "time": "2026-')
    product.run("runs", "log").expect(0)
    product.step("upgrade/0020_b.sh")
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0010", "0020", "0020"]
    assert '{"seq": 99, "time": "2026-\n{' in journal.read_text(), "what follows begins a line of its own"


def test_a_torn_last_line_of_the_history_is_not_taken_for_a_step(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    product.step("upgrade/0020_b.sh")
    product.state.mkdir()
    (product.state / "upgrade-history").write_text("0010_a.sh\n0020_")
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0020"]
    assert product.history()["0020_b.sh"] == "done"


def test_a_history_that_is_no_text_is_an_error_and_stays_as_it_is(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    product.state.mkdir()
    (product.state / "upgrade-history").write_bytes(b"\xff\xfe\0binary")
    for words in (["upgrade", "-y"], ["plan"], ["history", "list"], ["history", "baseline"]):
        assert "upgrade-history" in product.run(*words).expect(78).err
    assert (product.state / "upgrade-history").read_bytes() == b"\xff\xfe\0binary"


def test_a_clock_that_was_set_back_confuses_nothing(product: Product) -> None:
    require(shutil.which("faketime") is not None, "this needs faketime")
    product.step("upgrade/0010_a.sh", "exit 1")
    product.run("upgrade", "-y").expect(1)
    product.step("upgrade/0010_a.sh")
    past = ("faketime", "-f", "-2y")
    product.run("upgrade", "-y", wrapper=past).expect(0)
    product.step("upgrade/0020_b.sh")
    product.run("upgrade", "-y", wrapper=past).expect(0)
    runs = product.run("runs", "list", "-o", "json").json()
    assert [run["run"][:4] for run in runs] == ["0001", "0002"]
    assert runs[0]["run"] > runs[0]["run"][:5] + "2025", "the first is dated after the second"
    assert runs[1]["started"] < runs[0]["started"]
    assert [run["outcome"] for run in runs] == ["done", "done"]
    assert all(run["downtime"] >= 0 for run in runs)
    product.run("pending").expect(0)
    assert product.ran() == ["0010", "0010", "0020"]


def test_a_run_dated_in_the_future_is_not_taken_for_the_newest(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
    first = next((product.state / "runs").iterdir())
    first.rename(first.with_name("0001-29991231T235959Z"))
    product.step("upgrade/0020_b.sh")
    product.run("upgrade", "-y").expect(0)
    assert product.run("runs", "show", "last", "-o", "json").json()["run"].startswith("0002-")


# What changes while a run is under way ----------------------------------------------------------------------


def test_the_logs_may_be_removed_in_mid_run(stack: Stack) -> None:
    stack.start_services()
    steps = '"$ORCHESTRATOR_STATE_DIR"/runs/*/steps'
    stack.step("upgrade/0010_a.sh", f"rm -rf {steps} {stack.directory}/log")
    stack.step("upgrade/3010_b.sh", "echo there again")
    stack.run("upgrade", "-y").expect(0)
    assert stack.up() == {"db": True, "web": True}
    assert stack.run("runs", "log", "last", "3010").expect(0).out == "there again\n"
    assert "no log" in stack.run("runs", "log", "last", "0010").expect(2).err


def test_a_run_whose_record_is_removed_stops_before_it_does_more_without_one(product: Product) -> None:
    product.step("upgrade/0010_a.sh", 'rm -rf "$ORCHESTRATOR_STATE_DIR"/runs')
    product.step("upgrade/0020_b.sh")
    outcome = product.run("upgrade", "-y").expect(1)
    assert "the journal" in outcome.err
    assert "internal error" not in outcome.err
    assert product.ran() == ["0010"]


def test_a_script_replaced_in_mid_run_runs_as_it_is_and_is_recorded_so(product: Product) -> None:
    later = product.step("upgrade/0020_b.sh", "echo old")
    replace = f"sed -i 's/echo old/echo new/' {later}"
    product.step("upgrade/0010_a.sh", replace)
    out = product.run("upgrade", "-y", "-o", "plain").expect(0).out
    assert "0020_b.sh: new" in out
    assert "upgrade/0020_b.sh was changed since the plan was made" in out
    steps = {s["id"]: s for s in product.run("plan", "-o", "json").json()["steps"]}
    assert steps["upgrade/0020_b.sh"]["notes"] == [], "what is on record is what ran"


def test_a_script_that_vanishes_in_mid_run_stops_the_run_and_says_so(product: Product) -> None:
    later = product.step("upgrade/0020_b.sh")
    product.step("upgrade/0010_a.sh", f"rm {later}")
    outcome = product.run("upgrade", "-y").expect(1)
    assert "upgrade/0020_b.sh failed: could not be started: No such file or directory" in outcome.err
    assert "upgrade/0020_b.sh is gone since this run began" in product.run("upgrade", "-y").expect(0).out


def test_a_script_that_cannot_be_started_any_more_is_a_failure(product: Product) -> None:
    later = product.step("upgrade/0020_b.sh")
    product.step("upgrade/0010_a.sh", f"chmod -x {later}")
    assert "could not be started: Permission denied" in product.run("upgrade", "-y").expect(1).err


def test_the_configuration_may_vanish_in_mid_run(stack: Stack) -> None:
    stack.start_services()
    stack.step("upgrade/0010_a.sh", f"mv {stack.file} {stack.file}.away")
    stack.step("upgrade/3010_b.sh")
    stack.run("upgrade", "-y").expect(0)
    assert stack.up() == {"db": True, "web": True}
    assert "there is no configuration" in stack.run("pending").expect(78).err


def test_a_service_gone_from_the_configuration_does_not_keep_a_run_from_its_end(stack: Stack) -> None:
    stack.start_services()
    stack.step("upgrade/0010_a.sh", "exit 1")
    stack.run("upgrade", "-y").expect(1)
    del stack.config["services"]["web"]
    stack.save()
    stack.step("upgrade/0010_a.sh")
    outcome = stack.run("upgrade", "-y").expect(0)
    assert stack.up() == {"db": True}
    assert "this run left web stopped" in outcome.out
    assert stack.run("recover").expect(0).out.startswith("Nothing to recover")


def test_steps_that_are_changed_while_they_run_in_python_are_no_matter(product: Product) -> None:
    go = product.directory / "go"
    text = f"import os, time\nopen({str(product.trace)!r}, 'w').write('0010')\nwhile not os.path.exists({str(go)!r}): time.sleep(0.05)\n"
    path = python_step(product, "upgrade/0010_a.py", text)
    run = product.start("upgrade", "-y")
    wait_for_step(product, "0010")
    path.write_text("#!/bin/false\n")
    go.touch()
    run.communicate(timeout=20)
    assert run.returncode == 0


def test_a_plan_file_that_is_torn_costs_only_what_it_would_have_told(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "exit 1")
    product.run("upgrade", "-y").expect(1)
    plan = next((product.state / "runs").iterdir()) / "plan.json"
    for content in ("", "[]", '{"steps"'):
        plan.write_text(content)
        assert "Traceback" not in product.run("plan").expect(0).err
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
