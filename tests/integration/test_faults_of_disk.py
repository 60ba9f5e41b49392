# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks that are full, become full, are read-only, or fail: nothing is lost, and nothing runs twice."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.disks import fill, read_only, small_disk, unchangeable
from tests.support.product import Outcome, Product
from tests.support.stack import MARK, Stack, temporary_product, wait_for, wait_for_step

UP = {"db": True, "web": True}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Product]:
    """A product whose state lies on a file system of 2 MB."""
    with small_disk(tmp_path / "disk", "2m") as disk:
        product = Product(tmp_path, {"state_dir": str(disk / "state"), "environment": {MARK: str(tmp_path)}})
        yield product


def state(product: Product) -> Path:
    return Path(product.config["state_dir"])


def names_of(product: Product) -> list[str]:
    text = (state(product) / "upgrade-history").read_text()
    return [line.split("\t")[0] for line in text.splitlines()]


def assert_told(outcome: Outcome, *words: str) -> None:
    assert "Traceback" not in outcome.err
    assert "internal error" not in outcome.err
    for word in words:
        assert word in outcome.out + outcome.err


def test_a_disk_that_a_step_fills_costs_nothing_of_the_record(small: Product) -> None:
    del small.config["product"]["version"]
    small.save()
    disk = state(small).parent
    small.step("upgrade/0010_a.sh", fill(disk))
    assert_told(small.run("upgrade", "-y").expect(0))
    assert (disk / "filler").stat().st_size > 1_000_000
    assert names_of(small) == ["0010_a.sh"]
    assert small.run("runs", "list", "-o", "json").json()[0]["outcome"] == "done"


def test_a_version_that_cannot_be_noted_at_the_end_is_noted_by_the_next_command(small: Product) -> None:
    disk = state(small).parent
    small.step("upgrade/0010_a.sh", fill(disk))
    outcome = small.run("upgrade", "-y").expect(1)
    assert_told(outcome, "data-version cannot be written: No space left on device", "continue with:")
    (disk / "filler").unlink()
    small.run("upgrade", "-y").expect(0)
    assert small.ran() == ["0010"]
    assert small.run("runs", "list", "-o", "json").json()[0]["outcome"] == "done"


def test_a_step_that_finds_no_room_fails_like_any_other_and_the_run_goes_on_later(small: Product) -> None:
    disk = state(small).parent
    small.step("upgrade/0010_a.sh", fill(disk))
    small.step("upgrade/0020_b.sh")
    small.step("upgrade/0030_c.sh")
    outcome = small.run("upgrade", "-y").expect(1)
    assert_told(outcome, "No space left on device", "continue with:   orchestrator upgrade")
    assert names_of(small) == ["0010_a.sh"]
    (disk / "filler").unlink()
    assert_told(small.run("upgrade", "-y").expect(0))
    assert names_of(small) == ["0010_a.sh", "0020_b.sh", "0030_c.sh"]
    assert sorted(set(small.ran())) == ["0010", "0020", "0030"]
    assert small.ran().count("0010") == 1


def test_without_room_at_the_start_nothing_is_begun(small: Product) -> None:
    disk = state(small).parent
    small.step("upgrade/0010_a.sh")
    subprocess.run(["/bin/sh", "-c", fill(disk)], check=False)
    outcome = small.run("upgrade", "-y").expect(1)
    assert_told(outcome, "No space left on device")
    assert small.ran() == []
    (disk / "filler").unlink()
    small.run("upgrade", "-y").expect(0)


def test_without_room_at_the_next_start_nothing_is_begun_either(small: Product) -> None:
    disk = state(small).parent
    small.step("upgrade/0010_a.sh")
    small.run("upgrade", "-y").expect(0)
    small.step("upgrade/0020_b.sh")
    subprocess.run(["/bin/sh", "-c", fill(disk)], check=False)
    outcome = small.run("upgrade", "-y").expect(1)
    assert_told(outcome, "No space left on device", "nothing was")
    assert small.ran() == ["0010"]
    for words in (["plan"], ["status"], ["pending"], ["runs", "list"], ["history", "list"]):
        assert_told(small.run(*words))
    (disk / "filler").unlink()
    small.run("upgrade", "-y").expect(0)
    assert small.ran() == ["0010", "0020"]


def test_a_run_stopped_by_a_full_disk_is_continued_on_it_once_there_is_a_little_room(small: Product) -> None:
    disk = state(small).parent
    small.step("upgrade/0010_a.sh", "exit 1")
    small.run("upgrade", "-y").expect(1)
    subprocess.run(["/bin/sh", "-c", fill(disk)], check=False)
    small.step("upgrade/0010_a.sh")
    outcome = small.run("upgrade", "-y").expect(1)
    assert_told(outcome, "No space left on device")
    (disk / "filler").unlink()
    small.run("upgrade", "-y").expect(0)
    assert names_of(small) == ["0010_a.sh"]


