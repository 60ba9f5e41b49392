# SPDX-License-Identifier: GPL-3.0-or-later
"""Relations between packages as Debian writes them (Debian Policy, chapter 7): `a (>= 1) | b:any, c`.

A field is a list of groups, a group a list of alternatives of which one must hold. What cannot be read is a
group without alternatives: nothing satisfies it, and a report shows it as it is written.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from orchestrator.content.formats.deb.versions import Operator, operator
from orchestrator.errors import Invalid

# The parts in brackets are only in Sources: `[amd64 !i386]`, `<!nocheck>`.
_RELATION = re.compile(
    r"\s*(?P<name>[A-Za-z0-9][A-Za-z0-9+._-]*)"
    r"(?::(?P<qualifier>[a-z0-9-]+))?"
    r"\s*(?:\(\s*(?P<operator><<|<=|>=|>>|=|<|>)\s*(?P<version>[^\s()<>=]+)\s*\))?"
    r"\s*(?:\[(?P<architectures>[^\]]*)\])?"
    r"\s*(?P<profiles>(?:<[^<>]*>\s*)*)\s*",
)
_REQUIREMENT = re.compile(
    r"\s*(?P<name>[^\s:|()<>=]+(?::[a-z0-9-]+)?)\s*(?P<operator><<|<=|>=|>>|==?|<|>)\s*(?P<version>[^\s()<>=|,]+)\s*"
)


class Relation(NamedTuple):
    """`qualifier` is an architecture, `any`, `native` or empty. `architectures` and `profiles` restrict a
    relation of a source package, as they are written."""

    name: str
    qualifier: str = ""
    operator: Operator = ""
    version: str = ""
    architectures: str = ""
    profiles: str = ""


class Group(NamedTuple):
    """Alternatives, and the text they were read from."""

    text: str
    alternatives: tuple[Relation, ...]


def groups(field: str) -> tuple[Group, ...]:
    """The groups of a field such as Depends."""
    return tuple(_group(text) for part in field.split(",") if (text := part.strip()))


@lru_cache(maxsize=1 << 16)
def _group(text: str) -> Group:
    try:
        return Group(" ".join(text.split()), tuple(map(relation, text.split("|"))))
    except ValueError:
        return Group(" ".join(text.split()), ())


@lru_cache(maxsize=1 << 16)
def relation(text: str) -> Relation:
    """One alternative. Raises ValueError for what is none."""
    match = _RELATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text.strip()!r} is no relation between packages")
    name, qualifier, compare, version, architectures, profiles = match.groups(default="")
    return Relation(name, qualifier, operator(compare), version, architectures.strip(), profiles.strip())


def provided(field: str) -> Iterator[tuple[Relation, str]]:
    """The names of a Provides field, each with its version or nothing; what cannot be read is left out."""
    for group in groups(field):
        for each in group.alternatives[:1]:
            yield each, each.version if each.operator == "=" else ""


def requirement(text: str) -> Group:
    """What somebody asks for: `nginx (>= 1.22)`, `nginx=1.22-1`, `nginx:i386`, `nginx | apache2`.

    Raises Invalid.
    """
    alternatives = []
    for part in text.split("|"):
        match = _REQUIREMENT.fullmatch(part)
        plain = (
            f"{match['name']} ({match['operator'].replace('==', '=')} {match['version']})" if match else part
        )
        try:
            found = relation(plain)
        except ValueError:
            found = None
        if found is None or found.architectures or found.profiles:
            raise Invalid(
                f"{text!r} is no requirement",
                hint="write a package's name, or: name (>= version), name:architecture",
            )
        alternatives.append(found)
    return Group(" ".join(text.split()), tuple(alternatives))
