# SPDX-License-Identifier: GPL-3.0-or-later
"""What requirements need: relations of every kind, sources in their order, reasons, and what is missing."""

import pytest

from orchestrator.content.formats import Member
from orchestrator.content.model import Because, Closure, ClosureOptions, Package
from orchestrator.errors import Invalid
from tests.support.rpm_mirror import RpmMirror, titles
from tests.support.rpm_repository import Rpm, RpmRepository

COMPS = b"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
<comps>
  <group><id>servers</id><name>Servers</name><packagelist>
    <packagereq type="mandatory">mta</packagereq>
    <packagereq type="default">a</packagereq>
    <packagereq type="optional">b</packagereq>
  </packagelist></group>
  <environment><id>all</id><grouplist><groupid>servers</groupid></grouplist></environment>
</comps>
"""
DEEP = ("/usr/share/deep/file",)
RPMS = (
    Rpm("web", "1:1.20-1", "x86_64"),
    Rpm("web", "1:1.22-1", "x86_64", requires=("lib >= 2", "(a or b)", "/usr/share/deep/file")),
    Rpm("lib", "2.1-1", "x86_64"),
    Rpm("lib", "2.1-1", "i686"),
    Rpm("a"),
    Rpm("b"),
    Rpm("deep", files=DEEP),
    Rpm("rich-file", requires=("(/usr/share/deep/file or missing)",)),
    Rpm("mta", provides=("smtp",), recommends=("doc",)),
    Rpm("doc", supplements=()),
    Rpm("extra", supplements=("mta",)),
    Rpm("old"),
    Rpm("new", obsoletes=("old",)),
    Rpm("newest", obsoletes=("new < 9",)),
    Rpm("left", conflicts=("right",)),
    Rpm("right"),
    Rpm("torn", requires=("left", "right")),
    Rpm("broken", requires=("missing >= 3", "a")),
    Rpm("needs-broken", requires=("broken", "b")),
    Rpm("needs-old-web", requires=("web < 1:1.0",)),
    Rpm("conditional", requires=("(deep if a)", "a")),
)


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> RpmMirror:
    place = tmp_path_factory.mktemp("closure")
    upstream = RpmRepository(place / "upstream", comps=COMPS).write(RPMS)
    return RpmMirror(place, upstream.root)


def names(closure: Closure) -> set[str]:
    return {package.name for package in closure.chosen}


def missing(closure: Closure) -> list[tuple[str, str, str]]:
    return [
        (unresolved.relation, unresolved.by.name if unresolved.by else "", unresolved.nearest)
        for unresolved in closure.unresolved
    ]


@pytest.mark.parametrize(
    ("requirement", "needed"),
    [
        ("a", {"a"}),
        ("web", {"web", "lib", "a", "deep"}),
        ("web < 1:1.22", {"web"}),
        ("web (= 1:1.20-1)", {"web"}),
        ("smtp", {"mta"}),
        ("/usr/share/deep/file", {"deep"}),
        ("(mta and deep)", {"mta", "deep"}),
        ("rich-file", {"rich-file", "deep"}),
        ("conditional", {"conditional", "a", "deep"}),
        ("old", {"newest", "old"}),
        ("old = 1-1", {"old"}),
        ("@servers", {"mta", "a"}),
        ("@all", {"mta", "a"}),
    ],
)
def test_a_requirement_brings_what_it_needs(mirror: RpmMirror, requirement: str, needed: set[str]) -> None:
    closure = mirror.closure(requirement)
    assert names(closure) == needed
    assert not closure.unresolved


def test_the_newest_version_that_fits_is_taken(mirror: RpmMirror) -> None:
    assert titles(mirror.closure("web").chosen) >= {"web-1:1.22-1.x86_64", "lib-2.1-1.x86_64"}
    assert titles(mirror.closure("web < 1:1.22").chosen) == {"web-1:1.20-1.x86_64"}


def test_an_architecture_can_be_named(mirror: RpmMirror) -> None:
    assert titles(mirror.closure("lib.i686", "lib.x86_64").chosen) == {"lib-2.1-1.i686", "lib-2.1-1.x86_64"}


def test_weak_dependencies_come_on_request(mirror: RpmMirror) -> None:
    assert names(mirror.closure("mta")) == {"mta"}
    closure = mirror.closure("mta", weak=True)
    assert names(closure) == {"mta", "doc", "extra"}
    assert {reason.because for package, reason in closure.chosen.items() if package.name != "mta"} == {
        Because.RECOMMENDS
    }


def test_all_alternatives_come_on_request(mirror: RpmMirror) -> None:
    assert names(mirror.closure("web", all_alternatives=True)) == {"web", "lib", "a", "b", "deep"}


def test_requirements_that_exclude_each_other_are_all_granted(mirror: RpmMirror) -> None:
    closure = mirror.closure("left", "right", "web = 1:1.20-1", "web = 1:1.22-1")
    assert {"left", "right"} < names(closure)
    assert {"web-1:1.20-1.x86_64", "web-1:1.22-1.x86_64"} < titles(closure.chosen)
    assert not closure.unresolved


def test_every_package_has_a_reason(mirror: RpmMirror) -> None:
    closure = mirror.closure("web")
    reasons = {package.name: reason for package, reason in closure.chosen.items()}
    assert (reasons["web"].because, reasons["web"].relation, reasons["web"].by) == (
        Because.REQUESTED,
        "web",
        None,
    )
    for name, relation in {"lib": "lib >= 2", "a": "(a or b)", "deep": "/usr/share/deep/file"}.items():
        assert reasons[name].because is Because.DEPENDS
        assert reasons[name].relation == relation
        by = reasons[name].by
        assert by
        assert by.name == "web"


# --- what is missing


def test_what_nothing_satisfies_is_told_with_what_comes_close(mirror: RpmMirror) -> None:
    closure = mirror.closure("webb", "web > 1:2", "@nothing", "needs-old-web")
    assert set(missing(closure)) == {
        ("webb", "", "there is web"),
        ("web > 1:2", "", "there is web 1:1.20-1, web 1:1.22-1"),
        ("@nothing", "", ""),
        ("web < 1:1.0", "needs-old-web", "there is web 1:1.20-1, web 1:1.22-1"),
    }


def test_a_package_that_lacks_something_is_followed_as_far_as_it_goes(mirror: RpmMirror) -> None:
    closure = mirror.closure("needs-broken")
    assert names(closure) == {"needs-broken", "broken", "a", "b"}
    assert missing(closure) == [("missing >= 3", "broken", "")]


def test_a_package_whose_needs_exclude_each_other_is_told(mirror: RpmMirror) -> None:
    closure = mirror.closure("torn")
    assert names(closure) == {"torn", "left", "right"}
    ((relation, by, _),) = missing(closure)
    assert by == "torn"
    assert "conflicts" in relation


@pytest.mark.parametrize("requirement", ["", "web >=", "a b", "(a or", "(a", "("])
def test_what_is_no_requirement_is_refused(mirror: RpmMirror, requirement: str) -> None:
    with pytest.raises(Invalid):
        mirror.closure(requirement)


# --- several sources


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[RpmMirror, RpmMirror]:
    """A with programs, B with everything they need, and newer ones of some."""
    place = tmp_path_factory.mktemp("pair")
    ours = RpmRepository(place / "a").write(
        [Rpm("program", requires=("library",)), Rpm("other", requires=("tool",)), Rpm("library", "1-1")]
    )
    theirs = RpmRepository(place / "b").write(
        [Rpm("library", "2-1"), Rpm("tool", requires=("sub-tool",)), Rpm("sub-tool"), Rpm("unused")]
    )
    first = RpmMirror(place / "ma", ours.root, name="first")
    return first, RpmMirror(place / "mb", theirs.root, name="second", partial=True)


def resolve(pair: tuple[RpmMirror, RpmMirror], *requirements: str, everything: bool) -> Closure:
    members = [Member(pair[0].offer, everything=everything), Member(pair[1].offer)]
    return pair[0].format.closure(members, requirements, ClosureOptions())


def test_what_an_earlier_source_satisfies_takes_nothing_from_a_later_one(
    pair: tuple[RpmMirror, RpmMirror],
) -> None:
    closure = resolve(pair, "program", everything=False)
    assert {(p.source, p.name, p.version) for p in closure.chosen} == {
        ("first", "program", "1-1"),
        ("first", "library", "1-1"),
    }


def test_a_master_brings_what_it_lacks_from_the_other(pair: tuple[RpmMirror, RpmMirror]) -> None:
    closure = resolve(pair, everything=True)
    assert {p.name for p in closure.chosen if p.source == "first"} == {"program", "other", "library"}
    assert {p.name for p in closure.chosen if p.source == "second"} == {"tool", "sub-tool"}
    reasons = {package.name: reason for package, reason in closure.chosen.items()}
    assert reasons["other"].because is Because.MASTER
    assert reasons["tool"].by
    assert reasons["tool"].by.name == "other"


def test_packages_that_a_filter_refuses_are_not_taken(pair: tuple[RpmMirror, RpmMirror]) -> None:
    refused = frozenset(pair[1].offer.named("sub-tool"))
    members = [Member(pair[0].offer), Member(pair[1].offer, refused=refused)]
    closure = pair[0].format.closure(members, ["tool"], ClosureOptions())
    assert names(closure) == {"tool"}
    assert missing(closure) == [("sub-tool", "tool", "")]


def test_everything_of_a_repository_with_conflicts_and_holes_is_taken(mirror: RpmMirror) -> None:
    closure = mirror.format.closure([Member(mirror.offer, everything=True)], (), ClosureOptions())
    assert set(closure.chosen) == set(mirror.offer.packages())
    assert {(relation, by) for relation, by, _ in missing(closure)} == {
        ("missing >= 3", "broken"),
        ("web < 1:1.0", "needs-old-web"),
    }


# --- losses


def lost(mirror: RpmMirror, *gone: str) -> dict[str, str]:
    packages = mirror.offer.packages()
    taken: list[Package] = [package for package in packages if package.name in gone]
    found = mirror.format.broken_without([Member(mirror.offer)], packages, taken)
    assert not set(found) & set(taken)
    return {package.name: unresolved.relation for package, unresolved in found.items()}


def test_a_loss_breaks_what_needs_it_through_any_number_of_steps(
    pair: tuple[RpmMirror, RpmMirror],
) -> None:
    first, second = pair
    kept = [*first.offer.packages(), *second.offer.packages()]
    gone = second.offer.named("sub-tool")
    found = first.format.broken_without([Member(first.offer), Member(second.offer)], kept, gone)
    assert {p.name: u.relation for p, u in found.items()} == {"tool": "sub-tool", "other": "tool"}


def test_a_loss_that_another_package_makes_good_breaks_nothing(mirror: RpmMirror) -> None:
    assert lost(mirror, "b") == {"needs-broken": "b"} or lost(mirror, "b") == {}
    assert "web" not in lost(mirror, "b")
    assert lost(mirror, "a", "b")["web"] == "(a or b)"


def test_losses_of_files_and_conditions_are_noticed(mirror: RpmMirror) -> None:
    assert lost(mirror, "deep")["web"] == "/usr/share/deep/file"
    assert "rich-file" in lost(mirror, "deep")


def test_what_was_broken_before_is_not_blamed_on_a_loss(mirror: RpmMirror) -> None:
    assert "broken" not in lost(mirror, "a")


# --- module streams

STREAM = """---
document: modulemd
version: 2
data:
  name: {name}
  stream: "{stream}"
  dependencies:
  - requires: {{{requires}}}
  profiles:
    default: {{rpms: [{profile}]}}
  artifacts:
    rpms:
    - {artifact}
