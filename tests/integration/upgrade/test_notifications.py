# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of `notify:` and the message of the day, around real runs: told once, in order, never in the way."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.options import read_setting
from orchestrator.upgrade.announcing import announce_boot, announce_pending
from orchestrator.upgrade.requests import Request, record_request, settle_request
from orchestrator.upgrade.setting import Setting
from tests.support.product import Product
from tests.support.stack import wait_for


class Heard:
    """What a recorder was told, in order."""

    def __init__(self, product: Product) -> None:
        self.directory = product.directory / "heard"
        self.directory.mkdir()
        self.command = f"cat >{self.directory}/$(date +%s%N).$ORCHESTRATOR_MOMENT"

    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.directory.iterdir())]

    def moments(self) -> list[str]:
        return [f"{told['moment']}{' late' if told['late'] else ''}" for told in self.documents()]

    def last(self) -> dict[str, Any]:
        return self.documents()[-1]


ALL = ["pending", "start", "failure", "end"]


def notify(product: Product, *commands: dict[str, Any]) -> None:
    product.config["notify"] = [{"at": ALL, **one} for one in commands]
    product.save()


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


@pytest.fixture
def heard(product: Product) -> Heard:
    made = Heard(product)
    notify(product, {"command": shell(made.command)})
    return made


def setting_of(product: Product) -> Setting:
    return read_setting(product.file)


def motd(product: Product) -> str:
    path = product.state / "motd"
    return path.read_text() if path.exists() else ""


def notes(product: Product) -> list[str]:
    return [event["text"] for event in product.journal() if event["event"] == "note"]


def until(product: Product, name: str) -> str:
    return (
        f"touch {product.directory}/at-{name}; while [ ! -e {product.directory}/{name} ]; do sleep 0.02; done"
    )


def reached(product: Product, name: str) -> None:
    wait_for((product.directory / f"at-{name}").exists, f"it is at {name}")


def kill(run: Any) -> None:
    run.kill()
    run.communicate()


# Moments ----------------------------------------------------------------------------------------------


def test_a_run_tells_its_start_and_its_end(product: Product, heard: Heard) -> None:
    product.step("upgrade/0010_a.sh", f"cat {product.state}/motd >{product.directory}/motd-meanwhile")
    product.run("upgrade", "-y").expect(0)
    assert heard.moments() == ["start", "end"]
    start, end = heard.documents()
    assert start["steps"]["due"] == 1
    assert start["to_version"] == "2.0"
    assert (end["outcome"], end["exit_code"], end["reason"]) == ("done", 0, "")
    assert end["steps"]["done"] == 1
    assert end["steps"]["longest"][0]["step"] == "upgrade/0010_a.sh"
    assert end["run"] == start["run"] == product.journal()[0]["run"]
    assert end["invoker"] == "unattended"
    assert end["next"] is None
    assert "An upgrade of Toy began at" in (product.directory / "motd-meanwhile").read_text()
    assert motd(product) == ""
    assert notes(product) == []


def test_a_failure_tells_the_step_its_output_and_how_to_go_on(product: Product, heard: Heard) -> None:
    product.step("upgrade/0010_a.sh", "seq 100\necho no such table >&2\nexit 3")
    product.run("upgrade", "-y").expect(1)
    assert heard.moments() == ["start", "failure"]
    told = heard.last()
    [failed] = told["steps"]["failed"]
    assert (failed["step"], failed["status"]) == ("upgrade/0010_a.sh", "failed")
    assert failed["output"][-2:] == ["100", "no such table"]
    assert len(failed["output"]) == 20
    assert told["exit_code"] == 1
    assert "upgrade/0010_a.sh failed" in told["reason"]
    assert told["next"] == f"orchestrator upgrade --config {product.file}"
    assert motd(product).splitlines()[1].startswith("It stopped in phase backends-down: ")
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
    assert heard.moments() == ["start", "failure", "start", "end"]
    assert heard.documents()[2]["continued"] == 1
    assert motd(product) == ""


def test_a_refusal_is_an_end_with_its_reason(product: Product, heard: Heard) -> None:
    product.step("check/0010_a.sh", "echo the disk is full; exit 1")
    product.step("upgrade/0010_b.sh")
    product.run("upgrade", "-y").expect(4)
    told = heard.last()
    assert (told["moment"], told["outcome"], told["exit_code"]) == ("end", "refused", 4)
    assert told["reason"] == "1 check refused the upgrade; nothing was stopped"
    assert told["steps"]["failed"][0]["output"][-1] == "the disk is full"
    assert motd(product) == ""


