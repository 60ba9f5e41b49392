# SPDX-License-Identifier: GPL-3.0-or-later
"""Relations as Debian writes them."""

import pytest

from orchestrator.content.formats.deb.relations import (
    Group,
    Relation,
    groups,
    provided,
    relation,
    requirement,
)
from orchestrator.errors import Invalid


def test_a_field_is_groups_of_alternatives() -> None:
    first, second, third = groups("libc6 (>= 2.34), default-mta | mail-transport-agent,\n perl:any (<< 6~)")
    assert first == Group("libc6 (>= 2.34)", (Relation("libc6", "", ">=", "2.34"),))
    assert second.alternatives == (Relation("default-mta"), Relation("mail-transport-agent"))
    assert third.alternatives == (Relation("perl", "any", "<<", "6~"),)


def test_spaces_and_empty_parts_do_not_matter() -> None:
    tight, loose = groups("a(>=1),b|c,d:native"), groups(" a ( >= 1 ) , b | c, , d:native,")
    assert [group.alternatives for group in tight] == [group.alternatives for group in loose]
    assert relation(" a ( >=1 ) ") == Relation("a", "", ">=", "1")
    assert groups("") == ()


def test_old_operators_are_read() -> None:
    assert relation("a (< 1)").operator == "<="
    assert relation("a (> 1)").operator == ">="


def test_restrictions_of_source_packages_are_kept() -> None:
    found = relation("libfoo-dev:native (>= 1) [amd64 !i386] <!nocheck> <stage1 cross>")
    assert (found.architectures, found.profiles) == ("amd64 !i386", "<!nocheck> <stage1 cross>")


@pytest.mark.parametrize(
    "text", ["a (>= )", "a (~ 1)", "a (1)", "(>= 1)", "a b", "a | ", "${misc:Depends}", "a (>= 1", "a:"]
)
def test_what_cannot_be_read_is_a_group_that_nothing_satisfies(text: str) -> None:
    assert groups(f"x, {text}, y")[1] == Group(" ".join(text.split()), ())


def test_provided_names_with_and_without_version() -> None:
    found = list(provided("mta, libx (= 1:2-3), y (>= 4), z:any (= 5), (= 6)"))
    assert [(each.name, each.qualifier, version) for each, version in found] == [
        ("mta", "", ""),
        ("libx", "", "1:2-3"),
        ("y", "", ""),
        ("z", "any", "5"),
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("nginx", Relation("nginx")),
        ("nginx (>= 1.22)", Relation("nginx", "", ">=", "1.22")),
        ("nginx >= 1.22", Relation("nginx", "", ">=", "1.22")),
        ("nginx=1.22-1", Relation("nginx", "", "=", "1.22-1")),
        ("nginx == 1:1.22", Relation("nginx", "", "=", "1:1.22")),
        ("nginx:i386", Relation("nginx", "i386")),
        ("nginx:i386=1.2", Relation("nginx", "i386", "=", "1.2")),
        ("libstdc++6 (>> 4.1)", Relation("libstdc++6", "", ">>", "4.1")),
    ],
)
def test_requirements_are_written_as_people_write_them(text: str, wanted: Relation) -> None:
    assert requirement(text).alternatives == (wanted,)


def test_a_requirement_may_have_alternatives() -> None:
    assert [each.name for each in requirement("nginx | apache2 (>= 2.4)").alternatives] == [
        "nginx",
        "apache2",
    ]


@pytest.mark.parametrize(
    "text", ["", " ", "a b", "a (>= 1", "a, b", "a [amd64]", "nginx >=", "-x", "a |", "ngi*"]
)
def test_what_is_no_requirement_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is no requirement"):
        requirement(text)
