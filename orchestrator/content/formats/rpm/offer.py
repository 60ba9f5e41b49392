# SPDX-License-Identifier: GPL-3.0-or-later
"""What an rpm source offers, read from its metadata in the pool when it is asked for."""

import fnmatch
import gc
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property

from orchestrator.content.fetching import Wanted
from orchestrator.content.formats.rpm import markup, primary
from orchestrator.content.formats.rpm.primary import SOURCE_ARCHITECTURES, Entry
from orchestrator.content.formats.rpm.reading import Reading
from orchestrator.content.formats.rpm.relations import relations_of
from orchestrator.content.formats.rpm.versions import Relation, parse_relation
from orchestrator.content.model import Details, FileRef, Metadata, Package, Query, Role
from orchestrator.content.pool import Pool
from orchestrator.content.source import Source
from orchestrator.errors import BadContent

_SHOWN = ("license", "vendor", "buildhost", "packager", "url")


class RpmOffer:
    """`warnings` are remarks on what was read, complete once `packages` was asked for.

    A mirror whose metadata is the upstream's own offers every package that this metadata names: a client would
    look for them. Of others, `architectures` and `sources` decide, and one of several files of one name,
    version and architecture: the one that was built last, as clients choose.
    """

    def __init__(self, source: Source, metadata: Sequence[Metadata], pool: Pool) -> None:
        self._source = source
        self.readings = tuple(Reading(one, pool) for one in metadata)
        self.warnings: list[str] = []

    @property
    def source(self) -> Source:
        return self._source

    def packages(self) -> Sequence[Package]:
        return self._packages

    def named(self, name: str) -> Sequence[Package]:
        return self._by_name.get(name, ())

    def entries(self, reading: Reading, only: Iterable[FileRef] | None = None) -> Iterator[Entry]:
        """Every package of one repository, offered or not, with its element; with `only` just those files."""
        record = reading.record("primary")
        assert record is not None
        name = reading.name(record)
        source, repository = self.source.name, reading.repository
        if only is None:
            return primary.entries(reading.pieces(record), name, source, repository)
        wanted = set(only)
        pkgids = {file.digest.value for file in wanted if file.digest}
        found = primary.entries(reading.pieces(record), name, source, repository, pkgids)
        return (entry for entry in found if entry.package.file in wanted)

    def of(self, reading: Reading) -> Sequence[Package]:
        """Those of `packages` that one repository holds, in the order of its primary."""
        return self._by_repository[reading.repository]

    def is_all_of(self, reading: Reading) -> bool:
        """Whether `of` is everything that the repository's primary names."""
        return len(self.of(reading)) == self._named_by_primary[reading.repository]

    @cached_property
    def _packages(self) -> tuple[Package, ...]:
        return tuple(package for reading in self.readings for package in self.of(reading))

    @cached_property
    def _by_repository(self) -> dict[str, list[Package]]:
        self._named_by_primary: dict[str, int] = {}
        return {reading.repository: self._read(reading) for reading in self.readings}

    @cached_property
    def _by_name(self) -> dict[str, list[Package]]:
        found: dict[str, list[Package]] = defaultdict(list)
        for package in self._packages:
            found[package.name].append(package)
        return found

    def _read(self, reading: Reading) -> list[Package]:
        # Hundreds of thousands of values and no circles among them: the collector would look at all, again
        # and again.
        collecting = gc.isenabled()
        gc.disable()
        try:
            return self._read_primary(reading)
        finally:
            if collecting:
                gc.enable()

    def _read_primary(self, reading: Reading) -> list[Package]:
        rebuilt = self.source.rebuilt
        best: dict[tuple[str, str, str], tuple[int, Package]] = {}
        packages: list[Package] = []
        count = 0
        for package, built, _, _ in self.entries(reading):
            count += 1
            if rebuilt and not self._admits(package.architecture):
                continue
            key = package[:3]
            other = best.setdefault(key, (built, package))
            if other[1] is not package:
                self._warn_of_two(package, other[1])
                if rebuilt:
                    if built > other[0]:
                        packages[packages.index(other[1])] = package
                        best[key] = built, package
                    continue
            packages.append(package)
        self._refuse_shared_files(packages, reading)
        self._compare_count(count, reading)
        self._named_by_primary[reading.repository] = count
        return packages

    def _admits(self, architecture: str) -> bool:
        if architecture in SOURCE_ARCHITECTURES:
            return self.source.sources
        return not self.source.architectures or architecture in (*self.source.architectures, "noarch")

    def _warn_of_two(self, package: Package, other: Package) -> None:
        self.warnings.append(
            f"{self.source.name}: {package} is there twice: {other.file.path} and {package.file.path}"
        )

    def _refuse_shared_files(self, packages: Sequence[Package], reading: Reading) -> None:
        """One place in a tree cannot hold two files."""
        places: dict[str, Package] = {}
        for package in packages:
            other = places.setdefault(package.file.path, package)
            if other.file != package.file:
                raise BadContent(
                    f"{reading.metadata.url}: {other} and {package} are both said to be {package.file.path}"
                )

    def _compare_count(self, count: int, reading: Reading) -> None:
        record = reading.record("primary")
        assert record is not None
        _, attributes = markup.outermost(reading.pieces(record), reading.name(record))
        said = attributes.get("packages", "")
        if said.isdecimal() and int(said) != count:
            raise BadContent(f"{reading.name(record)} says it lists {said} packages and lists {count}")

    def search(self, query: Query) -> Sequence[Package]:
        found = [package for package in self._packages if _matches(package, query)]
        if not (query.provides or query.requires):
            return found
        wanted = {package.file for package in found}
        provides = parse_relation(query.provides) if query.provides else None
        requires = parse_relation(query.requires) if query.requires else None
        return [
            entry.package
            for reading in self.readings
            for entry in self.entries(reading, wanted)
            if _relates(entry, provides, requires)
        ]

    def details(self, package: Package) -> Details:
        """Raises BadContent when the package is not of this offer."""
        reading = next((r for r in self.readings if r.repository == package.repository), None)
        entry = next(self.entries(reading, [package.file]), None) if reading else None
        if entry is None:
            raise BadContent(f"{self.source.name} does not offer {package}")
        return _details(entry)

    def companions(self, kept: Collection[Package]) -> Sequence[Wanted]:
        """Source packages of the kept ones, where the same repositories hold them."""
        if not self.source.sources:
            return []
        origins = {(package.origin, package.version) for package in kept} - {("", "")}
        kept_files = {package.file for package in kept}
        return [
            Wanted(package.file, role=Role.COMPANION)
            for package in self._packages
            if package.architecture in SOURCE_ARCHITECTURES
            and package.file not in kept_files
            and (package.name, package.version) in origins
        ]