def test_a_request_that_waits_is_told(product: Product, heard: Heard) -> None:
    product.state.mkdir()
    setting = setting_of(product)
    request = record_request(product.state, Request("deb bookshelf", "an image is built", at_boot=True))
    assert announce_pending(setting, request) == ()
    told = heard.last()
    assert told["request"] | {"time": ""} == {
        "by": "deb bookshelf",
        "reason": "an image is built",
        "time": "",
        "at_boot": True,
    }
    assert told["run"] is None
    assert "asked for by deb" in motd(product)
    announce_boot(setting)
    assert heard.moments() == ["pending"], "it is told once"
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
    assert motd(product) == "", "the run has answered it"


def test_a_request_that_nobody_could_be_told_of_is_told_after_the_boot(
    product: Product, heard: Heard
) -> None:
    product.state.mkdir()
    request = record_request(product.state, Request("rpm", "why"))
    announce_boot(setting_of(product))
    announce_boot(setting_of(product))
    assert heard.moments() == ["pending late"]
    assert "asked for by rpm" in motd(product)
    settle_request(product.state, request)
    announce_boot(setting_of(product))
    assert motd(product) == ""


def test_without_commands_a_run_leaves_no_record_of_telling(product: Product) -> None:
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
    assert not list(product.state.rglob("notified.json"))


# Never in the way -------------------------------------------------------------------------------------


def test_the_run_goes_on_while_its_start_is_told(product: Product) -> None:
    trace = product.directory / "told"
    notify(product, {"command": shell(f"{until(product, 'step')}; echo $ORCHESTRATOR_MOMENT >>{trace}")})
    product.step("upgrade/0010_a.sh", f"touch {product.directory}/step")
    product.run("upgrade", "-y").expect(0)
    assert trace.read_text().split() == ["start", "end"]


def test_commands_that_fail_or_hang_are_notes_and_the_run_is_done(product: Product, heard: Heard) -> None:
    notify(
        product,
        {"command": shell("echo no such channel; exit 7"), "at": ["start"]},
        {"command": shell("sleep 60"), "timeout": "0.3s", "at": ["end"]},
        {"command": ["/nowhere/tell"], "at": ["end"]},
        {"command": shell(heard.command)},
    )
    product.step("upgrade/0010_a.sh", "sleep 0.5")
    began = time.monotonic()
    product.run("upgrade", "-y").expect(0)
    assert time.monotonic() - began < 20
    assert sorted(notes(product)) == [
        "notify (end): /nowhere/tell: exit status 127: /nowhere/tell: command not found",
        "notify (end): sh: exit status 124: no end within 0.3 s",
        "notify (start): sh: exit status 7: no such channel",
    ]
    assert heard.moments() == ["start", "end"]
    assert product.run("pending").code == 0, "a note behind the end does not make the run unfinished"
    product.run("upgrade", "-y").expect(0)


def test_a_press_leaves_the_commands_at_the_end_alone(product: Product) -> None:
    notify(product, {"command": shell(until(product, "over")), "at": ["end"], "timeout": "50s"})
    product.step("upgrade/0010_a.sh")
    run = product.start("upgrade", "-y")
    reached(product, "over")
    run.send_signal(signal.SIGINT)
    out, _ = run.communicate(timeout=20)
    assert run.returncode == 0, out
    (product.directory / "over").touch()


def test_a_state_directory_that_takes_no_message_does_not_stop_the_run(product: Product) -> None:
    product.state.mkdir()
    (product.state / "motd").mkdir()
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
    assert "the message of the day" in notes(product)[0]


# Deaths -----------------------------------------------------------------------------------------------


def after_a_boot(product: Product) -> None:
    """As if the host had booted since: what the journal holds was in another one."""
    [*_, run] = sorted((product.state / "runs").iterdir())
    journal = run / "journal.jsonl"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    journal.write_text(journal.read_text().replace(boot, "the-boot-before"))


def test_a_death_is_told_once_after_the_boot(product: Product, heard: Heard) -> None:
    product.step("upgrade/0010_a.sh", until(product, "go"))
    run = product.start("upgrade", "-y")
    reached(product, "go")
    wait_for(lambda: heard.moments() == ["start"], "the start is told")
    wait_for(
        lambda: '"start"' in next(product.state.rglob("runs/*/notified.json")).read_text(), "and recorded"
    )
    assert "began at" in motd(product)
    announce_boot(setting_of(product))
    assert heard.moments() == ["start"], "it is under way"
    kill(run)
    (product.directory / "go").touch()
    after_a_boot(product)
    for _ in range(2):
        assert announce_boot(setting_of(product)) == ()
        assert heard.moments() == ["start", "failure late"]
    told = heard.last()
    assert (told["reason"], told["exit_code"]) == ("the host went down in mid-run", None)
    assert told["steps"]["running"] == "upgrade/0010_a.sh"
    assert "It died in phase backends-down without a word." in motd(product)
    product.run("upgrade", "-y").expect(0)
    assert heard.moments() == ["start", "failure late", "start", "end"]


