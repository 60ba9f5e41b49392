# SPDX-License-Identifier: GPL-3.0-or-later
"""Mirrors as steps of an upgrade: real repositories on loopback, interrupted and lossy ones too."""

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.content.generations import MirrorStore
from orchestrator.content.pool import Pool
from tests.support.deb_repository import Deb, DebRepository
from tests.support.fault_server import FaultServer, always, fault_server, slow, status
from tests.support.product import Outcome, Product
from tests.support.rpm_repository import Rpm, RpmRepository
from tests.support.stack import wait_for
from tests.support.tmux import on_screen

WEB, DB, OTHER = Deb("web", depends="db"), Deb("db", "2.1", filler=bytes(200_000)), Deb("other")
# Not to be compressed, so that it takes its time.
LARGE = Deb("db", "2.1", filler=b"".join(n.to_bytes(4, "big") for n in range(200_000)))


@dataclass
class Mirrored:
    """A product with a step that mirrors `up`, a repository on loopback whose packages `web` needs."""

    product: Product
    server: FaultServer
    upstream: DebRepository
    config: Path

    @property
    def content(self) -> Path:
        return self.config.parent / "content"

    @property
    def store(self) -> MirrorStore:
        return MirrorStore(Pool(self.content), "up")

    def configure(self, **options: Any) -> None:
        source = {
            "name": "up",
            "type": "deb",
            "baseurl": self.server.url,
            "repositories": ["stable main"],
            "architectures": ["amd64"],
            "unsigned": True,
            "requirements": ["web", "other"],
        }
        common = {"destination": "content", "retries": 0, **options}
        self.config.write_text(yaml.safe_dump({"common": common, "sources": [source]}))

    def step(self, *actions: dict[str, Any], path: str = "default/0010_mirror.yaml", **header: Any) -> None:
        content = {"name": "Mirror", "description": "Mirrors.", **header, "actions": list(actions)}
        (self.product.directory / "scripts" / path).write_text(yaml.safe_dump(content))

    def upgrade(self, code: int) -> Outcome:
        return self.product.run("upgrade", "-y").expect(code)

    def told(self, run: int = -1) -> list[str]:
        """The names of the events that the step told in a run."""
        return [event["report"]["name"] for event in self.reports(run)]

    def reports(self, run: int = -1) -> list[dict[str, Any]]:
        return [event for event in self.product.journal(run) if event["event"] == "step-reported"]

    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self.product.state.rglob("*.log")))


@pytest.fixture
def mirrored(tmp_path: Path, product: Product) -> Iterator[Mirrored]:
    upstream = DebRepository(tmp_path / "www")
    upstream.publish(WEB, DB, OTHER)
    with fault_server(tmp_path / "www") as server:
        found = Mirrored(product, server, upstream, tmp_path / "mirrors.yaml")
        found.configure()
        found.step({"mirror.clone": {"config": str(found.config), "names": "up"}})
        yield found


# Clone ------------------------------------------------------------------------------------------------


def test_a_step_mirrors_and_its_events_are_in_the_journal(mirrored: Mirrored) -> None:
    mirrored.upgrade(0)
    tree = mirrored.content / "published" / "up"
    assert {path.name for path in tree.rglob("*.deb")} == {deb.file_name for deb in (WEB, DB, OTHER)}
    assert mirrored.told() == ["resolved", "fetching", "published"]
    published = mirrored.reports()[-1]["report"]
    assert published["text"].startswith("up: published generation 1: 3 packages")
    assert (published["action"], published["source"]) == ("mirror.clone", "up")
    assert (published["generation"], published["packages"], published["losses"]) == (1, 3, 0)
    mirrored.upgrade(0)
    assert mirrored.told() == ["unchanged"], "it is safe to repeat"


def test_a_step_mirrors_rpms_too_and_sources_after_one_that_fails(mirrored: Mirrored, tmp_path: Path) -> None:
    packages = (Rpm("tool", requires=("lib",)), Rpm("lib"), Rpm("game"))
    RpmRepository(tmp_path / "www" / "rpms").write(packages)
    content = yaml.safe_load(mirrored.config.read_text())
    rpms = {
        "name": "rpms",
        "type": "rpm",
        "baseurl": f"{mirrored.server.url}rpms",
        "repositories": ["."],
        "unsigned": True,
        "requirements": ["tool"],
    }
    content["sources"].append(rpms)
    content["sources"][0]["baseurl"] += "nowhere"
    mirrored.config.write_text(yaml.safe_dump(content))
    mirrored.step({"mirror.clone": {"config": str(mirrored.config)}})
    assert "1 of 2 mirrors could not be brought up to date: up" in mirrored.upgrade(1).err
    tree = (mirrored.content / "published" / "rpms").resolve()
    assert {path.name for path in tree.rglob("*.rpm")} == {packages[0].file_name, packages[1].file_name}


