# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages of several offers satisfy a relation, by Debian's rules for versions and architectures.

A relation is seen from an architecture: that of the package that has it. Packages for `all` are of every
architecture, so they are looked at once for each (a node). As dpkg has it (deb-control(5), Multi-Arch): a
plain relation is satisfied by a package of the same architecture, and by one of any that is `Multi-Arch:
foreign`; `name:any` by one of any that is `Multi-Arch: allowed`; `name:arch` by that architecture's alone. A
relation with a version is never satisfied by a Provides without one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, cast

from orchestrator.content.formats import Member
from orchestrator.content.formats.deb.lookup import Lookup
from orchestrator.content.formats.deb.relations import Group, Relation, groups
from orchestrator.content.formats.deb.versions import satisfies, version_key
from orchestrator.content.model import Package

ALL = "all"
HARD = ("Pre-Depends", "Depends")
WEAK = ("Recommends",)
AGAINST = ("Conflicts", "Breaks")
_READ = (*HARD, *WEAK, *AGAINST, "Provides", "Multi-Arch", "Essential", "Priority")


class Node(NamedTuple):
    """A package as it is installed on, or for, one architecture; never `all`."""

    package: Package
    architecture: str


class Found(NamedTuple):
    """What satisfies one relation in one offer: `real` ones bear its name, the highest version first,
    `providers` provide it, one after the other as the index has them, each name's highest version first."""

    real: tuple[Package, ...]
    providers: tuple[Package, ...]

    def best(self) -> tuple[Package, ...]:
        """What a mirror takes: the highest real package, else every provider in its highest version."""
        if self.real:
            return self.real[:1]
        names: dict[str, Package] = {}
        for package in self.providers:
            names.setdefault(package.name, package)
        return tuple(names.values())


_NONE = Found((), ())


