# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 of the runner at every write and rename; a re-run ends as an undisturbed run does."""

import shutil
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from orchestrator.upgrade.runs import list_runs
from tests.support.product import Product, process_service
from tests.support.servers import accepts, free_port

CHUNKS = 3
# Every second point is taken: for each, two upgrades run.
STRIDE = 2
# Steps that must each have succeeded exactly once, whatever happened to the runner.
EXPECTED = ["0010", "0020", "0030", "3010", "3020", "3030", "6010"]
ONE_SHOTS = {"0020_insert.sh", "0030_retried.sh", "3020_insert.sh", "3030_fails_once.sh"}


def succeed(product: Product, number: str) -> str:
    """Shell that adds a row to the database, as a migration that must not happen twice would."""
    statement = f"insert into done(step) values('{number}')"
    program = f"import sqlite3; c = sqlite3.connect('{product.directory}/db', timeout=30); c.execute(\\\"{statement}\\\"); c.commit()"
    return f'{sys.executable} -S -c "{program}"'


def fail_first(product: Product, number: str) -> str:
    marker = product.directory / f"failed-{number}"
    return f"if [ ! -e {marker} ]; then touch {marker}; exit 1; fi\n{succeed(product, number)}"


def build(directory: Path) -> Product:
    directory.mkdir()
    web, db = free_port(), free_port()
    product = Product(
        directory,
        {
            "services": {
                "db": process_service("backend", db, env={"CRASH_SWEEP": str(directory)}),
                "web": process_service("application", web, after=["db"], env={"CRASH_SWEEP": str(directory)}),
            }
        },
    )
    with sqlite3.connect(directory / "db") as connection:
        connection.execute("create table done(step text)")
    product.step("default/0010_always.sh", succeed(product, "0010"))
    product.step("upgrade/0020_insert.sh", succeed(product, "0020"))
    product.step("upgrade/0030_retried.sh", fail_first(product, "0030"), "#retry: 1 0s")
    product.step("default/3010_always.sh", succeed(product, "3010"))
    tell = """echo '{"name": "inserted"}' >>"$ORCHESTRATOR_EVENTS" """
    product.step("upgrade/3020_insert.sh", f"{tell}; sleep 0.05; {tell}; {succeed(product, '3020')}")
    product.step("upgrade/3030_fails_once.sh", fail_first(product, "3030"))
    product.step("default/6010_always.sh", succeed(product, "6010"))
    return product


def stop_services(product: Product) -> None:
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get("CRASH_SWEEP") == str(product.directory):
            process.kill()


@dataclass(frozen=True)
class End:
    """What an undisturbed run and a killed and continued one must have in common."""

    done: list[str]
    history: set[str]
    ready: list[bool]
    outcome: str
    debts: list[str]
    # Lines of what steps told, as they stand in the journal.
    reported: list[int]


UNDISTURBED = End(EXPECTED, ONE_SHOTS, [True, True], "done", [], [1, 2])


def end_of(product: Product) -> End:
    with sqlite3.connect(product.directory / "db") as connection:
        done = [row[0] for row in connection.execute("select step from done order by step")]
    ready = [accepts(service["ports"][0]) for service in product.config["services"].values()]
    runs = list_runs(product.state)
    assert len(runs) == 1, "it is one run, however often it was continued"
    state = runs[0].state()
    told = [event["number"] for event in product.journal() if event["event"] == "step-reported"]
    return End(done, set(product.history()), ready, str(state.outcome), sorted(state.debts), told)


def killed_run(product: Product, point: int, *count: str) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.killing", str(point), *count, "upgrade", "-y", "-o", "plain"],
        env=product.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode


def finish(product: Product) -> None:
    """Run the command again until it is done; the step that fails once needs one time more."""
    codes = []
    for _ in range(4):
        outcome = product.run("upgrade", "-y", "-o", "plain")
        codes.append(outcome.code)
        if outcome.code == 0:
            return
        assert outcome.code == 1, f"{codes}\n{outcome.out}\n{outcome.err}"
        assert "3030_fails_once.sh failed" in outcome.err, outcome.err
    pytest.fail(f"the upgrade does not come to its end: {codes}")


def points_of_a_run(tmp_path: Path) -> int:
    product = build(tmp_path / "counted")
    try:
        assert killed_run(product, 0, "--count", str(tmp_path / "count")) == 1
        finish(product)
        assert end_of(product) == UNDISTURBED
    finally:
        stop_services(product)
    return int((tmp_path / "count").read_text())


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_killed_run_continues_to_the_same_end(tmp_path: Path, chunk: int) -> None:
    points = points_of_a_run(tmp_path)
    assert points >= 50, "the sweep would not reach what it is for"
    for point in range(1 + STRIDE * chunk, points + 1, STRIDE * CHUNKS):
        product = build(tmp_path / f"point-{point}")
        try:
            code = killed_run(product, point)
            assert code in (-9, 1), f"point {point}: exit {code}"
            finish(product)
            assert end_of(product) == UNDISTURBED, f"killed at point {point}"
        finally:
            stop_services(product)
        shutil.rmtree(product.directory)


def test_every_step_ends_once_though_the_runner_is_killed_while_it_runs(tmp_path: Path) -> None:
    product = build(tmp_path / "product")
    product.step("upgrade/3020_insert.sh", f"sleep 3; {succeed(product, '3020')}")
    try:
        runner = product.start("upgrade", "-y", "-o", "plain")
        while "3020" not in product.ran():
            time.sleep(0.02)
        runner.kill()
        runner.communicate()
        outcome = product.run("upgrade", "-y", "-o", "plain")
        assert "upgrade/3020_insert.sh still runs (pid" in outcome.out
        finish(product)
        assert end_of(product).done == EXPECTED
        assert product.ran().count("3020") == 1
    finally:
        stop_services(product)
