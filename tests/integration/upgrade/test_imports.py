# SPDX-License-Identifier: GPL-3.0-or-later
"""A step may replace this very program: a run imports nothing of it, nor of others' packages, once it has begun."""

import shutil
import sys
from pathlib import Path

import pytest

import orchestrator
from tests.support.product import Product
from tests.support.stack import Stack, wait_for_step
from tests.support.terminal import INTERRUPT, at_terminal


def watched(product: Product, *words: str) -> list[str]:
    found = str(product.directory / "imported")
    return [sys.executable, "-m", "tests.support.import_watch", found, *words]


def imported(product: Product) -> list[str]:
    return (product.directory / "imported").read_text().split()


@pytest.fixture
def telling(stack: Stack) -> Stack:
    """Its services are up, and others are told of its runs."""
    stack.config["notify"] = [{"at": ["start", "failure", "end"], "command": ["/bin/true"]}]
    stack.config["environment"] = {**stack.config["environment"], "A_PASSWORD": "secret"}
    stack.save()
    stack.start_services()
    return stack


def run(product: Product, *words: str) -> int:
    product.argv = lambda *more: watched(product, *more)  # type: ignore[method-assign]
    try:
        return product.run(*words).code
    finally:
        del product.argv


@pytest.mark.parametrize("output", ["plain", "json", "rich"])
def test_a_run_that_fails_and_is_continued(telling: Stack, output: str) -> None:
    telling.step("upgrade/0010_a.sh", "echo 'gr\u00fcn'; exit 1", "#retry: 1 100ms")
    telling.step("upgrade/3010_b.sh", "sleep 0.3")
    assert run(telling, "upgrade", "-y", "-o", output) == 1
    assert imported(telling) == []
    assert run(telling, "recover", "-o", output) == 0
    telling.step("upgrade/0010_a.sh", "sleep 0.3")
    assert run(telling, "upgrade", "-y", "-o", output) == 0
    assert imported(telling) == []


def test_a_run_that_is_interrupted_at_a_terminal(telling: Stack) -> None:
    until_go = f"while [ ! -e {telling.directory}/go ]; do sleep 0.05; done"
    telling.step("upgrade/0010_a.sh", f"echo one; {until_go}", "#estimate: 2s")
    telling.step("upgrade/3010_b.sh")
    with at_terminal(watched(telling, "upgrade", "-y"), telling.environment()) as screen:
        wait_for_step(telling, "0010")
        screen.type(INTERRUPT)
        screen.expect("Stopping after")
        (telling.directory / "go").touch()
        assert screen.wait() == 130
    assert imported(telling) == []


def test_a_step_may_take_the_program_away(product: Product) -> None:
    code = product.directory / "code"
    source = Path(orchestrator.__file__).parent
    shutil.copytree(source, code / "orchestrator", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(source.parent / "phases", code / "phases")
    product.step("upgrade/0010_a.sh", f"rm -r {code}/orchestrator")
    product.step("upgrade/0020_b.sh", "echo still here; exit 1")
    outcome = product.run("upgrade", "-y", env={"PYTHONPATH": str(code)}, cwd="/").expect(1)
    assert "upgrade/0020_b.sh failed: exit status 1" in outcome.err
    assert "still here" in outcome.out
    assert product.history() == {"0010_a.sh": "done"}
