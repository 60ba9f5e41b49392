# SPDX-License-Identifier: GPL-3.0-or-later
"""What the directories of one source hold: every listed file is a package, whose name is its path there. It has
no version, no architecture and needs nothing."""

import fnmatch
from collections.abc import Collection, Sequence
from functools import cached_property

from orchestrator.content.fetching import Wanted
from orchestrator.content.formats.file import manifest
from orchestrator.content.model import Details, Digest, FileRef, Metadata, Package, Query
from orchestrator.content.pool import Pool
from orchestrator.content.source import Source
from orchestrator.errors import BadContent


def base_of(repository: str) -> str:
    """What the paths of a repository begin with."""
    return "" if repository == "." else f"{repository}/"


class FileOffer:
    def __init__(self, source: Source, metadata: Sequence[Metadata], pool: Pool) -> None:
        self._source, self._pool = source, pool
        self.metadata = tuple(metadata)

    @property
    def source(self) -> Source:
        return self._source

    @property
    def warnings(self) -> Sequence[str]:
        return ()

    def packages(self) -> Sequence[Package]:
        return self._packages

    def named(self, name: str) -> Sequence[Package]:
        return [package for package in self._packages if package.name == name]

    def search(self, query: Query) -> Sequence[Package]:
        """A file provides its own name."""
        if query.requires or query.architecture or query.section:
            return []
        return [
            package
            for package in self._packages
            if (not query.name or fnmatch.fnmatchcase(package.name, query.name))
            and query.provides in ("", package.name)
            and query.repository in ("", package.repository)
        ]

    def details(self, package: Package) -> Details:
        """Raises BadContent when the file is not of this offer."""
        if package not in self._packages:
            raise BadContent(f"{self.source.name} does not offer {package}")
        assert package.file.digest
        return Details(extra={"sha256": package.file.digest.value})

    def companions(self, kept: Collection[Package]) -> Sequence[Wanted]:  # noqa: ARG002 - there are none
        return ()

    @cached_property
    def _packages(self) -> tuple[Package, ...]:
        return tuple(package for each in self.metadata for package in self._read(each))

    def _read(self, metadata: Metadata) -> list[Package]:
        listed = manifest.parse(self._pool.read(metadata.entry[0].sha256), metadata.url)
        source, repository = self.source.name, metadata.repository
        base = base_of(repository)
        return [
            Package(
                path,
                "",
                "",
                FileRef(base + path, size, Digest("sha256", sha256)),
                source,
                repository,
                metadata.entry[0].path,
            )
            for path, sha256, size in listed
        ]
