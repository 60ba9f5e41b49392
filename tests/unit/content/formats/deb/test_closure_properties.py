# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for closures of whatever archive, on archives made up at random."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.content.formats import Member
from orchestrator.content.formats.deb.closure import broken_without, closure
from orchestrator.content.formats.deb.judge import Judge
from orchestrator.content.formats.deb.satisfiers import Node, Satisfiers
from orchestrator.content.model import Because, Closure, ClosureOptions, Package
from tests.support.random_archive import random_archive
from tests.support.requirements import require
from tests.support.stanzas import Stanzas

SEEDS = range(60)


def roots(seed: int, offer: Stanzas, most: int = 4) -> list[str]:
    chance = random.Random(seed)
    return [each.name for each in chance.sample(offer.packages(), chance.randint(1, most))]


def resolve(offer: Stanzas, requirements: list[str], **options: bool) -> Closure:
    return closure([Member(offer)], requirements, ClosureOptions(**options))


def installable(offer: Stanzas, packages: list[Package]) -> set[Package]:
    nodes = [Node(package, "amd64") for package in packages]
    failing = Judge(Satisfiers([Member(offer)]), nodes).uninstallable(nodes)
    return set(packages) - {node.package for node in failing}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_relation_is_satisfied_inside_or_reported(seed: int) -> None:
    offer = Stanzas(random_archive(seed))
    for options in ({}, {"weak": True}, {"all_alternatives": True}):
        result = resolve(offer, roots(seed, offer), **options)
        inside = Satisfiers([Member(offer)], result.chosen.__contains__)
        reported = {(each.by, each.relation) for each in result.unresolved}
        for package in result.chosen:
            for group in inside.groups(package):
                assert inside.every(group, "amd64") or (package, group.text) in reported
        for by, relation in reported:
            assert by is None or by in result.chosen, relation


@pytest.mark.parametrize("seed", SEEDS)
def test_every_reason_leads_back_to_a_request(seed: int) -> None:
    offer = Stanzas(random_archive(seed, conflicts=True))
    chosen = resolve(offer, roots(seed, offer), weak=True).chosen
    for package, reason in chosen.items():
        steps, each = 0, reason
        while each.by is not None:
            assert any(each.relation == group for group in offer_relations(offer, each.by)), (package, each)
            each, steps = chosen[each.by], steps + 1
            assert steps <= len(chosen)
        assert each.because is Because.REQUESTED


def offer_relations(offer: Stanzas, package: Package) -> list[str]:
    fields = offer.fields(package)
    text = ", ".join(fields.get(kind, "") for kind in ("Pre-Depends", "Depends", "Recommends"))
    return [part.strip() for part in text.split(",")]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_requirements_does_not_matter_and_more_never_bring_less(seed: int) -> None:
    offer = Stanzas(random_archive(seed))
    asked = roots(seed, offer, most=6)
    result = resolve(offer, asked)
    walked = {package for package, why in result.chosen.items() if why.because is not Because.SOLVER}
    turned = resolve(offer, asked[::-1])
    assert walked == {package for package, why in turned.chosen.items() if why.because is not Because.SOLVER}
    assert resolve(offer, asked) == result
    assert resolve(offer, asked[:1]).chosen.keys() <= result.chosen.keys()


@pytest.mark.parametrize("seed", SEEDS)
def test_what_the_archive_can_install_can_be_installed_from_the_closure(seed: int) -> None:
    offer = Stanzas(random_archive(seed, conflicts=True))
    result = resolve(offer, roots(seed, offer))
    possible = installable(offer, list(offer.packages()))
    assert set(result.chosen) & possible <= installable(offer, list(result.chosen))
    if not set(result.chosen) <= possible:
        assert result.unresolved


@pytest.mark.parametrize("seed", range(12))
def test_dose_judges_as_the_judge_does(seed: int, tmp_path: Path) -> None:
    require(shutil.which("dose-debcheck") is not None, "dose-debcheck")
    offer = Stanzas(random_archive(seed, names=60, conflicts=True))
    packages = list(offer.packages())
    offer.write(tmp_path / "Packages", packages)
    command = ("dose-debcheck", "--deb-native-arch=amd64", "--failures", str(tmp_path / "Packages"))
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    pairs = zip(words_after(told, "package:"), words_after(told, "version:"), strict=True)
    broken = {f"{package.name} {package.version}" for package in set(packages) - installable(offer, packages)}
    assert broken == {f"{name} {version}" for name, version in pairs}
    assert broken
    assert len(broken) < len(packages)


def words_after(report: str, key: str) -> list[str]:
    lines = (line.strip(" -") for line in report.splitlines() if line.startswith(("  ", " -")))
    return [line.removeprefix(key).strip() for line in lines if line.startswith(key)]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_broken_without_some_packages_is_what_cannot_be_installed_then(seed: int) -> None:
    offer = Stanzas(random_archive(seed))
    packages = list(offer.packages())
    chance = random.Random(seed)
    lost = chance.sample(packages, 3)
    found = broken_without([Member(offer)], packages, lost)
    # Without conflicts, and with one version of each name, what has its relations satisfied can be installed.
    singles = {package for package in packages if len(offer.named(package.name)) == 1}
    left = [package for package in packages if package not in lost]
    before, after = installable(offer, packages), installable(offer, left)
    assert not set(found) & set(lost)
    assert set(found) & after == set()
    if len(singles) == len(packages):
        assert set(found) == (before & set(left)) - after
