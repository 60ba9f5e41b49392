# SPDX-License-Identifier: GPL-3.0-or-later
"""The message of the day: what it says, and when it is there."""

import json
from pathlib import Path

import pytest

from orchestrator.config.model import Config, Product
from orchestrator.host import facts
from orchestrator.upgrade import motd
from orchestrator.upgrade.actions import Registry
from orchestrator.upgrade.requests import Request, record_request, settle_request
from orchestrator.upgrade.runstate import Outcome, RunState
from orchestrator.upgrade.setting import Setting

RUN = "0003-20261120T101500Z"


def command(words: str) -> str:
    return f"orchestrator {words}"


def text(run: RunState | None = None, request: Request | None = None, *, dead: bool = False) -> str:
    return motd.message("Bookshelf", run, request, command, str, dead=dead)


def a_run(**more: object) -> RunState:
    state = RunState(run=RUN, started="2026-11-20T10:15:00.123Z", phase="backends-up")
    for key, value in more.items():
        setattr(state, key, value)
    return state


def test_nothing_to_tell_is_no_message() -> None:
    assert text() == ""
    assert text(a_run(outcome=Outcome.DONE)) == ""


def test_a_run_under_way_is_told_as_one_that_began() -> None:
    assert text(a_run()) == (
        "An upgrade of Bookshelf began at 2026-11-20 10:15 UTC (run 0003).\n"
        "Where it is: orchestrator status\n"
    )


def test_a_run_that_stopped_says_where_and_why_and_how_to_go_on() -> None:
    assert text(a_run(stop_reason="upgrade/3100_schema.sh failed: exit status 1")) == (
        "The upgrade of Bookshelf (run 0003) is not finished.\n"
        "It stopped in phase backends-up: upgrade/3100_schema.sh failed: exit status 1\n"
        "Continue with: orchestrator upgrade\n"
    )


def test_a_run_that_died_says_so_only_when_that_is_known() -> None:
    assert "It died in phase backends-up without a word." in text(a_run(), dead=True)
    assert "died" not in text(a_run())


def test_a_request_that_waits_says_by_whom_and_why() -> None:
    asked = Request("deb bookshelf", "the policy is to wait", time="2026-11-20T10:15:00.123Z")
    assert text(request=asked) == (
        "An upgrade of Bookshelf waits since 2026-11-20 10:15 UTC, asked for by deb\n"
        "bookshelf: the policy is to wait\n"
        "Run it with: orchestrator upgrade\n"
    )


def test_an_unfinished_run_comes_before_a_request_that_it_will_answer() -> None:
    assert "waits" not in text(a_run(), Request("rpm", "why"))


@pytest.mark.parametrize("reason", ["x" * 500, "word " * 200, "two\nlines\x1b[31m"])
def test_it_is_four_lines_of_78_columns_at_the_most_whatever_the_reason(reason: str) -> None:
    for told in (
        text(a_run(stop_reason=reason)),
        text(request=Request("rpm", reason, time="2026-11-20T10:15")),
    ):
        lines = told.splitlines()
        assert len(lines) <= 4
        assert max(map(len, lines)) <= motd.WIDTH
        assert all(line.isprintable() for line in lines)


# In the state directory -------------------------------------------------------------------------------


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    config = Config(
        product=Product(name="Toy"), state_dir=tmp_path / "state", scripts=(tmp_path,), phases=(tmp_path,)
    )
    return Setting(config, tmp_path / "orchestrator.yaml", Registry())


def begin(setting: Setting, *, boot: str) -> Path:
    directory = setting.config.state_dir / "runs" / RUN
    directory.mkdir(parents=True)
    event = {
        "seq": 1,
        "time": "2026-11-20T10:15:00.123Z",
        "mono": 1.0,
        "event": "run-started",
        "run": RUN,
        "boot": boot,
    }
    (directory / "journal.jsonl").write_text(json.dumps(event) + "\n")
    return setting.config.state_dir / "motd"


def test_without_a_state_directory_nothing_is_made(setting: Setting) -> None:
    motd.renew(setting, str)
    assert not setting.config.state_dir.exists()


def test_a_run_of_an_earlier_boot_has_died(setting: Setting) -> None:
    path = begin(setting, boot="another")
    motd.renew(setting, str)
    assert "It died" in path.read_text()


def test_a_run_of_this_boot_may_be_under_way(setting: Setting) -> None:
    path = begin(setting, boot=facts.boot_id())
    motd.renew(setting, str)
    assert "began at" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o644
    motd.renew(setting, str, dead=True)
    assert "It died" in path.read_text()


def test_it_goes_with_what_it_told_of(setting: Setting) -> None:
    setting.config.state_dir.mkdir()
    path = setting.config.state_dir / "motd"
    request = record_request(setting.config.state_dir, Request("deb toy", "why"))
    motd.renew(setting, str)
    assert "deb toy" in path.read_text()
    settle_request(setting.config.state_dir, request)
    motd.renew(setting, str)
    assert not path.exists()
    motd.renew(setting, str)


def test_one_that_is_right_is_left_alone(setting: Setting) -> None:
    path = begin(setting, boot="another")
    motd.renew(setting, str)
    before = path.stat()
    motd.renew(setting, str)
    assert path.stat() == before