def test_what_could_not_be_told_at_the_boot_is_told_later(product: Product, heard: Heard) -> None:
    product.step("upgrade/0010_a.sh", until(product, "go"))
    run = product.start("upgrade", "-y")
    reached(product, "go")
    kill(run)
    (product.directory / "go").touch()
    after_a_boot(product)
    notify(product, {"command": ["/nowhere/tell"]})
    assert "notify (failure): /nowhere/tell" in announce_boot(setting_of(product))[0]
    notify(product, {"command": shell(heard.command)})
    announce_boot(setting_of(product))
    assert heard.moments()[-1] == "failure late"


def test_a_killed_run_is_told_as_failed_when_it_is_continued(product: Product, heard: Heard) -> None:
    product.step("upgrade/0010_a.sh", until(product, "go"))
    run = product.start("upgrade", "-y")
    reached(product, "go")
    wait_for(lambda: heard.moments() == ["start"], "the start is told")
    kill(run)
    (product.directory / "go").touch()
    product.run("upgrade", "-y").expect(0)
    assert heard.moments() == ["start", "failure late", "start", "end"]
    assert heard.documents()[1]["reason"] == "it was killed"


@pytest.mark.parametrize(("code", "moment"), [(0, "end"), (1, "failure")])
def test_an_end_that_a_killed_runner_left_untold_is_told_by_the_next_run(
    product: Product, heard: Heard, code: int, moment: str
) -> None:
    notify(product, {"at": [moment], "command": shell(f"{until(product, 'go')}; {heard.command}")})
    product.step("upgrade/0010_a.sh", f"[ -e {product.directory}/mended ] || exit {code}")
    run = product.start("upgrade", "-y")
    reached(product, "go")
    kill(run)
    notify(product, {"command": shell(heard.command)})
    (product.directory / "mended").touch()
    product.step("default/0020_b.sh")
    product.run("upgrade", "-y").expect(0)
    assert heard.moments() == [f"{moment} late", "start", "end"]
    product.run("upgrade", "-y").expect(0)
    assert heard.moments()[3:] == ["start", "end"]
    (product.directory / "go").touch()
    wait_for(lambda: len(heard.moments()) == 6, "the command that outlived its runner has told it too")


def test_recovering_leaves_a_message_that_the_run_is_not_finished(product: Product) -> None:
    product.config["maintenance"] = {"enter": ["true"], "leave": ["true"]}
    product.config["services"] = {
        "db": {
            "tier": "backend",
            "manager": "command",
            "start": ["true"],
            "stop": ["false"],
            "status": ["true"],
        }
    }
    product.save()
    product.step("upgrade/0010_a.sh")
    product.run("upgrade", "-y").expect(5)
    assert "is not finished" in motd(product)
    product.run("recover").expect(0)
    assert "is not finished" in motd(product)


def test_an_old_end_is_not_told_to_commands_that_came_later(product: Product) -> None:
    product.step("default/0010_a.sh")
    product.run("upgrade", "-y").expect(0)
    later = Heard(product)
    notify(product, {"command": shell(later.command)})
    product.run("upgrade", "-y").expect(0)
    assert later.moments() == ["start", "end"]


def test_secrets_of_the_configuration_are_not_told(product: Product, heard: Heard) -> None:
    product.config["environment"] = {**product.config.get("environment", {}), "DB_PASSWORD": "s3cr3t-0f-toy"}
    product.save()
    product.step("upgrade/0010_a.sh", 'echo "connecting with $DB_PASSWORD"; exit 1')
    product.run("upgrade", "-y").expect(1)
    told = json.dumps(heard.last())
    assert "connecting with" in told
    assert "s3cr3t" not in told
    assert os.environ.get("DB_PASSWORD") is None


def test_a_request_that_turns_out_to_need_nothing_goes_with_its_message(product: Product) -> None:
    product.state.mkdir()
    setting = setting_of(product)
    announce_pending(setting, record_request(product.state, Request("deb bookshelf", "why")))
    assert "asked for by deb" in motd(product)
    product.run("upgrade", "-y").expect(0)
    assert motd(product) == ""
