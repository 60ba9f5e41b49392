# SPDX-License-Identifier: GPL-3.0-or-later
"""What requirements need, and what is broken without some packages, on small archives written as stanzas."""

import pytest

from orchestrator.content.formats import Member
from orchestrator.content.formats.deb.closure import broken_without, closure
from orchestrator.content.model import Because, Closure, ClosureOptions
from orchestrator.errors import Invalid
from tests.support.stanzas import Stanzas, member


def resolve(
    text: str, *requirements: str, architectures: tuple[str, ...] = ("amd64",), **options: bool
) -> Closure:
    return closure([member(text, architectures=architectures)], requirements, ClosureOptions(**options))


def names(result: Closure) -> set[str]:
    return {package.name for package in result.chosen}


def versions(result: Closure) -> set[str]:
    return {f"{package.name} {package.version}" for package in result.chosen}


def architectures(result: Closure) -> set[str]:
    return {f"{package.name}:{package.architecture}" for package in result.chosen}


def unresolved(result: Closure) -> list[tuple[str, str, str]]:
    return [(each.relation, each.by.name if each.by else "", each.nearest) for each in result.unresolved]


# The walk ---------------------------------------------------------------------------------------------------


def test_needs_are_followed_to_the_end_each_with_its_reason() -> None:
    result = resolve(
        """
        Package: web
        Depends: engine (>= 2), tools

        Package: engine
        Version: 2.1
        Pre-Depends: libc

        Package: tools
        Recommends: manual

        Package: libc

        Package: manual

        Package: stranger
        """,
        "web",
    )
    assert names(result) == {"web", "engine", "libc", "tools"}
    reasons = {package.name: reason for package, reason in result.chosen.items()}
    assert (reasons["web"].because, reasons["web"].relation, reasons["web"].by) == (
        Because.REQUESTED,
        "web",
        None,
    )
    engine = reasons["engine"]
    assert engine.by is not None
    assert (engine.because, engine.relation, engine.by.name) == (Because.DEPENDS, "engine (>= 2)", "web")
    assert result.unresolved == ()


def test_recommended_packages_come_on_request() -> None:
    text = "Package: web\nRecommends: manual, gone\n\nPackage: manual\nDepends: viewer\n\nPackage: viewer"
    assert names(resolve(text, "web")) == {"web"}
    result = resolve(text, "web", weak=True)
    assert names(result) == {"web", "manual", "viewer"}
    assert [reason.because for reason in result.chosen.values()] == [
        Because.REQUESTED,
        Because.RECOMMENDS,
        Because.DEPENDS,
    ]
    assert result.unresolved == ()


ALTERNATIVES = """
    Package: web
    Depends: gone | second | third

    Package: second

    Package: third
"""


def test_the_first_alternative_that_can_be_had_is_taken_or_all() -> None:
    assert names(resolve(ALTERNATIVES, "web")) == {"web", "second"}
    assert names(resolve(ALTERNATIVES, "web", all_alternatives=True)) == {"web", "second", "third"}


def test_an_alternative_that_is_there_does_not_take_another_package_s_need_away() -> None:
    text = """
        Package: builder
        Depends: python (>= 3.11) | tomli

        Package: checker
        Depends: tomli

        Package: python
        Version: 3.11

        Package: tomli
    """
    for order in (["builder", "checker"], ["checker", "builder"]):
        assert names(resolve(text, *order)) == {"builder", "checker", "python", "tomli"}


def test_the_highest_version_that_fits_is_taken() -> None:
    text = """
        Package: web
        Depends: lib (<< 3)

        Package: lib
        Version: 2.9

        Package: lib
        Version: 2.10

        Package: lib
        Version: 3
    """
    assert versions(resolve(text, "web")) == {"web 1", "lib 2.10"}
    assert versions(resolve(text, "lib")) == {"lib 3"}
    assert versions(resolve(text, "lib=2.9")) == {"lib 2.9"}


VIRTUAL = """
    Package: web
    Depends: agent

    Package: postfix
    Provides: agent

    Package: postfix
    Version: 2
    Provides: agent

    Package: exim
    Provides: agent (= 4)
"""


def test_every_provider_of_a_virtual_name_is_taken_in_its_highest_version() -> None:
    assert versions(resolve(VIRTUAL, "web")) == {"web 1", "postfix 2", "exim 1"}