def test_the_configuration_may_name_the_mirrors_file_for_all_steps(mirrored: Mirrored) -> None:
    mirrored.product.config["environment"]["ORCHESTRATOR_MIRRORS"] = str(mirrored.config)
    mirrored.product.save()
    mirrored.step({"mirror.clone": None})
    mirrored.upgrade(0)
    assert (mirrored.content / "published" / "up").exists()


def test_losses_inside_the_error_budget_end_the_upgrade_with_3(mirrored: Mirrored) -> None:
    mirrored.server.faults[f"/{DB.path}"] = always(status(404))
    outcome = mirrored.upgrade(3)
    tree = mirrored.content / "published" / "up"
    assert {path.name for path in tree.rglob("*.deb")} == {OTHER.file_name}, "without what needs it, too"
    lost = [event["report"] for event in mirrored.reports() if event["report"].get("lost")]
    assert lost[0]["what"] == DB.path
    assert "web" in lost[1]["what"]
    assert "Upgrade done, 2 lost in default/0010_mirror.yaml." in outcome.out
    shown = mirrored.product.run("runs", "show", "-o", "json").expect(0).json()
    assert (shown["outcome"], shown["exit_code"]) == ("done-with-losses", 3)
    del mirrored.server.faults[f"/{DB.path}"]
    mirrored.upgrade(0)


def test_more_losses_than_the_budget_fail_the_step_and_the_old_mirror_stays(mirrored: Mirrored) -> None:
    mirrored.upgrade(0)
    mirrored.configure(ignore_error_count=0)
    newer = Deb("db", "2.2")
    mirrored.upstream.publish(WEB, newer, OTHER)
    mirrored.server.faults[f"/{newer.path}"] = always(status(404))
    outcome = mirrored.upgrade(1)
    assert "1 of 1 mirrors could not be brought up to date: up" in outcome.err
    assert "404" in mirrored.log()
    assert (mirrored.content / "published" / "up" / DB.path).exists()
    del mirrored.server.faults[f"/{newer.path}"]
    mirrored.upgrade(0)
    assert (mirrored.content / "published" / "up" / newer.path).exists()


def test_a_mirror_that_another_run_works_on_asks_to_be_tried_later(mirrored: Mirrored) -> None:
    with mirrored.store.lock():
        outcome = mirrored.upgrade(75)
    assert "asks to be tried again later (exit status 75)" in outcome.err
    mirrored.upgrade(0)


def test_a_retry_of_the_step_finds_the_mirror_free(mirrored: Mirrored) -> None:
    mirrored.step({"mirror.clone": {"config": str(mirrored.config)}}, retry="20 200ms")
    with mirrored.store.lock():
        run = mirrored.product.start("upgrade", "-y")
        wait_for(lambda: "is tried again" in str(mirrored.product.journal()), "the step was busy")
    out, err = run.communicate(timeout=30)
    assert run.returncode == 0, out + err
    statuses = [e["status"] for e in mirrored.product.journal() if e["event"] == "step-ended"]
    assert set(statuses[:-1]) == {"later"}
    assert statuses[-1] == "done"


def test_a_step_may_wait_for_the_lock(mirrored: Mirrored) -> None:
    mirrored.step({"mirror.clone": {"config": str(mirrored.config), "wait_lock": "20s"}})
    with mirrored.store.lock():
        run = mirrored.product.start("upgrade", "-y")
        wait_for(lambda: "action 1 of 1" in mirrored.log(), "the action has begun")
        time.sleep(0.5)
    run.communicate(timeout=30)
    assert run.returncode == 0


# In the middle of a download ----------------------------------------------------------------------------


@pytest.fixture
def downloading(mirrored: Mirrored) -> Mirrored:
    """As it is, the download would take a quarter of a minute; `quickly` ends that."""
    mirrored.upstream.publish(WEB, LARGE, OTHER)
    mirrored.server.faults[f"/{LARGE.path}"] = always(slow(20_000))
    return mirrored


