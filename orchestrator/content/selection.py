# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the packages on offer a source lets in: `include`, `exclude`, `newest`. Pure."""

import fnmatch
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from orchestrator.content.model import Package
from orchestrator.content.source import Filter, Source


def has_filters(source: Source) -> bool:
    return bool(source.include or source.exclude or source.newest)


def select(
    source: Source, packages: Sequence[Package], version_key: Callable[[str], Any]
) -> Sequence[Package]:
    """The packages of `source` that its filters let in, in their order.

    With `include` at least one of its rules must hold; no rule of `exclude` may. `newest: N` keeps the N
    highest versions of each name and architecture in each index.
    """
    if source.include:
        packages = _matching(source.include, packages, wanted=True)
    if source.exclude:
        packages = _matching(source.exclude, packages, wanted=False)
    if source.newest:
        packages = _newest(packages, source.newest, version_key)
    return packages


def _matching(rules: Iterable[Filter], packages: Sequence[Package], *, wanted: bool) -> list[Package]:
    tests = [_test(rule) for rule in rules]
    return [package for package in packages if any(test(package) for test in tests) is wanted]


def _test(rule: Filter) -> Callable[[Package], bool]:
    """Whether all fields of the rule hold for a package."""
    conditions: list[Callable[[Package], bool]] = []
    if rule.name:
        name = re.compile(fnmatch.translate(rule.name))
        conditions.append(lambda package: name.match(package.name) is not None)
    if rule.regex:
        pattern = re.compile(rule.regex)
        conditions.append(lambda package: pattern.search(package.name) is not None)
    if rule.section:
        conditions.append(lambda package: rule.section in (package.section, package.section.split("/")[-1]))
    if rule.source:
        origin = re.compile(fnmatch.translate(rule.source))
        conditions.append(lambda package: origin.match(package.origin or package.name) is not None)
    return lambda package: all(condition(package) for condition in conditions)


def _newest(packages: Sequence[Package], count: int, version_key: Callable[[str], Any]) -> list[Package]:
    versions: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for package in packages:
        versions[package.index_path, package.name, package.architecture].add(package.version)
    kept = {
        place: set(sorted(found, key=version_key)[-count:]) if len(found) > count else found
        for place, found in versions.items()
    }
    return [p for p in packages if p.version in kept[p.index_path, p.name, p.architecture]]
