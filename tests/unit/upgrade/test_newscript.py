# SPDX-License-Identifier: GPL-3.0-or-later
"""Beginning a step: its number, its file, and that what it begins with passes the project's own lint."""

import os
from pathlib import Path

import pytest

from orchestrator.errors import Invalid, UsageError
from orchestrator.upgrade.actions import Registry
from orchestrator.upgrade.newscript import create, next_number, shipped_phases
from orchestrator.upgrade.scripts import find_steps
from tests.support.plans import PHASES, phase


@pytest.mark.parametrize(
    ("used", "name", "number"),
    [
        ([], "backends-down", 10),
        ([], "backends-up", 3010),
        ([], "all-up", 6010),
        ([10], "backends-down", 20),
        ([5], "backends-down", 10),
        ([11], "backends-down", 20),
        ([10, 500, 20], "backends-down", 510),
        ([3010, 6010], "backends-down", 10),
        ([2999], "backends-up", 3010),
        ([2980], "backends-down", 2990),
        ([2990], "backends-down", 2999),
        ([2990, 2999, 2998], "backends-down", 2997),
        ([9999], "all-up", 9998),
    ],
)
def test_the_next_number_is_ten_further_on(used: list[int], name: str, number: int) -> None:
    assert next_number(used, phase(name)) == number


def test_any_used_numbers_leave_the_next_one_free_and_in_its_phase() -> None:
    for one in PHASES:
        for highest in range(one.first, one.last + 1, 7):
            used = [one.first, highest, one.last if highest % 2 else highest]
            number = next_number(used, one)
            assert one.first <= number <= one.last
            assert number not in used


def test_a_full_phase_is_told() -> None:
    with pytest.raises(UsageError, match="no number is free in the phase all-up"):
        next_number(list(range(6000, 10000)), phase("all-up"))


def new(layer: Path, name: str, *, kind: str = "upgrade", phase_name: str = "backends-up") -> Path:
    return create((layer,), shipped_phases(), name, phase_name, kind)


@pytest.mark.parametrize(
    ("name", "file", "mode"),
    [
        ("migrate_pulp", "3010_migrate_pulp.sh", 0o755),
        ("migrate_pulp.py", "3010_migrate_pulp.py", 0o755),
        ("restart_web.yaml", "3010_restart_web.yaml", 0o644),
        ("restart_web.yml", "3010_restart_web.yml", 0o644),
        ("to-2.0", "3010_to-2.0", 0o755),
    ],
)
@pytest.mark.parametrize("kind", ["check", "default", "upgrade"])
def test_what_it_begins_with_is_a_step_without_problems(
    tmp_path: Path, kind: str, name: str, file: str, mode: int
) -> None:
    before = os.umask(0o022)
    try:
        path = new(tmp_path / "own", name, kind=kind)
    finally:
        os.umask(before)
    assert path == tmp_path / "own" / kind / file
    assert path.stat().st_mode & 0o777 == mode
    scripts = find_steps([tmp_path / "own"], Registry())
    assert scripts.problems == ()
    assert [step.path for step in scripts.steps] == [path]


def test_steps_are_numbered_one_after_the_other_over_kinds_and_layers(tmp_path: Path) -> None:
    vendor, own = tmp_path / "vendor", tmp_path / "own"
    assert new(vendor, "a").name == "3010_a.sh"
    assert new(vendor, "b", kind="check").name == "3020_b.sh"
    assert create((vendor, own), shipped_phases(), "c", "backends-up", "upgrade") == own / "upgrade/3030_c.sh"
    assert new(own, "d", phase_name="all-up").name == "6010_d.sh"


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "a b",
        "-x",
        "_x",
        ".x",
        "x~",
        "x.bak",
        "x.pyc",
        "x.rpmnew",
        "x.dpkg-old",
        "x\n",
        "\u00e4",
    ],
)
def test_a_name_that_is_none_or_would_be_ignored_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a file name of a step"):
        new(tmp_path / "own", name)
    assert not (tmp_path / "own").exists()


def test_an_unknown_phase_is_told_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no phase backend-up") as caught:
        new(tmp_path, "x", phase_name="backend-up")
    assert caught.value.hint == "one of: backends-down, backends-up, all-up"


def test_a_layer_with_problems_is_told_and_nothing_is_begun(tmp_path: Path) -> None:
    (tmp_path / "upgrade").mkdir()
    (tmp_path / "upgrade/0010_a.sh").write_text("no header")
    with pytest.raises(Invalid, match="put these right first"):
        new(tmp_path, "x")
    assert len(list((tmp_path / "upgrade").iterdir())) == 1
