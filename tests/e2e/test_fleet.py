# SPDX-License-Identifier: GPL-3.0-or-later
"""The example for Ansible: real plays over real ssh against three systemd hosts, from 1.0 to 2.0."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import fleet as fleets
from tests.support.documentation import blocks
from tests.support.fleet import Fleet
from tests.support.requirements import require
from tests.support.servers import server_directory, wait_until

pytestmark = [pytest.mark.systemd, pytest.mark.slow]

NAMES = ("alpha", "beta", "gamma")


@pytest.fixture(scope="module")
def installed() -> Iterator[Fleet]:
    require(not fleets.obstacle(), fleets.obstacle())
    with server_directory() as directory, fleets.fleet(directory, NAMES) as made:
        yield made


@pytest.fixture
def fleet(installed: Fleet) -> Fleet:
    for server in installed.servers.values():
        server.reset()
    return installed


def began(fleet: Fleet, name: str) -> str:
    return str(fleet.servers[name].runs()[0]["started"])


def untouched(fleet: Fleet, *names: str) -> bool:
    return all(not fleet.servers[name].runs() and not fleet.servers[name].read("files") for name in names)


def test_a_failing_check_on_one_server_keeps_all_from_being_touched(fleet: Fleet) -> None:
    fleet.servers["gamma"].mark("no-room")

    play = fleet.play().expect(2)

    assert untouched(fleet, *NAMES)
    assert {name: row["outcome"] for name, row in play.summary.items()} == {
        "alpha": "not-begun",
        "beta": "not-begun",
        "gamma": "refused",
    }
    assert "1 of 3 servers cannot be upgraded now; none was touched" in play.text
    assert "gamma: check/0010_room.sh: 0010_room.sh: no room for the dump" in play.text
    assert "--limit 'all:!gamma'" in play.text
    assert set(play.changed.values()) == {0}


def test_a_canary_that_fails_stops_the_play_and_the_next_one_continues_it_then_the_others(
    fleet: Fleet,
) -> None:
    fleet.servers["alpha"].mark("broken")

    play = fleet.play().expect(2)

    assert untouched(fleet, "beta", "gamma")
    assert {name: row["outcome"] for name, row in play.summary.items()} == {
        "alpha": "step-failed",
        "beta": "not-begun",
        "gamma": "not-begun",
    }
    canary = play.summary["alpha"]
    assert canary["exit_code"] == 1
    assert "3100_schema.sh" in canary["reason"]
    assert canary["files"] == ["alpha.html", "alpha.json", "alpha.tar.zst"]
    assert "column price: no such type" in (play.collected / "alpha.html").read_text()
    members = subprocess.run(
        ["tar", "--zstd", "-tf", play.collected / "alpha.tar.zst"], capture_output=True, text=True, check=True
    ).stdout
    assert "journal.jsonl" in members
    assert "stopped after alpha; 2 of 3 servers were not begun" in play.text
    assert canary["reason"] in play.markdown

    fleet.servers["alpha"].mark("broken", there=False)
    fleet.servers["gamma"].mark("hold")
    with fleet.playing(orchestrator_waves=[1, "100%"]) as end:
        wait_until(lambda: "RETRYING: [gamma]" in fleet.said(), "the wait for gamma", timeout=90)
        assert fleet.servers["gamma"].marked("held")
        with fleet.cut_off("gamma"):
            wait_until(lambda: "[gamma]: UNREACHABLE" in fleet.said(), "the loss of gamma")
            fleet.servers["gamma"].mark("hold", there=False)
        again = end().expect(0)

    assert {row["outcome"] for row in again.summary.values()} == {"done"}
    assert [len(fleet.servers[name].runs()) for name in NAMES] == [1, 1, 1]
    assert fleet.servers["alpha"].runs()[0]["continued"] == 1
    canary_ended = fleet.servers["alpha"].runs()[0]["ended"]
    assert all(canary_ended < began(fleet, name) for name in ("beta", "gamma"))
    for server in fleet.servers.values():
        assert (server.read("files"), server.read("schema")) == ("moved\n", "2\n")
        assert server.host.show("shop.service") == "active"
    for name, row in again.summary.items():
        report = json.loads((again.collected / f"{name}.json").read_text())
        assert (report["run"], report["downtime"] > 0) == (row["run"], True)
        assert (row["from_version"], row["to_version"]) == ("1.0", "2.0")

    nothing = fleet.play(orchestrator_waves=["100%"]).expect(0)

    assert {row["outcome"] for row in nothing.summary.values()} == {"nothing-to-do"}
    assert set(nothing.changed.values()) == {0}
    assert "gamma: nothing-to-do" in nothing.text
    assert [len(fleet.servers[name].runs()) for name in NAMES] == [1, 1, 1]


def test_the_script_of_the_guide_does_it_with_ssh_alone(fleet: Fleet, tmp_path: Path) -> None:
    require(shutil.which("jq") is not None, "jq is not installed")
    (script,) = [text for language, text in blocks("fleet.md") if language == "sh"]
    (tmp_path / "upgrade-all").write_text(script.replace("sleep 10", "sleep 0.3"))
    path = f"{fleet.write_ssh()}:{os.environ['PATH']}"

    def upgrade_all(*names: str) -> tuple[int, str]:
        done = subprocess.run(
            ["sh", "upgrade-all", *names],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    fleet.servers["gamma"].mark("no-room")
    assert upgrade_all("alpha", "gamma") == (4, "nothing was touched; see the checks of: gamma\n")
    assert untouched(fleet, *NAMES)

    fleet.servers["gamma"].mark("no-room", there=False)
    fleet.servers["beta"].mark("broken")
    assert upgrade_all(*NAMES) == (1, "alpha: done\nbeta: see beta.html\n")
    assert untouched(fleet, "gamma")
    assert "column price: no such type" in (tmp_path / "beta.html").read_text()