class Satisfiers:
    """The packages of `members` that `admitted` (all that are not refused) lets in, found by relations.

    Stanzas are read when they are reached, and every answer is remembered.
    """

    def __init__(self, members: Sequence[Member], admitted: Callable[[Package], bool] | None = None) -> None:
        self._members = [(cast(Lookup, member.offer), member.refused) for member in members]
        self._of_source = {member.offer.source.name: cast(Lookup, member.offer) for member in members}
        self._admitted = admitted
        self.architectures = _architectures(members)
        self._fields: dict[Package, Mapping[str, str]] = {}
        self._groups: dict[tuple[Package, tuple[str, ...]], tuple[Group, ...]] = {}
        self._found: dict[tuple[Relation, str, int], Found] = {}

    def fields(self, package: Package) -> Mapping[str, str]:
        """Those fields of its stanza that resolving looks at."""
        found = self._fields.get(package)
        if found is None:
            fields = self._of_source[package.source].fields(package)
            found = self._fields[package] = {name: fields[name] for name in _READ if name in fields}
        return found

    def groups(self, package: Package, kinds: tuple[str, ...] = HARD) -> tuple[Group, ...]:
        """What the package's relations of these kinds ask for."""
        key = (package, kinds)
        found = self._groups.get(key)
        if found is None:
            fields = self.fields(package)
            found = tuple(group for kind in kinds if (text := fields.get(kind)) for group in groups(text))
            self._groups[key] = found
        return found

    def nodes(self, package: Package) -> list[Node]:
        """A package where it can be installed."""
        if package.architecture != ALL:
            return [Node(package, package.architecture)]
        return [Node(package, architecture) for architecture in self.architectures]

    def node_for(self, package: Package, architecture: str) -> Node:
        """A package that satisfies a relation seen from `architecture`."""
        return Node(package, architecture if package.architecture == ALL else package.architecture)

    def choice(self, group: Group, architecture: str, *, every_alternative: bool = False) -> list[Node]:
        """What a mirror takes for a group. The first member that satisfies it decides, there the first of
        its alternatives; or, with `every_alternative`, for each of them the first member that satisfies it."""
        chosen: list[Node] = []
        if every_alternative:
            pairs: Iterable[tuple[int, Relation]] = (
                (self._first_member(relation, architecture), relation) for relation in group.alternatives
            )
        else:
            pairs = ((m, relation) for m in range(len(self._members)) for relation in group.alternatives)
        for member, relation in pairs:
            taken = self.found(relation, architecture, member).best()
            seen_from = self._seen_from(relation, architecture)
            chosen += [self.node_for(package, seen_from) for package in taken]
            if chosen and not every_alternative:
                break
        return chosen

    def every(self, group: Group, architecture: str) -> list[Node]:
        """All that satisfies a group, in whatever version and member."""
        return [
            self.node_for(package, self._seen_from(relation, architecture))
            for relation in group.alternatives
            for member in range(len(self._members))
            for found in self.found(relation, architecture, member)
            for package in found
        ]

    def found(self, relation: Relation, architecture: str, member: int) -> Found:
        key = (relation, architecture, member)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._find(relation, architecture, *self._members[member])
        return found

    def nearest(self, group: Group) -> str:
        """What comes close to a group that nothing satisfies, in words; or nothing."""
        for relation in group.alternatives:
            for lookup, refused in self._members:
                there = lookup.named(relation.name)
                admitted = [package for package in there if self._admits(package, refused)]
                if admitted:
                    return f"there is {max(admitted, key=_version)}"
                if there:
                    return f"{max(there, key=_version)} is excluded"
                for package, version in lookup.providing(relation.name):
                    return f"{package} provides {relation.name} {version}".rstrip()
        return ""

    def _first_member(self, relation: Relation, architecture: str) -> int:
        for member in range(len(self._members)):
            if any(self.found(relation, architecture, member)):
                return member
        return 0

    def _find(
        self, relation: Relation, architecture: str, lookup: Lookup, refused: frozenset[Package]
    ) -> Found:
        name, _, operator, version, *_ = relation
        named, providing = lookup.named(name), lookup.providing(name)
        if not named and not providing:
            return _NONE
        real = [
            package
            for package in named
            if satisfies(package.version, operator, version)
            and self._admits(package, refused)
            and self.fits(relation, architecture, package)
        ]
        providers = [
            package
            for package, provided in providing
            if (not operator or (provided and satisfies(provided, operator, version)))
            and self._admits(package, refused)
            and self.fits(relation, architecture, package)
        ]
        real.sort(key=_version, reverse=True)
        if len(providers) > 1:
            places = {name: place for place, name in enumerate(dict.fromkeys(p.name for p in providers))}
            providers.sort(key=_version, reverse=True)
            providers.sort(key=lambda package: places[package.name])
        return Found(self._own_first(real, architecture), self._own_first(providers, architecture))

    def _own_first(self, packages: list[Package], architecture: str) -> tuple[Package, ...]:
        """Those of other architectures behind, but for what `name:arch` asks for."""
        return tuple(sorted(packages, key=lambda package: package.architecture not in (architecture, ALL)))

    def _admits(self, package: Package, refused: frozenset[Package]) -> bool:
        return package not in refused and (self._admitted is None or self._admitted(package))

    def fits(self, relation: Relation, architecture: str, package: Package) -> bool:
        """Whether the package's architecture is as a relation that is seen from `architecture` wants it."""
        own, wanted = package.architecture, relation.qualifier
        if wanted in ("", "native"):
            return own in (architecture, ALL) or self.multi_arch(package) == "foreign"
        if wanted == "any":
            return self.multi_arch(package) == "allowed"
        return own == wanted or (own == ALL and architecture == wanted)

    def multi_arch(self, package: Package) -> str:
        return self.fields(package).get("Multi-Arch", "")

    def _seen_from(self, relation: Relation, architecture: str) -> str:
        return architecture if relation.qualifier in ("", "any", "native") else relation.qualifier


def _version(package: Package) -> tuple[int, str]:
    return version_key(package.version)


def _architectures(members: Sequence[Member]) -> tuple[str, ...]:
    """Those that the sources name; where none does, those of the packages there are."""
    named = dict.fromkeys(each for member in members for each in member.offer.source.architectures)
    if not named:
        named = dict.fromkeys(each.architecture for member in members for each in member.offer.packages())
    return tuple(each for each in named if each != ALL) or (ALL,)
