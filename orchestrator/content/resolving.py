# SPDX-License-Identifier: GPL-3.0-or-later
"""What each source of a group is to hold: all it lets in, or the part of it that the requirements need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.content.formats import Format, Member, Offer
from orchestrator.content.model import Because, Closure, ClosureOptions, Package
from orchestrator.content.selection import has_filters, select
from orchestrator.content.source import Source
from orchestrator.errors import Invalid


@dataclass(frozen=True, slots=True)
class Resolution:
    """`kept`: the packages of each source, by its name. `closure` is None where no source is partial."""

    offers: Sequence[Offer]
    members: Sequence[Member]
    kept: Mapping[str, Sequence[Package]]
    closure: Closure | None = None

    def offer_of(self, source: Source) -> Offer:
        return next(offer for offer in self.offers if offer.source.name == source.name)


def resolve(
    format_: Format, offers: Sequence[Offer], requirements: Sequence[str], *, only_listed: bool = False
) -> Resolution:
    """What the sources of one group hold. `offers` in the order in which they satisfy relations; with
    `only_listed` nothing is followed beyond the requirements themselves.

    Raises Invalid when a partial mirror is asked for of which nothing is required.
    """
    members = [member_of(format_, offer, everything=not offer.source.partial) for offer in offers]
    if not any(offer.source.partial for offer in offers):
        return Resolution(offers, members, {m.offer.source.name: _admitted(m) for m in members})
    sources = [offer.source for offer in offers]
    wanted = [*dict.fromkeys([*(r for s in sources for r in s.requirements), *requirements])]
    if not wanted and all(source.partial for source in sources):
        raise Invalid(
            f"nothing is required of {', '.join(source.name for source in sources)}",
            hint="give requirements in the source, or --requirement NAME; or leave --partial away",
        )
    closure = format_.closure(members, wanted, _options(sources))
    if only_listed:
        closure = _listed(closure)
    kept: dict[str, list[Package]] = {source.name: [] for source in sources}
    for package in closure.chosen:
        kept[package.source].append(package)
    return Resolution(offers, members, kept, closure)


def _listed(closure: Closure) -> Closure:
    asked = {package: why for package, why in closure.chosen.items() if why.because is Because.REQUESTED}
    return Closure(asked, tuple(unresolved for unresolved in closure.unresolved if unresolved.by is None))


def member_of(format_: Format, offer: Offer, *, everything: bool) -> Member:
    """The offer as its source's filters leave it."""
    refused: frozenset[Package] = frozenset()
    if has_filters(offer.source):
        packages = offer.packages()
        refused = frozenset(packages) - set(select(offer.source, packages, format_.version_key))
    return Member(offer, everything=everything, refused=refused)


def _admitted(member: Member) -> Sequence[Package]:
    packages = member.offer.packages()
    return [package for package in packages if package not in member.refused] if member.refused else packages


def _options(sources: Sequence[Source]) -> ClosureOptions:
    return ClosureOptions(
        all_alternatives=any(source.alternatives == "all" for source in sources if source.partial),
        weak=any(source.weak_dependencies for source in sources if source.partial),
    )
