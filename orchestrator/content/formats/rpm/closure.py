# SPDX-License-Identifier: GPL-3.0-or-later
"""What requirements need across several sources, by libsolv; and what a loss breaks.

Every requirement is a wish of its own: wishes that exclude each other are granted one after the other, for a
mirror holds what each of them needs, not what can be installed at once. A wish that cannot be granted is followed
as far as it goes, and what is missing is reported.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from orchestrator.content.formats import Member
from orchestrator.content.formats.rpm import comps
from orchestrator.content.formats.rpm.installable import Installable
from orchestrator.content.formats.rpm.offer import RpmOffer
from orchestrator.content.formats.rpm.primary import SOURCE_ARCHITECTURES
from orchestrator.content.formats.rpm.resolution import Resolution, Wish
from orchestrator.content.formats.rpm.solver import Solver
from orchestrator.content.formats.rpm.streams import Streams
from orchestrator.content.formats.rpm.versions import Relation, parse_relation
from orchestrator.content.model import Closure, ClosureOptions, Package, Reason, Unresolved

# Which architectures a machine of the first one also runs.
_COMPATIBLE = {
    "x86_64": ("i386", "i486", "i586", "i686", "athlon", "geode", "pentium3", "pentium4", "amd64", "ia32e"),
    "ppc64": ("ppc",),
    "s390x": ("s390",),
    "sparc64": ("sparc", "sparcv8", "sparcv9"),
    "mips64": ("mips",),
    "i686": ("i386", "i486", "i586"),
    "armv7hl": ("armv6hl", "armv5tel"),
}
_GROUPS = ("group", "group_gz", "group_xz", "group_zst", "group_bz2")


def closure(members: Sequence[Member], requirements: Sequence[str], options: ClosureOptions) -> Closure:
    """As `Format.closure`."""
    streams = Streams(members)
    wishes = _wishes(members, requirements, streams)
    hidden = streams.hidden()
    if hidden:
        members = [replace(member, refused=member.refused | hidden) for member in members]
    closures = [
        Resolution(members, wishes, options, architecture).closure()
        for architecture in architectures(members)
    ]
    found = _together(closures)
    return Closure(
        found.chosen, tuple(_hinted(unresolved, hidden, streams) for unresolved in found.unresolved)
    )


def architectures(members: Sequence[Member]) -> list[str]:
    """The kinds of machines that the members have packages for."""
    found = {package.architecture for member in members for package in member.offer.packages()}
    found -= {"noarch", *SOURCE_ARCHITECTURES}
    also = {other for one in found for other in _COMPATIBLE.get(one, ())}
    return sorted(found - also) or ["x86_64"]


def _hinted(unresolved: Unresolved, hidden: Collection[Package], streams: Streams) -> Unresolved:
    """With the module streams that would bring what is missing."""
    name = unresolved.relation.partition(" ")[0]
    known = sorted({stream for package in hidden if package.name == name for stream in streams.of(package)})
    if not known:
        return unresolved
    there = ", ".join(f"@{stream}" for stream in known)
    return replace(unresolved, nearest=f"it is in a module that is not enabled: require {there}")


def broken_without(
    members: Sequence[Member], kept: Collection[Package], lost: Collection[Package]
) -> Mapping[Package, Unresolved]:
    """As `Format.broken_without`."""
    everything, gone = {*kept, *lost}, set(lost)
    broken: dict[Package, Unresolved] = {}
    for architecture in architectures(members):
        solver = Solver(members, architecture, only=everything)
        numbers = [n for n, package in enumerate(solver.packages) if package and solver.can_be_had(n)]
        installable = Installable(solver, numbers)
        away = {number for number in numbers if solver.packages[number] in gone}
        for number, relation in installable.without(away).items():
            package = solver.package(number)
            broken.setdefault(package, Unresolved(solver.text(relation), package))
    return broken


def _together(closures: Sequence[Closure]) -> Closure:
    """All kinds of machines at once. What is missing on one kind only is not missing, when it is asked for by
    nobody's architecture in particular."""
    chosen: dict[Package, Reason] = {}
    for found in closures:
        for package, reason in found.chosen.items():
            chosen.setdefault(package, reason)
    missing = [
        unresolved
        for found in closures
        for unresolved in found.unresolved
        if (unresolved.by is not None and unresolved.by.architecture != "noarch")
        or all(unresolved in other.unresolved for other in closures)
    ]
    return Closure(chosen, tuple(dict.fromkeys(missing)))


def _wishes(members: Sequence[Member], requirements: Sequence[str], streams: Streams) -> list[Wish]:
    """Groups (@id) and module streams (@name:stream) taken apart. Raises Invalid."""
    wishes: list[Wish] = []
    for requirement in requirements:
        text = requirement.strip()
        if text.startswith("@"):
            names = _group_members(members, text[1:]) or streams.members(text[1:])
            wishes += [Wish(text, Relation(name)) for name in names] or [Wish(text, Relation(text))]
        elif text.startswith("("):
            wishes.append(Wish(text, None))
        else:
            wishes.append(Wish(text, parse_relation(text)))
    return wishes


def _group_members(members: Sequence[Member], group: str) -> list[str]:
    found: dict[str, None] = {}
    for member in members:
        offer = member.offer
        assert isinstance(offer, RpmOffer)
        for reading in offer.readings:
            record = reading.record(*_GROUPS)
            if record is not None:
                names = comps.members(reading.text(record), reading.name(record), group)
                found |= dict.fromkeys(names or ())
    return list(found)