def _matches(package: Package, query: Query) -> bool:
    return (
        (not query.name or fnmatch.fnmatchcase(package.name, query.name))
        and query.architecture in ("", package.architecture)
        and query.section in ("", package.section)
        and query.repository in ("", package.repository)
    )


def _relates(entry: Entry, provides: Relation | None, requires: Relation | None) -> bool:
    names = [relation.name for relation in (provides, requires) if relation]
    if not all(markup.escape(name).encode() in entry.text for name in names):
        return False
    root = markup.parse_fragment(entry.text, "package", str(entry.package))
    return all(
        wanted is None or any(each.concerns(wanted) for each in relations_of(root, kind))
        for kind, wanted in (("provides", provides), ("requires", requires))
    )


def _details(entry: Entry) -> Details:
    root = markup.parse_fragment(entry.text, "package", str(entry.package))
    texts = {markup.local(each.tag): (each.text or "").strip() for each in root.iter()}
    return Details(
        texts.get("summary", ""),
        texts.get("description", ""),
        tuple(str(each) for each in relations_of(root, "provides")),
        tuple(str(each) for each in relations_of(root, "requires")),
        tuple(str(each) for each in relations_of(root, "recommends")),
        {key: texts[key] for key in _SHOWN if texts.get(key)},
    )
