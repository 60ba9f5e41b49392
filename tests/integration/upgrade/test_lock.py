# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time; who comes second learns who is first."""

import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.support.product import Product
from tests.support.stack import wait_for, wait_for_step


@pytest.fixture
def running(product: Product) -> Iterator[subprocess.Popen[str]]:
    """An upgrade in the middle of its step, which ends when the file `go` appears."""
    product.step("upgrade/0010_a.sh", f"while [ ! -e {product.directory}/go ]; do sleep 0.05; done")
    run = product.start("upgrade", "-y")
    wait_for_step(product, "0010")
    wait_for(lambda: "0010" in (product.state / "lock").read_text(), "the lock tells of the step")
    yield run
    (product.directory / "go").touch()
    run.communicate(timeout=20)


@pytest.mark.parametrize(
    "words",
    [
        ["upgrade", "-y"],
        ["recover"],
        ["history", "baseline"],
        ["history", "mark-done", "0010", "--reason", "x"],
        ["services", "stop"],
    ],
)
def test_a_second_one_ends_with_75_and_names_the_holder(
    product: Product, running: subprocess.Popen[str], words: list[str]
) -> None:
    err = product.run(*words).expect(75).err
    run = next((product.state / "runs").iterdir()).name
    assert f"run {run} (pid {running.pid}, " in err
    assert "since 20" in err
    assert "at upgrade/0010_a.sh" in err
    assert "--wait-lock" in err


def test_what_only_looks_needs_no_lock(product: Product, running: subprocess.Popen[str]) -> None:
    told = product.run("status").expect(0).out
    assert "upgrade/0010_a.sh (1 of 1)" in told
    for words in (["plan"], ["pending"], ["runs", "list"], ["runs", "show"], ["history", "list"], ["check"]):
        assert product.run(*words).code in (0, 1)


def test_it_waits_for_the_lock_when_asked_to(product: Product, running: subprocess.Popen[str]) -> None:
    second = product.start("upgrade", "-y", "--wait-lock", "20s")
    time.sleep(0.8)
    assert second.poll() is None
    (product.directory / "go").touch()
    out, err = second.communicate(timeout=30)
    assert second.returncode == 0, err
    assert "Nothing to do." in out
    assert "Waiting for run 0001-" in err
    assert product.ran() == ["0010"]


def test_it_does_not_wait_longer_than_asked_to(product: Product, running: subprocess.Popen[str]) -> None:
    began = time.monotonic()
    product.run("upgrade", "-y", "--wait-lock", "1s").expect(75)
    assert 1 <= time.monotonic() - began < 6
    assert "soon" in product.run("upgrade", "-y", "--wait-lock", "soon").expect(2).err


def test_the_lock_dies_with_its_holder(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "sleep 0.5")
    run = product.start("upgrade", "-y")
    wait_for_step(product, "0010")
    run.kill()
    run.communicate()
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0010"]


def test_of_many_at_once_one_runs_and_all_others_are_told(product: Product) -> None:
    product.step("upgrade/0010_a.sh", "sleep 3")
    runs = [product.start("upgrade", "-y") for _ in range(4)]
    codes = []
    for run in runs:
        run.communicate(timeout=40)
        codes.append(run.returncode)
    assert sorted(codes) == [0, 75, 75, 75]
    assert product.ran() == ["0010"]
