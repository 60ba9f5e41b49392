# SPDX-License-Identifier: GPL-3.0-or-later
"""The example for Ansible on products of this machine: what a look says at once, policies, hooks, timeouts; and that
its parts agree with each other and with the program.

Over ssh and with systemd it is played in tests/e2e/test_fleet.py.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.errors import ExitCode
from tests.support.fleet import EXAMPLE, Play, ansible
from tests.support.product import ROOT, Product
from tests.support.requirements import require
from tests.support.servers import wait_until

ROLE = EXAMPLE / "roles" / "orchestrator_upgrade"
UNREACHABLE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
LOCAL = {
    "ansible_connection": "local",
    "ansible_python_interpreter": sys.executable,
    "orchestrator_become": False,
}


@dataclass
class Farm:
    """Products that stand for servers, each with a configuration of its own, and an inventory of them."""

    directory: Path
    products: dict[str, Product] = field(default_factory=dict)
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    others: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, name: str, **variables: Any) -> Product:
        place = self.directory / name
        place.mkdir()
        product = self.products[name] = Product(place)
        own = {
            "orchestrator_command": str(self.directory / "orchestrator"),
            "orchestrator_config": str(product.file),
        }
        self.hosts[name] = {**LOCAL, **own, **variables}
        return product

    def play(self, *words: str, **variables: Any) -> Play:
        program = self.directory / "orchestrator"
        program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m orchestrator "$@"\n')
        program.chmod(0o755)
        inventory = self.directory / "inventory.yml"
        groups = {"orchestrator": {"hosts": self.hosts}, "others": {"hosts": self.others}}
        inventory.write_text(yaml.safe_dump(groups, sort_keys=False))
        reports = self.directory / "reports"
        given = {
            "orchestrator_reports": str(reports),
            "orchestrator_poll": 1,
            "orchestrator_waves": ["100%"],
            **variables,
        }
        done = subprocess.run(
            [ansible("ansible-playbook"), "-i", inventory, "upgrade.yml", "-e", json.dumps(given), *words],
            cwd=EXAMPLE,
            env={**os.environ, "ANSIBLE_HOME": str(self.directory / "home"), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )
        return Play(done.returncode, done.stdout + done.stderr, reports)


@pytest.fixture
def farm(tmp_path: Path) -> Farm:
    require(ansible("ansible-playbook").exists(), "ansible-core is not installed")
    return Farm(tmp_path)


# Its parts ----------------------------------------------------------------------------------------


def tasks(document: Any) -> Iterator[dict[str, Any]]:
    """All tasks and blocks of a file, those inside blocks and plays too."""
    for entry in document:
        yield entry
        for part in ("tasks", "block", "rescue", "always"):
            yield from tasks(entry.get(part, []))


def task_files() -> list[Path]:
    return [EXAMPLE / "upgrade.yml", *sorted(EXAMPLE.glob("hooks/*.yml")), *sorted(ROLE.glob("tasks/*.yml"))]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_ansible_takes_the_playbook_and_lists_its_tasks(farm: Farm) -> None:
    farm.add("one")
    play = farm.play("--list-tasks").expect(0)
    assert "orchestrator_upgrade : Run the checks" in play.text


@pytest.mark.parametrize("path", task_files(), ids=lambda path: path.name)
def test_every_task_has_a_name_and_needs_nothing_but_ansible_core(path: Path) -> None:
    words = {
        "name",
        "hosts",
        "gather_facts",
        "serial",
        "tasks",
        "block",
        "rescue",
        "always",
        "when",
        "become",
    }
    words |= {"register", "until", "retries", "delay", "loop", "loop_control", "run_once", "delegate_to"}
    words |= {"changed_when", "failed_when", "check_mode", "ignore_unreachable", "any_errors_fatal"}
    for task in tasks(read(path)):
        assert task["name"][0].isupper(), task
        modules = set(task) - words
        assert all(module.startswith("ansible.builtin.") for module in modules), task["name"]
        assert len(modules) == (0 if {"block", "hosts"} & set(task) else 1), task["name"]


def test_every_variable_has_a_default_a_type_and_a_line_in_the_readme() -> None:
    defaults = read(ROLE / "defaults" / "main.yml")
    specs = read(ROLE / "meta" / "argument_specs.yml")["argument_specs"]
    rows = re.findall(r"^\| `(orchestrator_\w+)` \|", (EXAMPLE / "README.md").read_text(), re.MULTILINE)
    assert list(specs["look"]["options"]) == list(defaults)
    assert sorted(rows) == sorted([*defaults, "orchestrator_hosts", "orchestrator_waves"])


def test_the_exit_codes_are_those_of_the_program() -> None:
    assert set(read(ROLE / "vars" / "main.yml")["orchestrator_meanings"]) == {int(code) for code in ExitCode}


# Played -------------------------------------------------------------------------------------------


def outcomes(play: Play) -> dict[str, str]:
    return {name: row["outcome"] for name, row in play.summary.items()}


def told(play: Play, name: str) -> str:
    return " ".join(f"{one['where']}: {one['what']} ({one['hint']})" for one in play.summary[name]["against"])


def test_check_mode_shows_plans_and_everything_that_speaks_against_an_upgrade_of_any_server(
    farm: Farm,
) -> None:
    farm.add("well").step("upgrade/0100_a.sh")
    farm.add("risky").step("upgrade/0130_b.sh", header="#risk: drops the table of old orders")
    farm.add("mistaken").config["services"] = {"db": {"tier": "nonsense"}}
    farm.products["mistaken"].save()
    farm.add("absent", orchestrator_command="/nonexistent/orchestrator", orchestrator_accept=[88])
    farm.add("gone", **UNREACHABLE)
    busy = farm.add("busy")
    done = busy.directory / "done"
    busy.step("upgrade/0100_a.sh", f"while [ ! -e {done} ]; do sleep 0.1; done")
    with subprocess.Popen(busy.argv("upgrade", "-y"), env=busy.environment(), stdout=subprocess.DEVNULL):
        wait_until(lambda: busy.ran() == ["0100"], "the step of the busy one")
        play = farm.play("--check", orchestrator_wait_running=0)
        done.touch()
    play.expect(2)

    assert outcomes(play) == {
        "well": "planned",
        "risky": "refused",
        "mistaken": "refused",
        "absent": "refused",
        "gone": "unreachable",
        "busy": "busy",
    }
    assert "drops the table of old orders" in told(play, "risky")
    assert 'orchestrator_accept: ["0130"]' in told(play, "risky")
    assert "services.db: 'manager' is missing" in told(play, "mistaken")
    assert "takes ids in quotes" in told(play, "absent")
    assert "/nonexistent/orchestrator: Error executing command" in told(play, "absent")
    assert "Connection refused" in told(play, "gone")
    assert "is under way since" in told(play, "busy")
    assert "5 of 6 servers cannot be upgraded now" in play.text
    assert not farm.products["well"].ran()
    assert json.loads((play.collected / "well.plan.json").read_text())["steps"][0]["due"]


def test_a_wave_comes_to_its_end_with_the_policies_and_hooks_of_each_server_and_stops_the_next_one(
    farm: Farm,
) -> None:
    before, after = farm.directory / "before.yml", farm.directory / "after.yml"
    for path, word in ((before, "out"), (after, "in")):
        note = {"argv": ["sh", "-c", f"echo {word} >>{{{{ trace }}}}"]}
        path.write_text(yaml.safe_dump([{"name": "Note", "ansible.builtin.command": note}]))
    shop = farm.add(
        "shop",
        orchestrator_accept=["0130"],
        orchestrator_skip=["0140_later.sh"],
        orchestrator_skip_reason="on Sunday",
        orchestrator_tolerate=[3],
        orchestrator_pre_upgrade_tasks=str(before),
        orchestrator_post_upgrade_tasks=str(after),
        trace=str(farm.directory / "shop" / "trace"),
    )
    shop.step("upgrade/0130_a.sh", header="#risk: drops the table of old orders")
    shop.step("upgrade/0140_later.sh")
    shop.step("upgrade/0150_caches.sh", "exit 1", header="#on-failure: continue")
    stuck = farm.add("stuck", orchestrator_pre_upgrade_tasks=str(before))  # has no `trace`
    stuck.step("upgrade/0100_a.sh")
    farm.add("adrift", orchestrator_pre_upgrade_tasks=str(farm.directory / "drain.yml")).step(
        "upgrade/0100_a.sh"
    )
    drain = {"name": "Drain", "ansible.builtin.command": "true", "delegate_to": "balancer"}
    (farm.directory / "drain.yml").write_text(yaml.safe_dump([drain]))
    farm.others["balancer"] = UNREACHABLE
    late = farm.add("late", orchestrator_timeout=1)
    done = late.directory / "done"
    late.step("upgrade/0100_a.sh", f"while [ ! -e {done} ]; do sleep 0.1; done")

    farm.add("next").step("upgrade/0100_a.sh")

    play = farm.play(orchestrator_waves=[4, "100%"])
    done.touch()
    wait_until(lambda: '"run-ended"' in next(late.state.glob("runs/*/journal.jsonl")).read_text(), "its end")
    play.expect(4)  # Ansible's: a host could not be reached

    assert outcomes(play) == {
        "shop": "done-with-losses",
        "stuck": "play-failed",
        "adrift": "play-failed",
        "late": "still-running",
        "next": "not-begun",
    }
    assert {name for name, row in play.summary.items() if row["failed"]} == {"stuck", "adrift", "late"}
    assert shop.ran() == ["out", "0130", "0150", "in"]
    assert [farm.products[name].ran() for name in ("stuck", "adrift", "next")] == [[], [], []]
    assert "Note" in play.summary["stuck"]["reason"]
    report = json.loads((play.collected / "shop.json").read_text())
    assert {consent["question"] for consent in report["consents"]} == {"0130", "continue"}
