# SPDX-License-Identifier: GPL-3.0-or-later
"""check, pending, status, runs, services and scripts, as an administrator uses them."""

import os
from pathlib import Path

import pytest

from tests.support.product import Product
from tests.support.stack import Stack, temporary_product, wait_for_step


def test_check_reports_all_failures_at_once(product: Product) -> None:
    product.step("check/0010_a.sh", "echo too little memory; exit 1")
    product.step("check/0020_b.sh")
    product.step("check/0030_c.sh", "echo no licence >&2; exit 2")
    product.step("check/0040_d.sh", "exit 77")
    outcome = product.run("check").expect(4)
    for words in ("too little memory", "no licence", "2 of 5 checks failed"):
        assert words in outcome.out
    assert product.ran() == ["0010", "0020", "0030", "0040"]
    statuses = {c["name"]: c["status"] for c in product.run("check", "-o", "json").expect(4).json()}
    assert statuses["check/0040_d.sh"] == "not-applicable"
    assert not product.state.exists()


def test_failed_checks_refuse_an_upgrade_before_anything_is_stopped(stack: Stack) -> None:
    stack.start_services()
    stack.step("check/0010_a.sh", "echo too little memory; exit 1")
    stack.step("check/0020_b.sh", "echo no licence; exit 1")
    stack.step("upgrade/0010_a.sh")
    outcome = stack.run("upgrade", "-y").expect(4)
    assert "2 checks refused the upgrade; nothing was stopped" in outcome.err
    assert "too little memory" in outcome.err
    assert "no licence" in outcome.err
    assert stack.ran() == ["0010", "0020"]
    assert stack.up() == {"db": True, "web": True}
    assert stack.run("runs", "list", "-o", "json").json()[0]["outcome"] == "refused"
    assert stack.run("status").expect(0).out.startswith("No run is under way.")


def test_pending_answers_by_its_status(product: Product) -> None:
    product.step("default/0010_always.sh")
    assert product.run("pending").expect(0).out == "Nothing is pending.\n"
    product.step("upgrade/0020_b.sh", "exit 1")
    quiet = product.run("pending", "--quiet").expect(1)
    assert (quiet.out, quiet.err) == ("", "")
    assert product.run("pending", "-o", "json").expect(1).json()["steps"] == [
        {"id": "upgrade/0020_b.sh", "reason": "due"}
    ]
    product.run("upgrade", "-y").expect(1)
    assert "is unfinished" in product.run("pending").expect(1).out
    (product.directory / "scripts/upgrade/0020_b.sh").unlink()
    product.run("pending").expect(1)
    product.run("upgrade", "-y").expect(0)
    product.run("pending").expect(0)


def test_if_pending_does_nothing_where_only_steps_are_due_that_run_always(product: Product) -> None:
    product.step("default/0010_always.sh")
    assert product.run("upgrade", "-y", "--if-pending").expect(0).out == "Nothing to do.\n"
    assert product.ran() == []
    assert not product.state.exists()
    product.step("upgrade/0020_b.sh")
    product.run("upgrade", "-y", "--if-pending").expect(0)
    assert product.ran() == ["0010", "0020"]


def test_status_tells_what_runs_what_failed_and_how_to_go_on(stack: Stack) -> None:
    stack.start_services()
    stack.step("upgrade/0010_a.sh", f"while [ ! -e {stack.directory}/go ]; do sleep 0.05; done")
    stack.step("upgrade/3010_b.sh", "exit 5")
    run = stack.start("upgrade", "-y")
    wait_for_step(stack, "0010")
    told = stack.run("status").expect(0).out
    assert f"(pid {run.pid}, " in told
    assert "backends-down, 0 of 2 steps are done" in told
    assert "upgrade/0010_a.sh (1 of 2)" in told
    (stack.directory / "go").touch()
    run.communicate(timeout=30)
    told = stack.run("status").expect(0).out
    assert "stopped in phase backends-up" in told
    assert "upgrade/3010_b.sh failed: exit status 5" in told
    assert "held:web, stopped:web" in told
    assert f"continue with:   orchestrator upgrade --config {stack.file}" in told
    stack.step("upgrade/3010_b.sh")
    stack.run("upgrade", "-y").expect(0)
    assert "ended 20" in stack.run("status").expect(0).out
    assert stack.run("status", "-o", "json").json()["state"] == "idle"