def test_a_real_package_is_taken_rather_than_its_providers() -> None:
    assert names(resolve(VIRTUAL + "\n\nPackage: agent", "web")) == {"web", "agent"}


def test_only_a_versioned_provides_satisfies_a_versioned_relation() -> None:
    assert names(resolve(VIRTUAL, "agent (>= 3)")) == {"exim"}
    assert resolve(VIRTUAL, "agent (>= 5)").chosen == {}


def test_real_packages_that_do_not_fit_leave_the_place_to_providers() -> None:
    text = "Package: lib\n\nPackage: lib-ng\nProvides: lib (= 5)\n\nPackage: web\nDepends: lib (>= 3)"
    assert names(resolve(text, "web")) == {"web", "lib-ng"}


def test_mandatory_packages_are_roots_on_request() -> None:
    text = """
        Package: dpkg
        Essential: yes
        Depends: tar

        Package: tar

        Package: passwd
        Priority: required

        Package: other
        Priority: optional
    """
    result = resolve(text, mandatory=True)
    assert names(result) == {"dpkg", "tar", "passwd"}
    assert {reason.relation for reason in result.chosen.values()} == {
        "Essential: yes",
        "Priority: required",
        "tar",
    }
    assert names(resolve(text, "other")) == {"other"}


def test_circles_end() -> None:
    assert names(
        resolve("Package: a\nDepends: b\n\nPackage: b\nDepends: c\n\nPackage: c\nDepends: a", "b")
    ) == set("abc")


# What is not there ------------------------------------------------------------------------------------------


def test_what_nothing_satisfies_is_reported_with_what_comes_close() -> None:
    text = """
        Package: web
        Depends: gone, lib (>= 2), agent (>= 2), ${broken}

        Package: lib
        Version: 1.9

        Package: postfix
        Provides: agent (= 1)
    """
    assert unresolved(resolve(text, "web", "absent", "lib=3")) == [
        ("absent", "", ""),
        ("lib=3", "", "there is lib 1.9 amd64"),
        ("gone", "web", ""),
        ("lib (>= 2)", "web", "there is lib 1.9 amd64"),
        ("agent (>= 2)", "web", "postfix 1 amd64 provides agent 1"),
        ("${broken}", "web", ""),
    ]


def test_what_needs_an_uninstallable_package_is_not_reported_again() -> None:
    text = "Package: a\nDepends: b\n\nPackage: b\nDepends: c\n\nPackage: c\nDepends: gone"
    assert unresolved(resolve(text, "a")) == [("gone", "c", "")]


def test_packages_that_the_filters_refuse_are_not_taken() -> None:
    offer = Stanzas("Package: web\nDepends: old | new\n\nPackage: old\n\nPackage: new\n\nPackage: alone")
    refused = frozenset(offer.package(name) for name in ("old", "alone"))
    result = closure([Member(offer, refused=refused)], ["web", "alone"], ClosureOptions())
    assert names(result) == {"web", "new"}
    assert unresolved(result) == [("alone", "", "alone 1 amd64 is excluded")]
    everything = closure([Member(offer, everything=True, refused=refused)], [], ClosureOptions())
    assert names(everything) == {"web", "new"}


def test_a_requirement_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(Invalid, match="no requirement"):
        resolve("Package: a", "a, b")


# Several members --------------------------------------------------------------------------------------------

MASTER = """
    Package: app
    Depends: lib (>= 1), agent | exim, tool

    Package: lib

    Package: exim
"""
BASE = """
    Package: lib
    Version: 2

    Package: agent

    Package: tool
    Depends: lib (>= 2), runtime

    Package: runtime

    Package: stranger
"""


def test_a_master_is_whole_and_takes_of_others_only_what_it_has_not() -> None:
    members = [member(MASTER, "mos", everything=True), member(BASE, "ubuntu")]
    result = closure(members, [], ClosureOptions())
    taken = {f"{package.source} {package.name} {package.version}" for package in result.chosen}
    assert taken == {
        "mos app 1",
        "mos lib 1",
        "mos exim 1",
        "ubuntu tool 1",
        "ubuntu lib 2",
        "ubuntu runtime 1",
    }
    assert {reason.because for package, reason in result.chosen.items() if package.source == "mos"} == {
        Because.MASTER
    }


