# SPDX-License-Identifier: GPL-3.0-or-later
"""`orchestrator runs report` of real runs."""

import os
import signal
import stat
from pathlib import Path

import pytest

from tests.support.product import Product
from tests.support.stack import wait_for_step

FAILS = (
    "echo 'DB_PASSWORD=hunter2hunter2'; echo 'key: geheim-im-topf'; echo '<script>alert(1)</script>'; exit 3"
)


@pytest.fixture
def failed(product: Product) -> Product:
    """Its last run failed at 3020; what it printed holds secrets."""
    product.config["environment"] |= {"SHELF_TOKEN": "geheim-im-topf"}
    product.save()
    product.step("default/3010_first.sh", "sleep 0.1")
    product.step("upgrade/3020_fails.sh", FAILS, "#risk: drops a table")
    product.step("upgrade/3030_later.sh")
    product.run("upgrade", "-y", "--accept", "3020").expect(1)
    return product


def test_a_report_is_one_file_of_its_format_and_says_where_it_is(failed: Product) -> None:
    for name, begin in {
        "a.html": "<!DOCTYPE html>",
        "b.HTM": "<!DOCTYPE html>",
        "c.json": "{",
        "d.md": "# Toy: Failed",
    }.items():
        path = failed.directory / name
        done = failed.run("runs", "report", "-o", str(path)).expect(0)
        assert path.read_text().startswith(begin)
        assert str(path) in done.out
        assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0


def test_secrets_of_the_configuration_and_what_looks_like_one_are_not_in_it(failed: Product) -> None:
    page = failed.run("runs", "report", "--output", "html").expect(0).out
    assert "geheim-im-topf" not in page
    assert "hunter2hunter2" not in page
    assert "DB_PASSWORD=" in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_json_tells_what_a_program_wants_to_know(failed: Product) -> None:
    document = failed.run("runs", "report", "1", "-o", "json").expect(0).json()
    assert document["headline"] == "Failed at upgrade/3020_fails.sh"
    assert [step["status"] for step in document["steps"]] == ["done", "failed", "not run"]
    assert document["consents"][0]["text"] == "upgrade/3020_fails.sh drops a table"
    assert document["left"]["actions"][0]["command"].startswith("orchestrator upgrade --config ")
    (output,) = [a["output"] for step in document["steps"] for a in step["attempts"] if a["output"]]
    assert output["lines"][-1] == "<script>alert(1)</script>"


def test_without_an_option_it_is_markdown_for_a_ticket(failed: Product) -> None:
    told = failed.run("runs", "report").expect(0).out
    assert told.startswith("# Toy: Failed at upgrade/3020\\_fails.sh\n")
    assert "| `upgrade/3030_later.sh` | backends-up | not run |" in told


def test_what_cannot_be_written_is_said_before_anything_is(failed: Product) -> None:
    told = failed.run("runs", "report", "-o", "report.pdf").expect(2).err
    assert all(name in told for name in ("markdown", "html", "json", ".md"))
    assert "no directory" in failed.run("runs", "report", "-o", "/nowhere/report.html").expect(2).err
    Path(failed.directory / "d.html").mkdir()
    assert (
        "is a directory" in failed.run("runs", "report", "-o", str(failed.directory / "d.html")).expect(2).err
    )
    assert "there is no run 9" in failed.run("runs", "report", "9").expect(2).err


def test_a_run_that_was_killed_and_continued_tells_of_the_gap(product: Product) -> None:
    go = product.directory / "go"
    product.step("upgrade/3010_slow.sh", f"until [ -e {go} ]; do sleep 0.05; done")
    with product.start("upgrade", "-y") as process:
        wait_for_step(product, "3010")
        running = product.run("runs", "report", "-o", "json").expect(0).json()
        os.kill(process.pid, signal.SIGKILL)
    assert (running["verdict"], running["steps"][0]["status"]) == ("running", "running")
    orphaned = product.run("runs", "report", "-o", "json").expect(0).json()
    assert (orphaned["verdict"], orphaned["headline"]) == ("died", "Interrupted at upgrade/3010_slow.sh")
    assert orphaned["steps"][0]["message"] == "its runner died; it still runs"
    go.touch()
    product.run("upgrade", "-y").expect(0)
    done = product.run("runs", "report", "-o", "json").expect(0).json()
    assert [one["ended"] for one in done["sessions"]] == ["died", "done"]
    assert [gap["why"] for gap in done["gaps"]] == ["the runner died without a word: it was killed"]
    assert (done["verdict"], done["steps"][0]["status"]) == ("done", "done")