def test_runs_are_listed_shown_and_their_logs_read(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "echo first; exit 1")
    product.run("upgrade", "-y").expect(1)
    product.step("upgrade/0010_a.sh", "echo second")
    product.run("upgrade", "-y").expect(0)
    product.step("upgrade/0020_b.sh", "printf '\\377\\001binary'")
    product.run("upgrade", "-y").expect(0)
    rows = product.run("runs", "list").expect(0).out.splitlines()
    assert [row.split()[0][:4] for row in rows] == ["run", "0001", "0002"]
    shown = product.run("runs", "show", "1").expect(0).out
    attempts = [line for line in shown.splitlines() if "upgrade/0010_a.sh (try" in line]
    assert [line.split()[1] for line in attempts] == ["failed", "done"]
    assert attempts[0].endswith("upgrade/0010_a.sh (try 1): exit status 1")
    assert "upgrade/0020_b.sh" in product.run("runs", "show").expect(0).out
    assert product.run("runs", "log", "1", "0010").expect(0).out == "second\n"
    assert product.run("runs", "log", "1", "upgrade/0010_a.sh", "--attempt", "1").out == "first\n"
    assert "\ufffd\x01binary" in product.run("runs", "log", "last", "0020_b.sh").out, "the bytes as they are"
    events = product.run("runs", "log", "1").expect(0).out
    assert "FAILED upgrade/0010_a.sh: exit status 1" in events
    assert "stopped: upgrade/0010_a.sh failed" in events
    assert product.run("runs", "show", "9").expect(2).err.startswith("orchestrator: there is no run 9")
    assert "no step" in product.run("runs", "log", "1", "0777").expect(2).err
    assert "no log" in product.run("runs", "log", "1", "0010", "--attempt", "7").expect(2).err


def test_services_are_stopped_started_and_waited_for_by_hand(stack: Stack) -> None:
    assert stack.run("services", "start").expect(0).out.split("\n")[0].startswith("db is ready")
    assert stack.up() == {"db": True, "web": True}
    listed = {s["service"]: s for s in stack.run("services", "list", "-o", "json").json()}
    assert listed["web"]["readiness"] == "ready"
    stack.run("services", "wait").expect(0)
    assert stack.run("services", "stop", "web").expect(0).out == "web is down\n"
    assert stack.up() == {"db": True, "web": False}
    assert "web is down" in stack.run("services", "wait", "web").expect(5).err
    assert "configured: db, web" in stack.run("services", "start", "wbe").expect(2).err
    stack.run("services", "stop").expect(0)
    assert stack.up() == {"db": False, "web": False}


def test_scripts_are_listed_in_running_order(product: Product) -> None:
    product.step("upgrade/3010_c.sh")
    product.step("default/0010_a.sh")
    product.step("check/5000_b.sh")
    rows = product.run("scripts", "list").expect(0).out.splitlines()[1:]
    assert [row.split()[:3] for row in rows] == [
        ["default/0010_a.sh", "backends-down", "always"],
        ["upgrade/3010_c.sh", "backends-up", "once"],
        ["check/5000_b.sh", "before", "always"],
    ]


def test_lint_judges_a_directory_without_a_configuration(product: Product, tmp_path: Path) -> None:
    product.step("upgrade/0010_a.sh")
    scripts = str(product.directory / "scripts")
    product.file.unlink()
    product.run("scripts", "lint", scripts).expect(0)
    (product.directory / "scripts/upgrade/0020_b.sh").write_text("#!/bin/sh\n")
    err = product.run("scripts", "lint", scripts).expect(78).err
    assert "is not executable" in err
    assert "no #name:" in err


def test_a_new_script_gets_the_next_free_number_of_its_phase_and_runs(product: Product) -> None:
    product.step("upgrade/3010_c.sh")
    path = product.run("scripts", "new", "--phase", "backends-up", "migrate_db").expect(0).out.strip()
    assert Path(path).name == "3020_migrate_db.sh"
    product.run("scripts", "lint", str(product.directory / "scripts")).expect(0)
    for words in (["--phase", "nowhere", "x"], ["--phase", "all-up", "--kind", "some", "x"]):
        assert product.run("scripts", "new", *words).expect(2).err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["upgrade", "--no-such-option"], 2, "No such option"),
        (["nonsense"], 2, "No such command"),
        (["upgrade", "-c", "/nonexistent.yaml"], 78, "there is no configuration at /nonexistent.yaml"),
        (["runs", "log", "last"], 2, "there is no run last"),
        (["upgrade", "-o", "xml"], 2, "xml"),
    ],
)
def test_a_mistake_of_the_user_has_its_status_and_no_traceback(
    product: Product, words: list[str], code: int, told: str
) -> None:
    outcome = product.run(*words).expect(code)
    assert told in outcome.err
    assert "Traceback" not in outcome.err


def test_all_errors_of_the_configuration_are_told_at_once(product: Product) -> None:
    product.config["servces"] = {}
    product.config["services"] = {
        "a": {"tier": "backend", "manager": "process", "command": ["x"], "after": ["b"]},
        "b": {"tier": "backend", "manager": "procces", "comand": ["x"], "ready": [{"tpc": "x"}]},
    }
    product.save()
    err = product.run("plan").expect(78).err
    assert "did you mean services?" in err
    assert "procces" in err


def test_relative_directories_lie_beside_the_configuration_and_not_where_one_stands(tmp_path: Path) -> None:
    (tmp_path / "product").mkdir()
    (tmp_path / "elsewhere").mkdir()
    with temporary_product(tmp_path / "product") as product:
        product.step("upgrade/0010_a.sh")
        relative = os.path.relpath(product.file, tmp_path / "elsewhere")
        product.run("upgrade", "-y", "-c", relative, cwd=tmp_path / "elsewhere").expect(0)
        assert product.ran() == ["0010"]
        assert list((tmp_path / "elsewhere").iterdir()) == []
