# SPDX-License-Identifier: GPL-3.0-or-later
"""What a YAML step may say, and what it is told when it says something else."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.model import TcpProbe
from orchestrator.upgrade.actions import BUILT_IN, Action, Registry
from orchestrator.upgrade.actions.command import Command
from orchestrator.upgrade.actions.restart import Restart
from orchestrator.upgrade.actions.wait import WaitForProbe, WaitForServices

PROBE = TcpProbe(kind="tcp", address="a:1")


@pytest.mark.parametrize(
    ("item", "action"),
    [
        ({"command": ["/bin/echo", "a b", 8080]}, Command(("/bin/echo", "a b", "8080"))),
        (
            {"command": {"run": ["x"], "env": {"A": 1, "B": "2"}, "cwd": "/tmp", "ok": [0, 3]}},
            Command(("x",), {"A": "1", "B": "2"}, Path("/tmp"), (0, 3)),
        ),
        ({"restart": "web"}, Restart(("web",))),
        ({"restart": ["web", "db"]}, Restart(("web", "db"))),
        ({"wait": "web"}, WaitForServices(("web",))),
        ({"wait": ["web"]}, WaitForServices(("web",))),
        ({"wait": {"services": ["web"]}}, WaitForServices(("web",))),
        ({"wait": {"probe": {"tcp": "a:1"}}}, WaitForProbe(PROBE, 300)),
        ({"wait": {"probe": {"tcp": "a:1"}, "timeout": "1m"}}, WaitForProbe(PROBE, 60)),
    ],
)
def test_an_action_is_read(item: Any, action: Action) -> None:
    assert Registry().parse(item) == action


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ("command", "an action is a mapping with one key, like"),
        ({}, "an action is a mapping with one key"),
        ({"command": ["x"], "wait": "web"}, "an action is a mapping with one key"),
        ({"restrat": "web"}, r"unknown action restrat \(did you mean restart\?\)"),
        ({"frobnicate": 1}, r"unknown action frobnicate \(known: command, restart, wait\)"),
        ({1: 2}, "unknown action 1"),
        ({"command": None}, "command: takes a list of words, or"),
        ({"command": "a b"}, "command: takes a list of words, or"),
        ({"command": []}, "command: takes a list of words"),
        ({"command": {"argv": ["x"]}}, "command: takes a list of words, or"),
        ({"command": {"env": {}}}, "command: takes a list of words"),
        ({"command": ["x", None]}, "put quotes around yes, no, dates and numbers with a point"),
        ({"command": ["x", False]}, "put quotes around yes, no"),
        ({"command": ["x", 1.10]}, "put quotes around yes, no"),
        ({"command": ["x", ["y"]]}, "command: takes a list of words"),
        ({"command": {"run": ["x"], "env": ["A"]}}, "command: env takes a mapping of names to texts"),
        ({"command": {"run": ["x"], "env": {"A": True}}}, "command: env takes a mapping of names to texts"),
        ({"command": {"run": ["x"], "env": None}}, "command: env takes a mapping"),
        ({"command": {"run": ["x"], "cwd": 5}}, "command: cwd takes an absolute path"),
        ({"command": {"run": ["x"], "cwd": None}}, "command: cwd takes an absolute path"),
        ({"command": {"run": ["x"], "cwd": "lib"}}, "command: cwd takes an absolute path"),
        ({"command": {"run": ["x"], "ok": 0}}, "command: ok takes a list of exit statuses"),
        ({"command": {"run": ["x"], "ok": [True]}}, "command: ok takes a list of exit statuses"),
        ({"restart": []}, "restart: takes the name of a service, or a list of names"),
        ({"restart": [1]}, "restart: takes the name of a service"),
        ({"restart": {"web": 1}}, "restart: takes the name of a service"),
        ({"wait": {}}, "wait: takes services, or"),
        ({"wait": None}, "wait: takes the name of a service"),
        ({"wait": {"services": []}}, "wait: takes the name of a service"),
        ({"wait": {"probe": {"tcp": "a:1"}, "services": "web"}}, "wait: takes services, or"),
        ({"wait": {"probe": {"tpc": "a:1"}}}, "wait: probe: .*exactly one kind"),
        ({"wait": {"probe": "tcp"}}, "wait: probe: .*a probe is a mapping"),
        ({"wait": {"probe": {"tcp": "a:1"}, "timeout": None}}, "wait: .*is not a duration"),
        ({"wait": {"probe": {"tcp": "a:1"}, "timeout": "soon"}}, "wait: 'soon' is not a duration"),
    ],
)
def test_what_is_no_action_is_told_to_its_author(item: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Registry().parse(item)


def test_other_parts_of_the_product_may_add_actions() -> None:
    registry = Registry({**BUILT_IN, "publish": lambda value: Command(("publish", str(value)))})
    assert registry.parse({"publish": "debian"}).summary == "command: publish debian"
    with pytest.raises(ValueError, match="known: command, publish, restart, wait"):
        registry.parse({"zzz": 1})


def test_an_action_says_what_it_is_and_which_services_it_speaks_of() -> None:
    registry = Registry()
    restart = registry.parse({"restart": ["web", "db"]})
    assert (restart.summary, restart.restarts, restart.needs) == (
        "restart: web, db",
        ("web", "db"),
        ("web", "db"),
    )
    wait = registry.parse({"wait": "web"})
    assert (wait.summary, wait.restarts, wait.needs) == ("wait: web", (), ("web",))
    assert registry.parse({"command": ["echo", "a b"]}).summary == "command: echo 'a b'"
    assert registry.parse({"wait": {"probe": {"tcp": "a:1"}}}).summary == "wait: tcp probe"