def test_an_earlier_member_satisfies_first_even_in_part() -> None:
    result = closure([member(MASTER, "mos"), member(BASE, "ubuntu")], ["lib", "agent"], ClosureOptions())
    assert {f"{package.source} {package.name}" for package in result.chosen} == {"mos lib", "ubuntu agent"}


# Architectures ----------------------------------------------------------------------------------------------

TWO = """
    Package: web
    Depends: lib, data, helper, python:any

    Package: web
    Architecture: arm64
    Depends: lib, data, helper, python:any

    Package: lib

    Package: lib
    Architecture: arm64

    Package: data
    Architecture: all
    Depends: lib

    Package: helper
    Multi-Arch: foreign

    Package: python
    Multi-Arch: allowed
"""


def test_packages_need_those_of_their_own_architecture() -> None:
    both = ("amd64", "arm64")
    assert architectures(resolve(TWO, "web:amd64", architectures=both)) == {
        "web:amd64",
        "lib:amd64",
        "data:all",
        "helper:amd64",
        "python:amd64",
    }


def test_multi_arch_foreign_and_allowed_packages_serve_other_architectures() -> None:
    result = resolve(TWO, "web:arm64", architectures=("amd64", "arm64"))
    assert architectures(result) == {"web:arm64", "lib:arm64", "data:all", "helper:amd64", "python:amd64"}
    assert result.unresolved == ()


def test_a_requirement_without_architecture_is_for_each() -> None:
    assert {"web:amd64", "web:arm64"} <= architectures(resolve(TWO, "web", architectures=("amd64", "arm64")))
    assert architectures(resolve("Package: only", "only", architectures=("amd64", "arm64"))) == {"only:amd64"}


def test_any_is_satisfied_by_allowed_packages_alone() -> None:
    result = resolve("Package: web\nDepends: tool:any\n\nPackage: tool", "web")
    assert unresolved(result) == [("tool:any", "web", "there is tool 1 amd64")]


def test_a_package_for_all_architectures_need_not_work_on_each() -> None:
    text = "Package: data\nArchitecture: all\nDepends: lib\n\nPackage: lib\nArchitecture: arm64"
    both = ("amd64", "arm64")
    assert resolve(text, "data", architectures=both).unresolved == ()
    result = resolve(text + "\n\nPackage: web\nDepends: data", "web", architectures=both)
    assert unresolved(result) == [("lib", "data", "there is lib 1 arm64")]
    text += "\n\nPackage: web\nDepends: data\n\nPackage: web\nArchitecture: arm64\nDepends: data"
    result = resolve(text, "web", architectures=both)
    assert unresolved(result) == [("lib", "data", "there is lib 1 arm64")]


def test_an_explicit_architecture_is_followed_across() -> None:
    text = """
        Package: wine
        Depends: libwine:i386

        Package: libwine
        Architecture: i386
        Depends: libc

        Package: libc

        Package: libc
        Architecture: i386
    """
    assert architectures(resolve(text, "wine", architectures=("amd64", "i386"))) == {
        "wine:amd64",
        "libwine:i386",
        "libc:i386",
    }


def test_architectures_that_no_source_names_are_those_of_the_packages() -> None:
    assert architectures(resolve(TWO, "lib", architectures=())) == {"lib:amd64", "lib:arm64"}


# The judge --------------------------------------------------------------------------------------------------


def test_the_solver_s_answer_is_added_where_the_first_alternative_conflicts() -> None:
    text = """
        Package: web
        Depends: engine | engine-ng, theme

        Package: engine
        Conflicts: theme

        Package: engine-ng
        Depends: extra

        Package: extra

        Package: theme
    """
    result = resolve(text, "web")
    assert names(result) == {"web", "engine", "theme", "engine-ng", "extra"}
    reason = next(why for package, why in result.chosen.items() if package.name == "engine-ng")
    assert (reason.because, reason.relation, reason.by and reason.by.name) == (
        Because.SOLVER,
        "engine | engine-ng",
        "web",
    )
    assert result.unresolved == ()


def test_the_solver_takes_an_older_version_where_the_newest_cannot_be_had() -> None:
    text = """
        Package: web
        Depends: lib

        Package: lib
        Version: 1

        Package: lib
        Version: 2
        Depends: gone
    """
    result = resolve(text, "web")
    assert versions(result) == {"web 1", "lib 2", "lib 1"}
    assert unresolved(result) == [("gone", "lib", "")]