def wait_for_the_download(mirrored: Mirrored) -> None:
    wait_for(lambda: mirrored.server.count(f"/{LARGE.path}") == 1, "the large file is asked for")
    wait_for(lambda: mirrored.server.count(f"/{OTHER.path}") == 1, "the others are, too")
    time.sleep(0.3)


def quickly(mirrored: Mirrored) -> None:
    del mirrored.server.faults[f"/{LARGE.path}"]


def test_the_live_view_shows_how_far_the_download_is(downloading: Mirrored) -> None:
    downloading.server.faults[f"/{LARGE.path}"] = always(slow(60_000))
    product = downloading.product
    with on_screen(product.argv("upgrade", "-y"), product.environment(), columns=100) as screen:
        screen.expect("up: 2 of 3 files, ", timeout=30)
        [line] = [line for line in screen.lines() if line.startswith("  up: 2 of 3 files")]
        assert "KiB/s" in line
        assert line.endswith(" left")
        assert "  up: 3 files to download" in screen.text(), "what stays"
        assert screen.ended() == 0
        assert "up: 2 of 3 files" not in screen.text()
        assert screen.cursor_is_visible
    assert "2 of 3 files" not in downloading.log(), "the log is not flooded"


def test_the_first_ctrl_c_lets_the_mirror_be_finished(downloading: Mirrored) -> None:
    downloading.server.faults[f"/{LARGE.path}"] = always(slow(120_000))
    run = downloading.product.start("upgrade", "-y")
    wait_for_the_download(downloading)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=30)
    assert run.returncode == 130
    assert (downloading.content / "published" / "up" / LARGE.path).exists()
    downloading.upgrade(0)


def test_the_second_ctrl_c_ends_the_download_and_the_next_run_goes_on(downloading: Mirrored) -> None:
    run = downloading.product.start("upgrade", "-y")
    wait_for_the_download(downloading)
    run.send_signal(signal.SIGINT)
    wait_for(lambda: "after-step" in str(downloading.product.journal()), "the press is on record")
    began = time.monotonic()
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=30)
    assert run.returncode == 130
    assert time.monotonic() - began < 5, "in good order, but soon"
    [ended] = [e for e in downloading.product.journal() if e["event"] == "step-ended"]
    assert (ended["status"], ended["exit"]) == ("stopped", 130)
    assert not (downloading.content / "published" / "up").exists()
    quickly(downloading)
    downloading.upgrade(0)
    assert (downloading.content / "published" / "up" / LARGE.path).read_bytes() == LARGE.bytes()


def test_a_runner_that_is_killed_leaves_the_mirror_to_be_finished(downloading: Mirrored) -> None:
    downloading.server.faults[f"/{LARGE.path}"] = always(slow(120_000))
    run = downloading.product.start("upgrade", "-y")
    wait_for_the_download(downloading)
    wait_for(lambda: downloading.told() == ["resolved", "fetching"], "the events are in the journal")
    run.kill()
    run.communicate()
    outcome = downloading.upgrade(0)
    assert "0010_mirror.yaml still runs (pid" in outcome.out
    assert downloading.told() == ["resolved", "fetching", "published"], "each once"
    assert [event["number"] for event in downloading.reports()] == [1, 2, 3]
    [begun] = [e for e in downloading.product.journal() if e["event"] == "step-started"]
    assert begun["attempt"] == 1
    assert (downloading.content / "published" / "up" / LARGE.path).exists()


def test_when_the_step_is_killed_too_it_is_run_again_and_loses_only_what_was_in_flight(
    downloading: Mirrored,
) -> None:
    run = downloading.product.start("upgrade", "-y")
    wait_for_the_download(downloading)
    [record] = downloading.product.state.rglob("*.status")
    pid = json.loads(record.read_text())["pid"]
    run.kill()
    run.communicate()
    os.kill(pid, signal.SIGKILL)
    quickly(downloading)
    downloading.upgrade(0)
    assert (downloading.content / "published" / "up" / LARGE.path).read_bytes() == LARGE.bytes()
    assert downloading.server.count(f"/{WEB.path}") == 1, "what was whole is not fetched again"


# Verify and roll back -----------------------------------------------------------------------------------


