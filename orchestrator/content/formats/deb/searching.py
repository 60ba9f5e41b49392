# SPDX-License-Identifier: GPL-3.0-or-later
"""What people ask of an offer: packages by pattern, by what they provide or require, and all about one."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from orchestrator.content.formats.deb.control import fields, normal, stanza_around
from orchestrator.content.formats.deb.index import PackagesIndex
from orchestrator.content.formats.deb.lookup import Lookup
from orchestrator.content.formats.deb.plain import read_plain
from orchestrator.content.formats.deb.relations import Relation, groups, requirement
from orchestrator.content.formats.deb.selection import IndexRole, readable
from orchestrator.content.formats.deb.versions import satisfies
from orchestrator.content.model import Details, Metadata, Package, Query
from orchestrator.content.pool import Pool

_TOLD = ("Package", "Version", "Architecture", "Description", "Filename")
_DEPENDS = ("Pre-Depends", "Depends")


class Indexed(Lookup, Protocol):
    """As much of an offer as is searched."""

    @property
    def indexes(self) -> Mapping[str, PackagesIndex]: ...
    @property
    def metadata(self) -> Sequence[Metadata]: ...
    @property
    def pool(self) -> Pool: ...


def search(offer: Indexed, query: Query) -> list[Package]:
    """Raises Invalid for a relation that cannot be read."""
    return [package for package in _candidates(offer, query) if _fits(package, query)]


def _candidates(offer: Indexed, query: Query) -> Iterable[Package]:
    """By the part of the query that leaves the fewest packages to look at."""
    sets: list[list[Package]] = []
    if query.provides:
        wanted = requirement(query.provides).alternatives[0]
        sets.append(_providers(offer, wanted))
    if query.requires:
        sets.append(_requirers(offer, requirement(query.requires).alternatives[0]))
    if query.name and not set(query.name) & set("*?["):
        sets.append(list(offer.named(query.name)))
    if not sets:
        return offer.packages()
    first, *others = sets
    return [package for package in dict.fromkeys(first) if all(package in other for other in others)]


def _fits(package: Package, query: Query) -> bool:
    return (
        (not query.name or fnmatchcase(package.name, query.name))
        and query.architecture in ("", package.architecture)
        and query.section in ("", package.section, package.section.rpartition("/")[2])
        and query.repository in ("", package.repository)
    )


def _providers(offer: Indexed, wanted: Relation) -> list[Package]:
    real = [
        package
        for package in offer.named(wanted.name)
        if satisfies(package.version, wanted.operator, wanted.version)
    ]
    virtual = [
        package
        for package, version in offer.providing(wanted.name)
        if not wanted.operator or (version and satisfies(version, wanted.operator, wanted.version))
    ]
    return [*real, *virtual]


def _requirers(offer: Indexed, wanted: Relation) -> list[Package]:
    return [
        package
        for index in offer.indexes.values()
        for package in index.mentioning(wanted.name)
        if _requires(index.fields(package), wanted)
    ]


def _requires(stanza: Mapping[str, str], wanted: Relation) -> bool:
    return any(
        each.name == wanted.name
        and (not wanted.operator or (each.operator, each.version) == (wanted.operator, wanted.version))
        for name in _DEPENDS
        for group in groups(stanza.get(name, ""))
        for each in group.alternatives
    )


def describe(offer: Indexed, package: Package) -> Details:
    stanza = offer.fields(package)
    summary, _, long = stanza.get("Description", "").partition("\n")
    return Details(
        summary=summary,
        description=_unfolded(long or _translated(offer, package, stanza)),
        provides=_listed(stanza, "Provides"),
        requires=(*_listed(stanza, "Pre-Depends"), *_listed(stanza, "Depends")),
        recommends=_listed(stanza, "Recommends"),
        extra={name: value for name, value in stanza.items() if name not in _TOLD},
    )


def _listed(stanza: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(group.text for group in groups(stanza.get(name, "")))


def _translated(offer: Indexed, package: Package, stanza: Mapping[str, str]) -> str:
    """The long description out of a Translation index, where the archive keeps it apart."""
    wanted = stanza.get("Description-md5")
    if not wanted:
        return ""
    needle = f"\nDescription-md5: {wanted}\n".encode()
    for metadata in offer.metadata:
        if metadata.repository != package.repository:
            continue
        for stored in readable(metadata.indexes, IndexRole.TRANSLATION):
            data = normal(read_plain(stored, offer.pool))
            at = data.find(needle)
            if at >= 0:
                start, end = stanza_around(data, at)
                texts = fields(data[start:end])
                for name, text in texts.items():
                    if name.startswith("Description-") and name != "Description-md5":
                        return text.partition("\n")[2]
    return ""


def _unfolded(text: str) -> str:
    """Of a folded field: without the space each line begins with, `.` for an empty line."""
    lines = [line[1:] if line.startswith((" ", "\t")) else line for line in text.split("\n")]
    return "\n".join("" if line == "." else line for line in lines)
