# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to upstreams that change nothing: what is offered, what is unresolved, why a package comes in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.content.engine import Engine, in_part
from orchestrator.content.groups import Group, groups_of, known
from orchestrator.content.model import Closure, ClosureOptions, Package, Query, Reason, Unresolved
from orchestrator.content.resolving import Resolution, member_of, resolve
from orchestrator.content.source import Source
from orchestrator.errors import Refused, UsageError


def search(engine: Engine, names: Sequence[str], query: Query) -> list[Package]:
    """The packages of the named sources (all without a name) for which all of the query holds."""
    by_name = {source.name: source for source in engine.mirrors.sources}
    chosen = known(by_name, names) if names else by_name
    with engine.reading():
        return [package for name in chosen for package in engine.read(name).search(query)]


def closure(
    engine: Engine,
    names: Sequence[str],
    requirements: Sequence[str],
    options: ClosureOptions = ClosureOptions(),  # noqa: B008 - a frozen value
) -> Closure:
    """What `requirements` ("nginx (>= 1.22)") need of the named sources, which are of one type, with a reason for
    every package. A relation that an earlier source satisfies takes nothing from a later one."""
    sources = [engine.source(name) for name in names]
    if len({source.type for source in sources}) != 1:
        raise UsageError("a closure is made of one or more sources of one type")
    format_ = engine.format(sources[0])
    with engine.reading():
        members = [member_of(format_, engine.read(source.name), everything=False) for source in sources]
        return format_.closure(members, requirements, options)


def unresolved(engine: Engine, names: Sequence[str]) -> list[Unresolved]:
    """The relations of the packages of the named sources that nothing in them, their masters, or those that
    complete them satisfies."""
    with engine.reading():
        return [each for family in _families(engine, names) for each in _unresolved(engine, family)]


def _unresolved(engine: Engine, family: Group) -> Sequence[Unresolved]:
    targets = {source.name for source in family.targets}
    format_ = engine.format(family.sources[0])
    members = [
        member_of(format_, engine.read(source.name), everything=source.name in targets)
        for source in family.sources
    ]
    return format_.closure(members, (), ClosureOptions()).unresolved


def _families(engine: Engine, names: Sequence[str]) -> list[Group]:
    """The groups of the named sources with everybody in them, as if all were partial."""
    by_name = {source.name: source for source in engine.mirrors.sources}
    groups = groups_of(in_part(engine.mirrors.sources, (), wanted=True), names)

    def original(sources: Sequence[Source]) -> tuple[Source, ...]:
        return tuple(by_name[source.name] for source in sources)

    return [Group(original(group.sources), original(group.targets)) for group in groups]


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a chain: this package, and why it is in."""

    package: Package
    reason: Reason


def why(
    engine: Engine, package: str, names: Sequence[str], requirements: Sequence[str], *, partial: bool = False
) -> list[list[Link]]:
    """The chains that bring a package in, one for each version and architecture of it: from the package to what
    was asked for. Raises Refused when nothing brings it in."""
    chains: list[list[Link]] = []
    for group in groups_of(in_part(engine.mirrors.sources, names, wanted=partial), names):
        resolution = _resolution(engine, group, requirements)
        if resolution.closure is None:
            continue
        chosen = resolution.closure.chosen
        chains += [_chain(each, chosen) for each in chosen if each.name == package]
    if not chains:
        raise Refused(
            f"nothing brings {package} in",
            hint=f"`orchestrator mirror search {package}` tells whether it is offered",
        )
    return chains


def _resolution(engine: Engine, group: Group, requirements: Sequence[str]) -> Resolution:
    with engine.reading():
        offers = [engine.read(source) for source in group.sources]
        return resolve(engine.format(group.sources[0]), offers, requirements)


def _chain(package: Package, chosen: Mapping[Package, Reason]) -> list[Link]:
    chain: list[Link] = []
    seen: set[Package] = set()
    current: Package | None = package
    while current is not None and current not in seen and current in chosen:
        seen.add(current)
        reason = chosen[current]
        chain.append(Link(current, reason))
        current = reason.by
    return chain