def test_a_check_may_verify_a_mirror(mirrored: Mirrored) -> None:
    mirrored.upgrade(0)
    verify = {"mirror.verify": {"config": str(mirrored.config)}}
    mirrored.step(verify, path="check/0010_mirrors.yaml")
    mirrored.product.run("check").expect(0)
    damaged = mirrored.content / "published" / "up" / DB.path
    damaged.write_bytes(bytes(damaged.stat().st_size))
    assert "damaged mirrors: up" in mirrored.product.run("check").expect(4).out
    repair = {"mirror.verify": {"config": str(mirrored.config), "repair": True}}
    mirrored.step(repair)
    (mirrored.product.directory / "scripts/check/0010_mirrors.yaml").unlink()
    mirrored.upgrade(0)
    assert "verified" in mirrored.told()
    assert (mirrored.content / "published" / "up" / DB.path).read_bytes() == DB.bytes()


@pytest.fixture
def three(mirrored: Mirrored) -> Mirrored:
    """Three generations."""
    for version in ("1", "2", "3"):
        mirrored.upstream.publish(WEB, DB, Deb("other", version))
        mirrored.upgrade(0)
    assert mirrored.store.current().number == 3  # type: ignore[union-attr]
    return mirrored


def current(mirrored: Mirrored) -> int:
    generation = mirrored.store.current()
    return generation.number if generation else 0


def test_a_step_rolls_back_to_the_generation_before(three: Mirrored) -> None:
    three.step({"mirror.rollback": {"config": str(three.config), "name": "up"}})
    three.upgrade(0)
    assert current(three) == 2
    assert three.told() == ["rolled-back"]


def test_a_rollback_that_is_repeated_after_a_failure_goes_no_further_back(three: Mirrored) -> None:
    rollback = {"mirror.rollback": {"config": str(three.config), "name": "up"}}
    three.step(rollback, {"command": ["/bin/sh", "-c", f"[ -e {three.product.directory}/mended ]"]})
    three.upgrade(1)
    assert current(three) == 2
    (three.product.directory / "mended").touch()
    three.upgrade(0)
    assert current(three) == 2
    assert "rolled back already, generation 2 is published" in three.log()


def test_a_step_rolls_back_to_a_named_generation(three: Mirrored) -> None:
    three.step({"mirror.rollback": {"config": str(three.config), "name": "up", "to": 1}})
    three.upgrade(0)
    assert current(three) == 1
    three.step({"mirror.rollback": {"config": str(three.config), "name": "up", "to": 9}})
    assert "does not have a generation 9" in three.upgrade(1).err


# Before anything is stopped -----------------------------------------------------------------------------


def test_a_mirrors_file_that_is_not_there_refuses_the_upgrade(mirrored: Mirrored) -> None:
    mirrored.config.unlink()
    outcome = mirrored.upgrade(4)
    assert "default/0010_mirror.yaml" in outcome.err
    assert f"there is no mirrors file at {mirrored.config}" in outcome.err


def test_a_mirrors_file_with_errors_refuses_the_upgrade_with_all_of_them(mirrored: Mirrored) -> None:
    mirrored.config.write_text("common: {threads: many}\nsources: [{name: x, typo: 1}]\n")
    err = mirrored.upgrade(4).err
    assert "common.threads" in err
    assert "typo" in err


def test_a_name_that_is_no_source_refuses_the_upgrade(mirrored: Mirrored) -> None:
    mirrored.step({"mirror.clone": {"config": str(mirrored.config), "names": ["upp"]}})
    assert "has no source upp (did you mean up?)" in mirrored.upgrade(4).err
    assert "has no source upp" in mirrored.product.run("check").expect(4).out


def test_a_step_that_is_not_due_does_not_ask_for_its_mirrors_file(mirrored: Mirrored) -> None:
    clone = {"mirror.clone": {"config": str(mirrored.config)}}
    (mirrored.product.directory / "scripts/default/0010_mirror.yaml").unlink()
    mirrored.step(clone, path="upgrade/0010_mirror.yaml")
    mirrored.upgrade(0)
    mirrored.config.unlink()
    mirrored.upgrade(0)


def test_a_mistake_in_the_parameters_is_a_mistake_of_the_plan(mirrored: Mirrored) -> None:
    mirrored.step({"mirror.clone": {"confg": str(mirrored.config)}})
    assert "mirror.clone: unknown key confg (did you mean config?)" in mirrored.upgrade(78).err
    lint = mirrored.product.run("scripts", "lint", str(mirrored.product.directory / "scripts")).expect(78)
    assert "unknown key confg" in lint.err
