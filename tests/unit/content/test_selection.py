# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of a source."""

from orchestrator.content.model import Digest, FileRef, Package
from orchestrator.content.selection import select
from orchestrator.content.source import Filter, Source


def package(name: str, version: str = "1", *, section: str = "admin", origin: str = "") -> Package:
    file = FileRef(f"pool/{name}_{version}.deb", 1, Digest("sha256", "0" * 64))
    return Package(name, version, "amd64", file, "s", "stable main", "Packages", section, origin)


def kept(packages: list[Package], **options: object) -> list[str]:
    source = Source("s", "deb", ("http://x/",), ("stable main",), **options)  # type: ignore[arg-type]
    return [f"{each.name}={each.version}" for each in select(source, packages, int)]


def test_without_filters_everything_stays_in_its_order() -> None:
    assert kept([package("b"), package("a")]) == ["b=1", "a=1"]


def test_include_lets_in_what_any_of_its_rules_names() -> None:
    packages = [package("nginx"), package("nginx-doc"), package("vim"), package("emacs", section="editors")]
    rules = (Filter(name="nginx*"), Filter(section="editors"))
    assert kept(packages, include=rules) == ["nginx=1", "nginx-doc=1", "emacs=1"]


def test_exclude_wins_over_include() -> None:
    packages = [package("nginx"), package("nginx-doc")]
    assert kept(packages, include=(Filter(name="*"),), exclude=(Filter(regex="-doc$"),)) == ["nginx=1"]


def test_all_fields_of_one_rule_must_hold() -> None:
    packages = [package("a", section="doc", origin="x"), package("b", section="doc", origin="y")]
    assert kept(packages, exclude=(Filter(section="doc", source="x"),)) == ["b=1"]


def test_a_section_is_met_with_and_without_its_component() -> None:
    assert kept([package("a", section="universe/doc")], exclude=(Filter(section="doc"),)) == []


def test_a_package_is_its_own_source_package_when_none_is_named() -> None:
    assert kept([package("linux")], exclude=(Filter(source="linux"),)) == []


def test_newest_keeps_the_highest_versions_of_each_name() -> None:
    packages = [package("a", "9"), package("a", "10"), package("a", "2"), package("b", "1")]
    assert kept(packages, newest=2) == ["a=9", "a=10", "b=1"]
