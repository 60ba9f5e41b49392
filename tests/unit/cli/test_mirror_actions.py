# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step may say of mirrors, and what it is told when it says something else."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.actions import known_actions
from orchestrator.cli.mirror_actions import Clone, Rollback, Verify
from orchestrator.upgrade.actions import Action, Foreseeing

FILE = Path("/etc/mirrors.yaml")


@pytest.mark.parametrize(
    ("item", "action"),
    [
        ({"mirror.clone": None}, Clone()),
        ({"mirror.clone": {}}, Clone()),
        ({"mirror.clone": "ubuntu"}, Clone(names=("ubuntu",))),
        ({"mirror.clone": ["ubuntu", "mos"]}, Clone(names=("ubuntu", "mos"))),
        ({"mirror.clone": {"config": str(FILE), "names": "mos"}}, Clone(FILE, ("mos",))),
        (
            {"mirror.clone": {"requirements": "nginx (>= 1.22)", "partial": True, "wait_lock": "5m"}},
            Clone(requirements=("nginx (>= 1.22)",), partial=True, wait_lock=300),
        ),
        (
            {"mirror.clone": {"full_check": True, "allow_shrink": True, "allow_stale": True, "strict": True}},
            Clone(full_check=True, allow_shrink=True, allow_stale=True, strict=True),
        ),
        ({"mirror.verify": None}, Verify()),
        ({"mirror.verify": ["a"]}, Verify(names=("a",))),
        ({"mirror.verify": {"names": "a", "repair": True, "full": False}}, Verify(None, ("a",), repair=True, full=False)),
        ({"mirror.rollback": "a"}, Rollback(names=("a",))),
        ({"mirror.rollback": {"name": "a", "to": 3, "config": str(FILE)}}, Rollback(FILE, ("a",), to=3)),
    ],
)  # fmt: skip
def test_an_action_is_read(item: Any, action: Action) -> None:
    assert known_actions().parse(item) == action
    assert isinstance(action, Foreseeing)


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({"mirror.clon": None}, r"unknown action mirror.clon \(did you mean mirror.clone\?\)"),
        ({"mirror.clone": {"name": "a"}}, r"mirror.clone: unknown key name \(did you mean names\?\)"),
        ({"mirror.clone": {"zzz": 1}}, r"unknown key zzz \(known: config, names, requirements, partial, "),
        ({"mirror.clone": {1: 2}}, "unknown key 1"),
        ({"mirror.clone": []}, "mirror.clone: names takes a text, or a list of texts"),
        ({"mirror.clone": 5}, "mirror.clone: names takes a text, or a list of texts"),
        ({"mirror.clone": [True]}, "mirror.clone: names takes a text; put quotes around yes"),
        ({"mirror.clone": {"config": "mirrors.yaml"}}, "mirror.clone: config takes an absolute path"),
        ({"mirror.clone": {"partial": "yes"}}, "mirror.clone: partial takes true or false"),
        ({"mirror.clone": {"requirements": [1.5]}}, "requirements takes a text; put quotes around"),
        ({"mirror.clone": {"wait_lock": "soon"}}, "wait_lock 'soon' is not a duration"),
        ({"mirror.verify": {"fast": True}}, "mirror.verify: unknown key fast"),
        ({"mirror.rollback": None}, "mirror.rollback: takes the name of a mirror, or"),
        ({"mirror.rollback": {"to": 3}}, "mirror.rollback: takes the name of a mirror, or"),
        ({"mirror.rollback": ["a"]}, "mirror.rollback: name takes a text"),
        ({"mirror.rollback": {"name": "a", "to": "3"}}, "to takes a number, from 1 on"),
        ({"mirror.rollback": {"name": "a", "to": True}}, "to takes a number, from 1 on"),
        ({"mirror.rollback": {"name": "a", "to": 0}}, "to takes a number, from 1 on"),
    ],
)
def test_what_is_no_action_is_told_to_its_author(item: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        known_actions().parse(item)


def test_an_action_says_what_it_is() -> None:
    registry = known_actions()
    assert registry.parse({"mirror.clone": None}).summary == "mirror.clone: all"
    assert registry.parse({"mirror.verify": ["a", "b"]}).summary == "mirror.verify: a, b"
    assert registry.parse({"mirror.rollback": "a"}).summary == "mirror.rollback: a"
    assert (
        registry.parse({"mirror.rollback": {"name": "a", "to": 3}}).summary
        == "mirror.rollback: a to generation 3"
    )
