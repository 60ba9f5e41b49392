# SPDX-License-Identifier: GPL-3.0-or-later
"""rpm's order of versions, and relations as people write them."""

import itertools
import random

import pytest

from orchestrator.content.formats.rpm.versions import (
    Relation,
    Rich,
    parse_relation,
    parse_rich,
    version_key,
)
from orchestrator.errors import Invalid

# Each lower than the next.
ASCENDING = (
    "1.0~beta-1",
    "1.0~rc1-1",
    "1.0-1",
    "1.0^20240101-1",
    "1.0a-1",
    "1.0.1-1",
    "1.2-1",
    "1.10-1",
    "2-1",
    "2-1.el9",
    "2-1.1",
    "2-2",
    "20240101-1",
    "1:0.1-1",
    "1:0.1-10",
    "10:0-1",
)


def test_versions_are_ordered_as_rpm_orders_them() -> None:
    shuffled = list(ASCENDING)
    random.Random(1).shuffle(shuffled)
    assert sorted(shuffled, key=version_key) == list(ASCENDING)


@pytest.mark.parametrize(("left", "right"), [("1.0-1", "1_0-1"), ("1.01-1", "1.1-1"), ("0:1-1", "1-1")])
def test_some_spellings_are_the_same_version(left: str, right: str) -> None:
    assert version_key(left) == version_key(right)


def test_numbers_of_any_length_are_compared() -> None:
    assert version_key("9" * 5000 + "-1") < version_key("1" + "0" * 5000 + "-1")


def test_libsolv_agrees() -> None:
    solv = pytest.importorskip("solv")
    pool = solv.Pool()
    made = random.Random(2)
    versions = ["".join(made.choices("01a.~^+2b", k=made.randint(1, 6))) + "-1" for _ in range(120)]
    repository = pool.add_repo("one")
    solvables = {}
    for version in versions:
        solvables[version] = repository.add_solvable()
        solvables[version].evr = version
    for left, right in itertools.combinations(versions, 2):
        ours = (version_key(left) > version_key(right)) - (version_key(left) < version_key(right))
        theirs = solvables[left].evrcmp(solvables[right])
        assert ours == (theirs > 0) - (theirs < 0), (left, right)


@pytest.mark.parametrize(
    ("text", "relation"),
    [
        ("nginx", Relation("nginx")),
        (" nginx >= 1:1.22-3 ", Relation("nginx", "GE", "1:1.22-3")),
        ("nginx (>= 1.22)", Relation("nginx", "GE", "1.22")),
        ("nginx(>=1.22)", Relation("nginx", "GE", "1.22")),
        ("nginx>=1.22", Relation("nginx", "GE", "1.22")),
        ("nginx == 2", Relation("nginx", "EQ", "2")),
        ("nginx < 2", Relation("nginx", "LT", "2")),
        ("perl(Foo::Bar) > 1", Relation("perl(Foo::Bar)", "GT", "1")),
        ("libc.so.6(GLIBC_2.4)(64bit)", Relation("libc.so.6(GLIBC_2.4)(64bit)")),
        ("/usr/bin/perl", Relation("/usr/bin/perl")),
        ("c++-devel", Relation("c++-devel")),
    ],
)
def test_requirements_are_read(text: str, relation: Relation) -> None:
    assert parse_relation(text) == relation


@pytest.mark.parametrize(
    "text", ["", "nginx >= ", "nginx >> 1", "a b", "nginx => 1", "nginx (>= 1", "= 1", "("]
)
def test_what_is_no_requirement_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is not a requirement"):
        parse_relation(text)


@pytest.mark.parametrize(
    ("provided", "required", "meets"),
    [
        ("a", "a >= 1", True),
        ("a = 2", "a >= 1", True),
        ("a = 2", "b", False),
        ("a = 1-5", "a = 1", True),
        ("a = 1-5", "a > 1", False),
        ("a = 1-5", "a >= 1-6", False),
        ("a = 1", "a < 1:0.5", True),
        ("a < 2", "a > 1", True),
        ("a < 1", "a > 1", False),
        ("a <= 1", "a >= 1", True),
        ("a < 1", "a >= 1", False),
        ("a > 3", "a < 2", False),
    ],
)
def test_a_provided_relation_meets_a_required_one(provided: str, required: str, meets: bool) -> None:
    left, right = parse_relation(provided), parse_relation(required)
    assert left.meets(right) is meets
    assert right.meets(left) is meets


def test_boolean_relations_are_trees() -> None:
    assert parse_rich("(a and (b >= 1 or perl(C)))") == Rich("and", ("a", Rich("or", ("b >= 1", "perl(C)"))))
    assert parse_rich("(a if b else c)") == Rich("if", ("a", "b", "c"))
    assert parse_rich("plain >= 1") == "plain >= 1"


def test_a_hostile_relation_takes_no_time() -> None:
    with pytest.raises(Invalid):
        parse_relation("a" + "()" * 5000 + " (")
    assert isinstance(parse_rich("(" * 5000 + ")" * 5000), str)
