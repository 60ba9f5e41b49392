# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sources are resolved together."""

import pytest

from orchestrator.content.groups import groups_of
from orchestrator.content.source import Source
from orchestrator.errors import UsageError


def source(name: str, master: str = "", *, partial: bool = False) -> Source:
    return Source(
        name, "deb", ("http://x/",), ("stable main",), master=master, partial=partial or bool(master)
    )


def names(sources: list[Source], *wanted: str) -> list[tuple[list[str], list[str]]]:
    return [([s.name for s in g.sources], [s.name for s in g.targets]) for g in groups_of(sources, wanted)]


def test_full_mirrors_are_groups_of_their_own() -> None:
    assert names([source("a"), source("b")]) == [(["a"], ["a"]), (["b"], ["b"])]


def test_a_partial_source_is_resolved_with_its_master_which_is_cloned_by_itself() -> None:
    assert names([source("ubuntu", "mos"), source("mos")]) == [
        (["mos"], ["mos"]),
        (["mos", "ubuntu"], ["ubuntu"]),
    ]


def test_only_what_is_named_is_a_target() -> None:
    assert names([source("mos"), source("ubuntu", "mos")], "ubuntu") == [(["mos", "ubuntu"], ["ubuntu"])]


def test_masters_come_before_those_that_complete_them() -> None:
    found = names([source("c", "b"), source("b", "a"), source("a", partial=True)])
    assert found == [(["a", "b", "c"], ["a", "b", "c"])]


def test_an_unknown_name_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        groups_of([source("ubuntu")], ["ubunut"])
    assert "did you mean ubuntu?" in str(caught.value.problems[0])