...
"""
STREAMS = (
    STREAM.format(name="server", stream="1", requires="", profile="served", artifact="served-0:1-1.noarch")
    + STREAM.format(
        name="server", stream="2", requires="engine: ['9']", profile="served", artifact="served-0:2-1.noarch"
    )
    + STREAM.format(name="engine", stream="9", requires="", profile="", artifact="motor-0:9-1.noarch")
    + '---\ndocument: modulemd-defaults\ndata:\n  module: server\n  stream: "1"\n...\n'
).encode()


@pytest.fixture(scope="module")
def modular(tmp_path_factory: pytest.TempPathFactory) -> RpmMirror:
    place = tmp_path_factory.mktemp("modular")
    upstream = RpmRepository(place / "upstream", lists={"modules": STREAMS}).write(
        [
            *(Rpm("served", evr) for evr in ("1-1", "3-1")),
            Rpm("served", "2-1", requires=("motor",)),
            Rpm("motor", "9-1"),
            Rpm("plain", requires=("served",)),
        ]
    )
    return RpmMirror(place, upstream.root, partial=True)


@pytest.mark.parametrize(
    ("requirements", "needed"),
    [
        (("served",), {"served-1-1.noarch"}),
        (("plain",), {"plain-1-1.noarch", "served-1-1.noarch"}),
        (("@server",), {"served-1-1.noarch"}),
        (("@server:2",), {"served-2-1.noarch", "motor-9-1.noarch"}),
        (("@server:2/default", "plain"), {"plain-1-1.noarch", "served-2-1.noarch", "motor-9-1.noarch"}),
        (("@engine:9",), {"motor-9-1.noarch"}),
    ],
)
def test_of_modules_only_the_enabled_stream_is_seen(
    modular: RpmMirror, requirements: tuple[str, ...], needed: set[str]
) -> None:
    closure = modular.closure(*requirements)
    assert titles(closure.chosen) == needed
    assert not closure.unresolved


def test_a_stream_that_is_not_there_is_told(modular: RpmMirror) -> None:
    assert missing(modular.closure("@server:7", "motor")) == [
        ("@server:7", "", ""),
        ("motor", "", "it is in a module that is not enabled: require @engine:9"),
    ]