def test_a_directory_that_cannot_be_made_stops_the_run_like_any_failure(product: Product) -> None:
    scratch = '"$ORCHESTRATOR_STATE_DIR"/scratch'
    product.step("upgrade/0010_a.sh", f"cd /; rm -rf {scratch}; touch {scratch}")
    product.step("upgrade/0020_b.sh")
    outcome = product.run("upgrade", "-y").expect(1)
    assert_told(outcome, "Not a directory", "continue with:   orchestrator upgrade")
    assert product.history() == {"0010_a.sh": "done"}
    (product.state / "scratch").unlink()
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0010", "0020"]


# The journal --------------------------------------------------------------------------------------


def failing(product: Product, file: str, number: int, error: str) -> Outcome:
    """An upgrade on a disk that refuses `file` from that write on."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.support.failing",
            file,
            str(number),
            error,
            "upgrade",
            "-y",
            "-o",
            "plain",
        ],
        env=product.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("number", "error"),
    [(1, "ENOSPC"), (4, "ENOSPC"), (7, "EIO"), (9, "ENOSPC"), (12, "ENOSPC"), (15, "EIO")],
)
def test_a_journal_that_cannot_be_written_stops_the_run_and_nothing_is_lost(
    stack: Stack, number: int, error: str
) -> None:
    stack.start_services()
    stack.step("upgrade/0010_a.sh")
    stack.step("upgrade/3010_b.sh")
    outcome = failing(stack, "journal.jsonl", number, error).expect(1)
    assert_told(outcome, "the journal", "cannot be written")
    if number > 1:
        assert_told(outcome, "services down:", f"orchestrator upgrade --config {stack.file}")
    stack.run("upgrade", "-y").expect(0)
    assert stack.history() == {"0010_a.sh": "done", "3010_b.sh": "done"}
    assert stack.up() == UP
    assert [stack.ran().count(step) for step in ("0010", "3010")] == [1, 1]


def test_a_history_that_cannot_be_written_stops_the_run_and_the_step_is_recorded_later(
    product: Product,
) -> None:
    product.step("upgrade/0010_a.sh")
    product.step("upgrade/0020_b.sh")
    outcome = failing(product, "upgrade-history", 1, "ENOSPC").expect(1)
    assert_told(outcome, "0010_a.sh is done but cannot be recorded", "continue with:   orchestrator upgrade")
    assert product.history() == {}
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0010", "0020"]
    assert product.history() == {"0010_a.sh": "done", "0020_b.sh": "done"}


# The history --------------------------------------------------------------------------------------


def test_a_history_that_is_unchangeable_refuses_before_anything_stops(stack: Stack) -> None:
    stack.step("upgrade/0010_a.sh")
    stack.run("upgrade", "-y").expect(0)
    stack.step("upgrade/0020_b.sh")
    with unchangeable(stack.state / "upgrade-history"):
        outcome = stack.run("upgrade", "-y").expect(4)
        assert_told(outcome, "upgrade-history: cannot be written: Operation not permitted")
        assert stack.ran() == ["0010"]
        assert stack.up() == UP
        assert_told(stack.run("history", "skip", "0020", "--reason", "x").expect(1), "cannot be written")
    stack.run("upgrade", "-y").expect(0)


def test_a_state_directory_on_a_read_only_file_system_is_refused(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
    product.step("upgrade/0020_b.sh")
    with read_only(product.state):
        outcome = product.run("upgrade", "-y")
        assert outcome.code in (1, 4)
        assert_told(outcome, "Read-only file system")
        assert product.run("pending").code == 1
        assert product.run("plan").code in (0, 4)
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0010", "0020"]


def test_a_history_that_becomes_unchangeable_in_mid_run_stops_it_and_nothing_runs_twice(
    product: Product,
) -> None:
    go = product.directory / "go"
    product.step("upgrade/0010_a.sh", f"while [ ! -e {go} ]; do sleep 0.05; done")
    product.step("upgrade/0020_b.sh")
    run = product.start("upgrade", "-y")
    wait_for_step(product, "0010")
    wait_for((product.state / "upgrade-history").exists, "the history is there")
    with unchangeable(product.state / "upgrade-history"):
        go.touch()
        out, err = run.communicate(timeout=20)
        assert_told(Outcome(run.returncode, out, err).expect(1), "0010_a.sh is done but cannot be recorded")
        assert product.history() == {}
        product.run("upgrade", "-y").expect(4)
    product.run("upgrade", "-y").expect(0)
    assert product.ran() == ["0010", "0020"]
    assert product.history() == {"0010_a.sh": "done", "0020_b.sh": "done"}


def test_services_that_cannot_be_managed_for_want_of_room_are_told(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk, temporary_product(tmp_path) as product:
        product.config["state_dir"] = str(disk / "state")
        product.config["services"] = {
            "web": {
                "tier": "application",
                "manager": "process",
                "command": ["/bin/sleep", "60"],
                "env": {MARK: str(tmp_path)},
            }
        }
        product.save()
        product.step("upgrade/0010_a.sh", fill(disk))
        outcome = product.run("upgrade", "-y")
        assert outcome.code in (1, 5)
        assert_told(outcome, "No space left on device", "continue with:   orchestrator upgrade")
        (disk / "filler").unlink()
        product.run("upgrade", "-y").expect(0)
