# SPDX-License-Identifier: GPL-3.0-or-later
"""What a clone of one source would do: what it keeps, fetches and drops, and whether that can be right. Pure."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.config.quantities import show_size
from orchestrator.content.fetching import Wanted
from orchestrator.content.model import Closure, FileRef, Metadata, Package, Reason, Role, Unresolved
from orchestrator.content.source import Source
from orchestrator.errors import BadContent, Refused

# Part of every fingerprint: a tree that an older program made otherwise is made anew.
_TREE_FORMAT = 1
# Below so many packages a share of them says nothing.
_FEW = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """One source's part. `kept` are the packages of the new tree; sizes in bytes. `reasons` and `unresolved`
    are those of the closure, where the source is partial."""

    source: Source
    kept: Sequence[Package]
    wanted: Sequence[Wanted]
    missing: Sequence[Wanted]
    gone: Sequence[tuple[str, int]] = ()
    reasons: Mapping[Package, Reason] = field(default_factory=dict)
    unresolved: Sequence[Unresolved] = ()

    @property
    def bytes(self) -> int:
        return sum(wanted.file.size or 0 for wanted in self.wanted)

    @property
    def bytes_missing(self) -> int:
        return sum(wanted.file.size or 0 for wanted in self.missing)

    @property
    def bytes_gone(self) -> int:
        return sum(size for _, size in self.gone)


def make_plan(
    source: Source,
    kept: Sequence[Package],
    companions: Sequence[Wanted],
    have: Callable[[FileRef], bool],
    current: Mapping[str, int],
    closure: Closure | None,
) -> Plan:
    """`have` says whether a file is in the pool; `current` maps the package files of the published tree to
    their sizes. Raises BadContent when two packages are said to be at one place."""
    files = {package.file.path: Wanted(package.file, role=Role.PACKAGE) for package in kept}
    for wanted in companions:
        files.setdefault(wanted.file.path, wanted)
    for file, where in _claims(kept, companions):
        if _differ(files[file.path].file, file):
            base = source.baseurls[0] if source.baseurls else ""
            raise BadContent(f"{base}{where}: two different files are both said to be {file.path}")
    return Plan(
        source,
        kept,
        tuple(files.values()),
        tuple(wanted for wanted in files.values() if not have(wanted.file)),
        tuple((path, size) for path, size in current.items() if path not in files),
        {package: closure.chosen[package] for package in kept} if closure else {},
        closure.unresolved if closure else (),
    )


def _claims(kept: Sequence[Package], companions: Sequence[Wanted]) -> Iterator[tuple[FileRef, str]]:
    """Every file that is to have a place, and what says so."""
    for package in kept:
        yield package.file, f"{package.index_path}: {package}"
    for wanted in companions:
        yield wanted.file, wanted.file.path


def _differ(one: FileRef, other: FileRef) -> bool:
    """Whether what is said of two files at one place cannot be true of both."""
    if one == other:
        return False
    if None not in (one.size, other.size) and one.size != other.size:
        return True
    mine, theirs = one.digest, other.digest
    return bool(mine and theirs and mine.algorithm == theirs.algorithm and mine.value != theirs.value)


def fingerprint(
    source: Source,
    readings: Mapping[str, Sequence[Metadata]],
    sources: Collection[Source],
    more: Sequence[str],
) -> str:
    """Says what a tree is made of: the same for two clones that must give the same tree.

    `sources` are all that take part in the resolution, `readings` their metadata, `more` what the caller asks
    for beside the configuration.
    """
    parts = [
        _TREE_FORMAT,
        source.name,
        sorted(more),
        [
            (
                each.name,
                each.options_digest(),
                [[file.sha256 for file in m.entry] for m in readings[each.name]],
            )
            for each in sources
        ],
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def refuse_shrinking(source: Source, before: int, after: int) -> None:
    """Raises Refused when the mirror would lose more than `max_shrink` of its packages."""
    if before >= _FEW and after < before * (1 - source.max_shrink):
        raise Refused(
            f"{source.name} would shrink from {before} to {after} packages, by more than"
            f" {source.max_shrink:.0%}: the published mirror stays as it is",
            hint="if that is right, say --allow-shrink, or raise max_shrink in the source",
        )


def refuse_lack_of_space(plans: Sequence[Plan], free: int) -> None:
    """Raises Refused when what is missing does not fit into `free` bytes."""
    needed = sum(plan.bytes_missing for plan in plans)
    if needed > free:
        raise Refused(
            f"{show_size(needed)} are to be downloaded and {show_size(free)} are free at the destination",
            hint="make room there, or give `orchestrator mirror prune` something to remove",
        )