def test_conflicts_that_nothing_solves_are_reported() -> None:
    text = """
        Package: web
        Depends: old, new

        Package: old
        Breaks: new (<< 2)

        Package: new
    """
    assert unresolved(resolve(text, "web")) == [
        ("Breaks: new (<< 2)", "old", "new 1 amd64, which web 1 amd64 needs as well")
    ]


def test_two_versions_of_one_package_cannot_be_had_together() -> None:
    text = "Package: web\nDepends: lib (= 1), a\n\nPackage: a\nDepends: lib (= 2)\n\nPackage: lib\n\nPackage: lib\nVersion: 2"
    ((relation, by, nearest),) = unresolved(resolve(text, "web"))
    assert (relation, by) == ("no other version", "lib")
    assert nearest.endswith("which web 1 amd64 needs as well")


def test_requirements_may_conflict_with_each_other() -> None:
    text = "Package: exim\nProvides: mta\nConflicts: mta\n\nPackage: postfix\nProvides: mta\nConflicts: mta"
    result = resolve(text, "exim", "postfix")
    assert (names(result), result.unresolved) == ({"exim", "postfix"}, ())


# Losses -----------------------------------------------------------------------------------------------------


def broken(offer: Stanzas, *lost: str, without: tuple[str, ...] = ()) -> dict[str, str]:
    kept = [package for package in offer.packages() if package.name not in without]
    found = broken_without([Member(offer)], kept, [offer.package(name) for name in lost])
    assert all(each.by == package for package, each in found.items())
    return {package.name: each.relation for package, each in found.items()}


def test_what_needs_a_lost_package_is_broken_through_any_number_of_steps() -> None:
    offer = Stanzas(
        """
        Package: web
        Depends: engine, theme

        Package: engine
        Depends: lib | other

        Package: theme
        Recommends: lib

        Package: lib

        Package: other

        Package: suite
        Depends: web
        """
    )
    assert broken(offer, "lib") == {}
    assert broken(offer, "lib", "other") == {"engine": "lib | other", "web": "engine", "suite": "web"}
    assert broken(offer, "lib", without=("other",)) == {
        "engine": "lib | other",
        "web": "engine",
        "suite": "web",
    }
    assert broken(offer, "theme") == {"web": "theme", "suite": "web"}


def test_what_was_broken_before_is_not_counted() -> None:
    offer = Stanzas(
        "Package: a\nDepends: gone, lib\n\nPackage: b\nDepends: a, lib\n\nPackage: c\nDepends: lib\n\nPackage: lib"
    )
    assert broken(offer, "lib") == {"c": "lib"}


def test_another_version_or_provider_is_support_enough() -> None:
    offer = Stanzas(
        """
        Package: web
        Depends: lib (>= 1), agent

        Package: lib
        Version: 1

        Package: lib
        Version: 2

        Package: agent

        Package: exim
        Provides: agent
        """
    )
    assert broken(offer, "lib 2", "agent") == {}
    assert broken(offer, "lib 2", "agent", "exim") == {"web": "agent"}
    assert broken(offer, "lib 1", "lib 2") == {"web": "lib (>= 1)"}


def test_circles_stand_until_one_of_them_falls() -> None:
    offer = Stanzas(
        "Package: a\nDepends: b\n\nPackage: b\nDepends: c\n\nPackage: c\nDepends: a, d\n\nPackage: d"
    )
    assert broken(offer, "d") == {"a": "b", "b": "c", "c": "d"}
    assert broken(offer) == {}


def test_a_master_s_packages_support_those_of_a_part() -> None:
    master, part = (
        Stanzas("Package: lib", "mos"),
        Stanzas("Package: web\nDepends: lib, tool\n\nPackage: tool", "ubuntu"),
    )
    members = [Member(master, everything=True), Member(part)]
    tool = part.package("tool")
    assert [str(each) for each in broken_without(members, part.packages(), [tool])] == ["web 1 amd64"]
    assert broken_without(members, part.packages(), []) == {}


def test_a_package_for_all_architectures_falls_with_the_last_of_them() -> None:
    text = (
        "Package: data\nArchitecture: all\nDepends: lib\n\nPackage: lib\n\nPackage: lib\nArchitecture: arm64"
    )
    offer = Stanzas(text, architectures=("amd64", "arm64"))
    assert broken(offer, "lib 1 arm64") == {}
    assert broken(offer, "lib 1 arm64", "lib 1 amd64") == {"data": "lib"}
