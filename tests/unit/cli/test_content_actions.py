# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step may say of the content server, and what it is told when it says something else."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.actions import known_actions
from orchestrator.cli.content_actions import Export, Import, Promote, Publish, Sync
from orchestrator.upgrade.actions import Action, Foreseeing

MEDIA = Path("/media/dvd")


@pytest.mark.parametrize(
    ("item", "action", "summary"),
    [
        ({"repository.sync": None}, Sync(), "repository.sync: all"),
        (
            {"repository.sync": ["tools/a", "tools/b"]},
            Sync(names=("tools/a", "tools/b")),
            "repository.sync: tools/a, tools/b",
        ),
        ({"view.publish": "web"}, Publish(names=("web",)), "view.publish: web"),
        (
            {"environment.promote": {"view": "web", "to": "dev"}},
            Promote(view="web", to="dev"),
            "environment.promote: web to dev",
        ),
        (
            {"environment.promote": {"view": "web", "to": "dev", "version": 3}},
            Promote(view="web", to="dev", version=3),
            "environment.promote: web 3 to dev",
        ),
        (
            {"export": {"view": "web", "kind": "auto", "format": "iso", "chunk_size": "cd"}},
            Export(
                subject_kind="view",
                names=("web",),
                kind="auto",
                options=(("format", "iso"), ("chunk_size", 737_280_000)),
            ),
            "export: auto view web",
        ),
        ({"export": {"library": True}}, Export(), "export: complete library"),
        ({"import": str(MEDIA)}, Import(paths=(MEDIA,)), "import: /media/dvd"),
        (
            {"import": {"paths": [str(MEDIA)], "all_or_nothing": True, "wait_lock": "5m"}},
            Import(paths=(MEDIA,), all_or_nothing=True, wait_lock=300),
            "import: /media/dvd",
        ),
    ],
)
def test_an_action_is_read(item: Any, action: Action, summary: str) -> None:
    assert known_actions().parse(item) == action
    assert isinstance(action, Foreseeing)
    assert action.summary == summary


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({"repository.sync": {"name": "a"}}, r"unknown key name \(did you mean names\?\)"),
        ({"view.publish": None}, "view.publish: takes the label of a view"),
        ({"environment.promote": "web"}, r"takes \{view: LABEL, to: ENVIRONMENT\}"),
        ({"export": None}, "takes exactly one of repository, product, view, environment, library"),
        ({"export": {"view": "a", "product": "b"}}, "takes exactly one of"),
        ({"export": {"library": False}}, "takes exactly one of"),
        ({"export": {"view": "a", "format": "zip"}}, "format takes one of dir, tgz, tar, iso"),
        ({"export": {"view": "a", "chunk_size": "tiny"}}, "chunk_size"),
        ({"export": {"view": "a", "kind": "incremental"}}, "kind takes one of complete, increment, auto"),
        ({"import": "media"}, "paths takes an absolute path"),
        ({"import": {"trust": "/key"}}, "takes the path of a medium"),
    ],
)
def test_what_cannot_be_is_told_to_the_author(item: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        known_actions().parse(item)


def test_a_configuration_that_is_not_there_is_seen_before_anything_is_stopped(tmp_path: Path) -> None:
    action = Sync(config=tmp_path / "none.yaml")
    (problem,) = action.refusals({})
    assert "there is no configuration" in problem.what
