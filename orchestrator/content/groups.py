# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sources are resolved together: a master, and those that have only what it needs. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.content.source import Source
from orchestrator.errors import Problem, UsageError


@dataclass(frozen=True, slots=True)
class Group:
    """Sources in the order in which they satisfy relations (masters first), and which of them are wanted."""

    sources: tuple[Source, ...]
    targets: tuple[Source, ...]


def groups_of(sources: Sequence[Source], names: Sequence[str]) -> list[Group]:
    """The groups that make the named sources (all without a name), in the order of the file.

    A source that is neither partial nor has a master is a group of its own: what it holds depends on no
    other. Raises UsageError for an unknown name.
    """
    by_name = {source.name: source for source in sources}
    wanted = [by_name[name] for name in known(by_name, names)] if names else list(sources)
    groups: list[Group] = []
    for root in dict.fromkeys(_root(by_name, source) for source in wanted):
        family = [source for source in sources if _root(by_name, source) == root]
        family.sort(key=lambda source: _depth(by_name, source))
        alone = [s for s in family if s in wanted and not s.partial]
        together = tuple(s for s in family if s in wanted and s.partial)
        groups += [Group((source,), (source,)) for source in alone]
        if together:
            groups.append(Group(tuple(family), together))
    return groups


def known(by_name: dict[str, Source], names: Sequence[str]) -> Sequence[str]:
    """`names`, when all of them are sources. Raises UsageError naming those that are not."""
    import difflib

    unknown = [name for name in names if name not in by_name]
    if not unknown:
        return list(dict.fromkeys(names))
    problems = []
    for name in unknown:
        nearest = difflib.get_close_matches(name, by_name)[:1]
        hint = f"did you mean {nearest[0]}?" if nearest else "known: " + ", ".join(by_name)
        problems.append(Problem("", f"no source {name}", hint))
    raise UsageError("there is no such source", problems=problems)


def _root(by_name: dict[str, Source], source: Source) -> str:
    while source.master:
        source = by_name[source.master]
    return source.name


def _depth(by_name: dict[str, Source], source: Source) -> int:
    depth = 0
    while source.master:
        source, depth = by_name[source.master], depth + 1
    return depth
