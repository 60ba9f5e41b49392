# SPDX-License-Identifier: GPL-3.0-or-later
"""Standard streams that are closed, full, of another encoding, or whose reader goes away."""

import subprocess
from pathlib import Path

import pytest

from tests.support.product import Outcome, Product
from tests.support.servers import accepts
from tests.support.stack import Stack
from tests.support.terminal import at_terminal


def in_shell(product: Product, command: str, **environment: str) -> Outcome:
    """`command` by bash, where $upgrade and $orchestrator are the words of the program."""
    words = {"orchestrator": " ".join(product.argv()), "upgrade": " ".join(product.argv("upgrade", "-y"))}
    done = subprocess.run(
        ["/bin/bash", "-c", command],
        env={**product.environment(**words), **environment},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("output", ["auto", "json"])
def test_closed_streams_are_no_obstacle(stack: Stack, closed: str, output: str) -> None:
    stack.step("upgrade/0010_a.sh", "echo to our log; echo and here >&2")
    outcome = in_shell(stack, f"$upgrade -o {output} {closed}")
    assert outcome.code == 0
    assert "Error" not in outcome.err
    assert stack.up() == {"db": True, "web": True}
    log = next((stack.state / "runs").glob("*/steps/upgrade/0010_a.sh.attempt-1.log"))
    assert log.read_text() == "to our log\nand here\n"
    for path in stack.state.rglob("*"):
        if path.is_file() and path != log:
            assert b"to our log" not in path.read_bytes(), "output went into a file of ours"


@pytest.mark.parametrize(
    "words", ["plan", "status", "pending -q", "history list", "runs list", "services list"]
)
def test_looking_works_with_closed_streams_too(product: Product, words: str) -> None:
    product.step("upgrade/0010_a.sh")
    outcome = in_shell(product, f"$orchestrator {words} <&- >&- 2>&-")
    assert outcome.code == (1 if "pending" in words else 0)


def test_questions_are_not_asked_where_a_stream_is_closed(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    assert in_shell(product, "${upgrade% -y} <&- >&- 2>&-").code == 6
    assert in_shell(product, "${upgrade% -y} </dev/null").code == 6
    assert product.ran() == []


@pytest.mark.parametrize("words", ["", "-o json", "-o rich", "-v"])
def test_a_reader_that_goes_away_does_not_stop_a_run(stack: Stack, words: str) -> None:
    for number in range(10, 60, 10):
        stack.step(f"upgrade/00{number}_{'long' * 40}.sh", "seq 3000")
    outcome = in_shell(stack, f"$upgrade {words} | head -n 1; exit ${{PIPESTATUS[0]}}").expect(0)
    assert "Traceback" not in outcome.err
    assert "BrokenPipe" not in outcome.err
    assert stack.ran() == ["0010", "0020", "0030", "0040", "0050"]
    assert accepts(stack.web)


def test_a_reader_that_is_gone_before_the_plan_is_told_does_not_stop_a_run(product: Product) -> None:
    for number in range(10, 1500, 10):
        product.step(f"upgrade/{number:04}_{'long' * 20}.sh")
    in_shell(product, "$upgrade | true; exit ${PIPESTATUS[0]}").expect(0)
    assert len(product.ran()) == 149


@pytest.mark.parametrize(("words", "code"), [("pending", 1), ("plan", 4), ("check", 4), ("upgrade -y", 4)])
def test_the_status_is_right_though_nobody_reads(product: Product, words: str, code: int) -> None:
    product.step("upgrade/0010_a.sh", "", "#min-disk: /tmp 900T")
    outcome = in_shell(product, f"$orchestrator {words} | true; exit ${{PIPESTATUS[0]}}").expect(code)
    assert "Exception" not in outcome.err
    assert in_shell(product, f"$orchestrator {words} 2>&1 | true; exit ${{PIPESTATUS[0]}}").code == code


def test_output_to_a_full_disk_does_not_stop_a_run(product: Product) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this needs /dev/full")
    product.step("upgrade/0010_a.sh", "seq 5000")
    product.step("upgrade/0020_b.sh")
    assert in_shell(product, "$upgrade >/dev/full").code == 0
    assert product.ran() == ["0010", "0020"]


@pytest.mark.parametrize("output", ["plain", "rich"])
def test_a_terminal_that_cannot_show_everything_gets_what_it_can(product: Product, output: str) -> None:
    product.step("upgrade/0010_a.sh", "echo grün; echo naïve ✓; exit 1")
    outcome = in_shell(product, f"$upgrade -o {output}", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert outcome.code == 1
    assert "gr" in outcome.out
    assert "FAILED upgrade/0010_a.sh" in outcome.out
    assert "upgrade/0010_a.sh failed: exit status 1" in outcome.err


def test_a_dumb_terminal_gets_lines(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "echo hello")
    environment = product.environment()
    with at_terminal(["env", "TERM=dumb", *product.argv("upgrade", "-y")], environment) as screen:
        assert screen.wait() == 0
    assert "0010_a.sh: hello" in screen.text
    assert b"\x1b" not in screen.data
