# SPDX-License-Identifier: GPL-3.0-or-later
"""What the end of a step means, and what a step finds around itself."""

import json
import time

import pytest

from tests.support.product import Product
from tests.support.stack import python_step, wait_for_step


def ended(product: Product) -> list[tuple[str, str]]:
    """Step and status of every attempt that ended."""
    return [(e["step"], e["status"]) for e in product.journal() if e["event"] == "step-ended"]


def test_a_step_that_exits_with_0_is_done_and_in_the_history(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
    assert ended(product) == [("upgrade/0010_a.sh", "done")]
    assert product.history() == {"0010_a.sh": "done"}


def test_a_failing_step_ends_the_run_with_1_and_nothing_after_it_runs(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "echo about to fail; exit 3")
    product.step("upgrade/0020_b.sh")
    outcome = product.run("upgrade", "-y").expect(1)
    assert product.ran() == ["0010"]
    assert product.history() == {}
    assert "upgrade/0010_a.sh failed: exit status 3" in outcome.err
    assert "about to fail" in outcome.err
    assert f"--config {product.file}" in outcome.out
    assert "continue with:   orchestrator upgrade" in outcome.out


@pytest.mark.parametrize("status", [2, 4, 5, 6, 64, 76, 78, 126, 127, 130, 200, 255])
def test_every_other_status_is_a_failure(product: Product, status: int) -> None:
    product.step("upgrade/0010_a.sh", f"exit {status}")
    assert f"exit status {status}" in product.run("upgrade", "-y").expect(1).err


def test_a_step_killed_by_a_signal_has_failed_and_the_signal_is_named(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "kill -SEGV $$")
    assert "killed by SIGSEGV" in product.run("upgrade", "-y").expect(1).err
    assert product.history() == {}


def test_77_means_does_not_apply_here_and_is_asked_again_next_time(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "exit 77")
    product.step("upgrade/0020_b.sh")
    outcome = product.run("upgrade", "-y").expect(0)
    assert "n/a    upgrade/0010_a.sh" in outcome.out
    assert product.history() == {"0020_b.sh": "done"}
    product.run("pending", "-q").expect(0)  # or its application would stay behind the gate for ever
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0010", "0020", "0010"]


def test_75_means_later_and_the_command_says_so_by_its_own_status(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "exit 75")
    outcome = product.run("upgrade", "-y").expect(75)
    assert "tried again later" in outcome.err
    assert product.history() == {}


@pytest.mark.parametrize("failure", ["exit 1", "exit 75", "kill -9 $$"])
def test_a_step_is_tried_again_as_often_as_it_says(product: Product, failure: str) -> None:
    product.step("upgrade/0010_a.sh", failure, "#retry: 2 0s")
    product.run("upgrade", "-y").expect(75 if failure == "exit 75" else 1)
    assert product.ran() == ["0010"] * 3
    assert [e["attempt"] for e in product.journal() if e["event"] == "step-started"] == [1, 2, 3]


def test_a_retry_that_succeeds_is_a_success(product: Product) -> None:
    marker = product.directory / "marker"
    product.step("upgrade/0010_a.sh", f"[ -e {marker} ] || {{ touch {marker}; exit 75; }}", "#retry: 3 0.3s")
    outcome = product.run("upgrade", "-y").expect(0)
    starts = [e["mono"] for e in product.journal() if e["event"] == "step-started"]
    assert len(starts) == 2
    assert starts[1] - starts[0] >= 0.3
    assert "tried again in 0.3 s (1 of 3)" in outcome.out
    assert product.history() == {"0010_a.sh": "done"}


def test_77_is_not_tried_again(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "exit 77", "#retry: 2 0s")
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0010"]


def test_a_step_over_its_time_limit_is_terminated_and_has_failed(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "trap 'echo got TERM; exit 1' TERM; sleep 60 & wait", "#timeout: 0.3s")
    outcome = product.run("upgrade", "-y").expect(1)
    assert "did not end within its time limit" in outcome.err
    assert "got TERM" in outcome.err
    assert ended(product) == [("upgrade/0010_a.sh", "timed-out")]


def test_the_time_limit_is_for_the_whole_process_group(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "sleep 60; echo never", "#timeout: 0.3s")
    began = time.monotonic()
    outcome = product.run("upgrade", "-y").expect(1)
    assert time.monotonic() - began < 8
    assert "left running" not in outcome.out


@pytest.mark.slow
def test_a_step_that_ignores_that_is_killed_ten_seconds_later(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "trap '' TERM; while :; do sleep 0.1; done", "#timeout: 0.3s")
    began = time.monotonic()
    outcome = product.run("upgrade", "-y").expect(1)
    assert 10 < time.monotonic() - began < 16
    assert "10 s after TERM: KILL" in outcome.out
    assert ended(product) == [("upgrade/0010_a.sh", "timed-out")]


def test_a_step_that_succeeds_in_spite_of_that_has_succeeded(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "trap 'exit 0' TERM; sleep 60 & wait", "#timeout: 0.2s")
    product.run("upgrade", "-y").expect(0)
    assert product.history() == {"0010_a.sh": "done"}


def test_a_failure_that_may_be_passed_over_ends_with_3_and_the_step_stays_due(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "exit 1", "#on-failure: continue")
    product.step("upgrade/0020_b.sh")
    outcome = product.run("upgrade", "-y").expect(3)
    assert product.ran() == ["0010", "0020"]
    assert product.history() == {"0020_b.sh": "done"}
    assert "FAILED upgrade/0010_a.sh" in outcome.out
    assert product.run("pending", "-o", "json").expect(0).json()["unfinished_run"] is None
    product.run("upgrade", "-y").expect(3)
    assert product.ran() == ["0010", "0020", "0010"]


def test_a_step_finds_a_clean_environment(product: Product) -> None:
    python_step(
        product,
        "upgrade/3010_a.py",
        f"""
        import json, os, sys
        scratch = os.environ["ORCHESTRATOR_SCRATCH_DIR"]
        found = {{
            "env": dict(os.environ), "cwd": os.getcwd(), "umask": os.umask(0), "stdin": sys.stdin.read(),
            "session": os.getsid(0) == os.getpid(), "scratch": os.path.isdir(scratch),
        }}
        json.dump(found, open({str(product.directory / "found")!r}, "w"))
        """,
    )
    product.run("upgrade", "-y", env={"LANG": "de_DE.UTF-8", "SECRET": "x", "TERM": "xterm"}).expect(0)
    found = json.loads((product.directory / "found").read_text())
    assert (found["cwd"], found["umask"], found["stdin"]) == ("/", 0o022, "")
    assert found["session"]
    assert found["scratch"]
    own = {k.removeprefix("ORCHESTRATOR_"): v for k, v in found["env"].items() if "ORCHESTRATOR_" in k}
    assert own.pop("RUN_ID").startswith("0001-")
    for directory in ("SCRATCH_DIR", "EVENTS", "PROGRESS"):
        assert own.pop(directory).startswith(str(product.state))
    assert own == {
        "PHASE": "backends-up",
        "STEP": "upgrade/3010_a.py",
        "KIND": "upgrade",
        "ATTEMPT": "1",
        "ASSUMEYES": "1",
        "DRY_RUN": "0",
        "STATE_DIR": str(product.state),
        "LOG_DIR": str(product.directory / "log"),
        "FROM_VERSION": "",
        "TO_VERSION": "2.0",
        "CONFIG": str(product.file),
        "INVOKER": "unattended",
    }
    assert (found["env"]["LANG"], found["env"]["LC_ALL"]) == ("C.UTF-8", "C.UTF-8")
    assert not {"SECRET", "TERM"} & found["env"].keys()


def test_signals_have_their_usual_meaning_in_a_step(product: Product) -> None:
    product.step("upgrade/0010_a.sh", f"grep SigIgn /proc/self/status >{product.directory}/ignored")
    product.run("upgrade", "-y").expect(0)
    ignored = int((product.directory / "ignored").read_text().split()[1], 16)
    names = {1: "HUP", 2: "INT", 13: "PIPE", 15: "TERM"}
    assert [name for number, name in names.items() if ignored & 1 << number - 1] == []


def test_scratch_space_stays_until_the_step_succeeds(product: Product) -> None:
    body = 'cd "$ORCHESTRATOR_SCRATCH_DIR"; [ -e half ] && exit 0; touch half; exit 1'
    product.step("upgrade/0010_a.sh", body)
    product.run("upgrade", "-y").expect(1)
    assert (product.state / "scratch/upgrade/0010_a.sh/half").exists()
    product.run("upgrade", "-y").expect(0)
    assert not (product.state / "scratch/upgrade/0010_a.sh").exists()


def test_the_end_of_a_step_is_the_end_of_its_main_process(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "sleep 300 &")
    product.step("upgrade/0020_b.sh")
    began = time.monotonic()
    outcome = product.run("upgrade", "-y").expect(0)
    assert time.monotonic() - began < 8
    left = [e["left"] for e in product.journal() if e["event"] == "step-ended"]
    assert len(left[0]) == 1
    assert "sleep 300" in left[0][0]
    assert left[1] == [], "what one step left is not blamed on the next"
    assert f"upgrade/0010_a.sh left running: {left[0][0]}" in outcome.out


def test_plain_output_has_the_name_of_its_step_before_every_line(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "echo one; echo two >&2; printf three")
    out = product.run("upgrade", "-y").expect(0).out.splitlines()
    assert [line for line in out if line.startswith("0010_a.sh: ")] == [
        "0010_a.sh: one",
        "0010_a.sh: two",
        "0010_a.sh: three",
    ]


def test_output_is_shown_while_the_step_runs(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "echo early; sleep 60")
    run = product.start("upgrade", "-y")
    assert run.stdout is not None
    try:
        while "0010_a.sh: early" not in run.stdout.readline():
            pass
    finally:
        wait_for_step(product, "0010")
        run.kill()
        run.communicate()


def test_json_output_is_the_journal_line_by_line(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "echo hidden")
    product.step("upgrade/0020_b.sh", "exit 1")
    outcome = product.run("upgrade", "-y", "-o", "json").expect(1)
    *lines, error = outcome.events()
    assert lines == product.journal()
    assert (error["event"], error["exit_code"]) == ("error", 1)


def test_a_yaml_step_performs_its_actions(product: Product) -> None:
    path = product.directory / "scripts/upgrade/0010_a.yaml"
    path.write_text(
        "name: Actions\ndescription: Two commands.\nactions:\n"
        f"- command: [/bin/sh, -c, 'echo one >>{product.trace}']\n"
        f"- command: {{run: [/bin/sh, -c, 'echo two >>{product.trace}; exit 3'], ok: [3]}}\n"
    )
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["one", "two"]
    path.write_text(path.read_text().replace("ok: [3]", "ok: [0]").replace("Actions", "Changed"))
    product.run("history", "redo", "0010", "--reason", "again").expect(0)
    assert "exited with 3" in product.run("upgrade", "-y").expect(1).err
