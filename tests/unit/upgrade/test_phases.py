# SPDX-License-Identifier: GPL-3.0-or-later
"""Phases: number ranges that cover every number once, from files in layers."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.config import shipped
from orchestrator.upgrade.phases import Phase, load_phases, phase_of

SHIPPED = shipped.share_directory() / "phases"


def written(layer: Path, **files: Any) -> Path:
    """A layer with files of these names; values are (name, first, last), a whole document, or text."""
    layer.mkdir(exist_ok=True)
    for name, content in files.items():
        document = content
        if isinstance(content, tuple):
            document = dict(zip(("name", "first", "last"), content, strict=True))
            document |= {"backends": "down", "applications": "down"}
        text = content if isinstance(content, str) else yaml.safe_dump(document)
        (layer / f"{name}.yaml").write_text(text)
    return layer


def problems(*layers: Path) -> list[str]:
    return [str(problem) for problem in load_phases(layers)[1]]


def test_the_shipped_phases_are_the_three_of_the_design() -> None:
    phases, found = load_phases([SHIPPED])
    assert found == []
    assert [(p.name, p.first, p.last, p.backends, p.applications) for p in phases] == [
        ("backends-down", 1, 2999, "down", "down"),
        ("backends-up", 3000, 5999, "up", "down"),
        ("all-up", 6000, 9999, "up", "up"),
    ]


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (1, "backends-down"),
        (2999, "backends-down"),
        (3000, "backends-up"),
        (5999, "backends-up"),
        (6000, "all-up"),
        (9999, "all-up"),
    ],
)
def test_a_number_belongs_to_one_phase(number: int, name: str) -> None:
    assert phase_of(number, load_phases([SHIPPED])[0]).name == name


def test_a_tier_is_wanted_as_its_phase_says() -> None:
    phase = Phase(name="x", first=1, last=2, backends="up", applications="down")
    assert (phase.wants("backend"), phase.wants("application")) == ("up", "down")


@pytest.mark.parametrize(
    ("ranges", "told"),
    [
        ([("a", 1, 2999), ("b", 3001, 9999)], ["phase b: gap: 3000-3000 belong to no phase"]),
        ([("a", 1, 3000), ("b", 3000, 9999)], ["phase b: overlaps a: 3000-3000"]),
        ([("a", 1, 9999), ("b", 5, 6)], ["phase b: overlaps a: 0005-9999"]),
        ([("a", 2, 9999)], ["phase a: gap: 0001-0001 belong to no phase"]),
        ([("a", 1, 9998)], ["phase a: gap: 9999-9999 belong to no phase"]),
        ([("a", 1, 10), ("a", 11, 9999)], ["phase a: two phases have this name"]),
        ([("a", 1, 20), ("a", 10, 9990)], [
            "phase a: overlaps a: 0010-0020",
            "phase a: gap: 9991-9999 belong to no phase",
            "phase a: two phases have this name",
        ]),
    ],
)  # fmt: skip
def test_ranges_that_do_not_cover_every_number_once_are_problems(
    tmp_path: Path, ranges: list[tuple[str, int, int]], told: list[str]
) -> None:
    layer = written(tmp_path / "phases", **{f"{index}": phase for index, phase in enumerate(ranges)})
    assert problems(layer) == told


def test_a_phase_that_ends_before_it_begins_is_a_problem(tmp_path: Path) -> None:
    layer = written(tmp_path / "phases", a=("a", 1, 9999), b=("b", 4005, 4001))
    assert "phase b: ends (4001) before it begins (4005)" in problems(layer)


def test_no_phase_at_all_is_a_problem_that_says_where_was_looked(tmp_path: Path) -> None:
    assert problems(tmp_path / "none", written(tmp_path / "empty")) == [
        f"phases: no phase is defined (looked in {tmp_path}/none, {tmp_path}/empty)"
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "bad.yaml: the file: takes a mapping of keys"),
        ("[]", "bad.yaml: the file: takes a mapping of keys"),
        ("name: [", "bad.yaml:2: did not find expected node content"),
        ({"name": "x", "first": 1, "last": 9999, "backends": "up"}, "bad.yaml: applications: is missing"),
        ({"name": "X!", "first": 1, "last": 9999, "backends": "up", "applications": "up"}, "bad.yaml: name: String should match"),
        ({"name": "x", "first": 0, "last": 9999, "backends": "up", "applications": "up"}, "bad.yaml: first: Input should be greater"),
        ({"name": "x", "first": 1, "last": 10000, "backends": "up", "applications": "up"}, "bad.yaml: last: Input should be less"),
        ({"name": "x", "first": 1, "last": 9999, "backends": "ready", "applications": "up"}, "bad.yaml: backends: Input should be 'up' or 'down'"),
        ({"name": "x", "first": 1, "last": 9999, "backends": "up", "application": "up", "applications": "up"}, "bad.yaml: application: unknown key (did you mean applications?)"),
        ({"name": "x", "first": 1, "last": 9999, "backends": "up", "applications": "up", "kind": "x"}, "bad.yaml: kind: unknown key"),
    ],
)  # fmt: skip
def test_a_bad_file_is_told_with_its_path_and_key(tmp_path: Path, content: Any, told: str) -> None:
    (problem,) = problems(written(tmp_path / "phases", bad=content))
    assert problem.startswith(f"{tmp_path}/phases/{told}")


def test_every_bad_file_is_told(tmp_path: Path) -> None:
    layer = written(tmp_path / "phases", a=("A", 0, 10000), b="[")
    assert len(problems(layer)) == 4


def test_the_administrators_layer_overrides_by_file_name_masks_and_adds(tmp_path: Path) -> None:
    vendor = written(tmp_path / "vendor", one=("first", 1, 5000), two=("second", 5001, 9999), three="[")
    own = written(tmp_path / "own", one=("mine", 1, 4000), four=("between", 4001, 5000))
    (own / "three.yaml").symlink_to("/dev/null")
    phases, found = load_phases([vendor, own, tmp_path / "none"])
    assert found == []
    assert [phase.name for phase in phases] == ["mine", "between", "second"]


def test_numbers_with_zeros_in_front_are_decimal(tmp_path: Path) -> None:
    common = "backends: up\napplications: up\n"
    layer = written(
        tmp_path / "phases",
        a=f"name: a\nfirst: 0001\nlast: 0100\n{common}",
        b=f"name: b\nfirst: 0101\nlast: 9999\n{common}",
    )
    assert problems(layer) == []


def test_both_endings_of_yaml_count_and_hidden_files_do_not(tmp_path: Path) -> None:
    layer = written(tmp_path / "phases", a=("a", 1, 9999))
    (layer / "a.yaml").rename(layer / "a.yml")
    (layer / ".b.yaml").write_text("[")
    (layer / "README").write_text("[")
    assert problems(layer) == []


def test_a_layer_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert problems(SHIPPED, tmp_path / "file") == [f"{tmp_path}/file: cannot be read: Not a directory"]
