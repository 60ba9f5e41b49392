# SPDX-License-Identifier: GPL-3.0-or-later
"""What the deb repositories of one source hold, read from their verified indexes as far as it is asked for."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial

from orchestrator.content.compression import plain_name
from orchestrator.content.fetching import Wanted
from orchestrator.content.formats.deb.companions import image_files, source_files
from orchestrator.content.formats.deb.index import Origin, PackagesIndex
from orchestrator.content.formats.deb.plain import read_plain
from orchestrator.content.formats.deb.selection import IndexRole, readable
from orchestrator.content.formats.deb.tables import read_tables
from orchestrator.content.model import Details, Metadata, Package, Query, Role
from orchestrator.content.pool import Pool
from orchestrator.content.source import Source
from orchestrator.errors import BadContent


class DebOffer:
    """An `Offer`, and a `Lookup` for closures."""

    def __init__(self, source: Source, metadata: Sequence[Metadata], pool: Pool) -> None:
        self._source = source
        self.metadata = tuple(metadata)
        self.pool = pool
        self._architectures = {*source.architectures, "all"}
        self._packages: list[Package] | None = None

    @property
    def source(self) -> Source:
        return self._source

    @property
    def warnings(self) -> Sequence[str]:
        return ()

    @cached_property
    def indexes(self) -> Mapping[str, PackagesIndex]:
        """The indexes of binary packages, by `index_path`."""
        return dict(self._open(IndexRole.PACKAGES))

    @cached_property
    def udeb_indexes(self) -> Mapping[str, PackagesIndex]:
        return dict(self._open(IndexRole.UDEBS))

    def packages(self) -> Sequence[Package]:
        if self._packages is None:
            found = self._own(package for index in self.indexes.values() for package in index.packages())
            self._refuse_two_files_of_one_name(found)
            self._packages = found
        return self._packages

    def named(self, name: str) -> Sequence[Package]:
        return self._own(package for index in self.indexes.values() for package in index.named(name))

    def providing(self, name: str) -> Sequence[tuple[Package, str]]:
        found = [one for index in self.indexes.values() for one in index.providing(name)]
        own = set(self._own(package for package, _ in found)) if found else ()
        return [one for one in found if one[0] in own]

    def fields(self, package: Package) -> Mapping[str, str]:
        return self.indexes[package.index_path].fields(package)

    def search(self, query: Query) -> Sequence[Package]:
        from orchestrator.content.formats.deb.searching import search

        return search(self, query)

    def details(self, package: Package) -> Details:
        from orchestrator.content.formats.deb.searching import describe

        return describe(self, package)

    def companions(self, kept: Collection[Package]) -> Sequence[Wanted]:
        """Source packages of `kept` (all of them for a tree whose metadata is the upstream's), and all udebs
        and installer images, as far as the source asks for them."""
        wanted = [Wanted(file, role=Role.COMPANION) for file in source_files(self, kept)]
        for index in self.udeb_indexes.values():
            wanted += [Wanted(package.file, role=Role.COMPANION) for package in index.packages()]
        wanted += [Wanted(file, role=Role.COMPANION) for file in image_files(self)]
        return list({one.file.path: one for one in wanted}.values())

    def _open(self, role: IndexRole) -> Iterator[tuple[str, PackagesIndex]]:
        for metadata in self.metadata:
            for stored in readable(metadata.indexes, role):
                path = plain_name(stored.path)
                origin = Origin(
                    self._source.name,
                    metadata.repository,
                    path,
                    address_of(metadata, stored.path),
                    weak=self._source.unsigned,
                )
                find = partial(read_tables, key=stored.sha256, pool=self.pool)
                yield path, PackagesIndex(read_plain(stored, self.pool), origin, find)

    def _own(self, packages: Iterable[Package]) -> list[Package]:
        """Without those of other architectures, which a flat repository has in its one index. A tree that gets
        that index as it is must have them all."""
        if not (self._source.architectures and self._source.rebuilt):
            return list(packages)
        return [package for package in packages if package.architecture in self._architectures]

    def _refuse_two_files_of_one_name(self, packages: Sequence[Package]) -> None:
        digests = {package.file.path: package.file.digest for package in packages}
        for package in packages:
            if digests[package.file.path] != package.file.digest:
                address = self.indexes[package.index_path].origin.address
                raise BadContent(
                    f"{address}: {package}: another entry names the same file {package.file.path} with "
                    "another digest"
                )


def address_of(metadata: Metadata, path: str) -> str:
    """Where a file of this repository came from: its address, as far as one can be told from the entry's."""
    entry = metadata.entry[0].path
    return metadata.url.removesuffix(entry) + path if metadata.url.endswith(entry) else path
