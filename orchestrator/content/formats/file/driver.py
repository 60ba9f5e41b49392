# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories of files with a PULP_MANIFEST as a format of the engine."""

import posixpath
from collections.abc import Collection, Mapping, Sequence

from orchestrator.content.fetching import Fetcher
from orchestrator.content.formats import Composition, Member, Trust
from orchestrator.content.formats.file.client import client_config
from orchestrator.content.formats.file.closure import closure
from orchestrator.content.formats.file.manifest import ENTRY
from orchestrator.content.formats.file.offer import FileOffer
from orchestrator.content.formats.file.refresh import refresh
from orchestrator.content.formats.file.writing import create, rebuild
from orchestrator.content.model import (
    KEY_FILE,
    Closure,
    ClosureOptions,
    Metadata,
    Package,
    StoredFile,
    Unresolved,
)
from orchestrator.content.pool import Pool
from orchestrator.content.signatures import Signer
from orchestrator.content.source import Source


class FileFormat:
    """Paths in a tree are the upstream's: REPOSITORY/PULP_MANIFEST, and REPOSITORY/ with each file's path."""

    name = "file"

    def refresh(
        self,
        source: Source,
        fetcher: Fetcher,
        held: Sequence[Metadata],
        trust: Trust,  # noqa: ARG002 - nothing is signed or dated
    ) -> tuple[Metadata, ...]:
        return refresh(source, fetcher, held)

    def version_key(self, version: str) -> str:
        return version

    def load(self, source: Source, metadata: Sequence[Metadata], pool: Pool) -> FileOffer:
        return FileOffer(source, metadata, pool)

    def closure(
        self,
        members: Sequence[Member],
        requirements: Sequence[str],
        options: ClosureOptions,  # noqa: ARG002 - files need nothing
    ) -> Closure:
        return closure(members, requirements)

    def broken_without(
        self,
        members: Sequence[Member],  # noqa: ARG002 - files need nothing
        kept: Collection[Package],  # noqa: ARG002
        lost: Collection[Package],  # noqa: ARG002
    ) -> Mapping[Package, Unresolved]:
        return {}

    def verbatim(self, metadata: Sequence[Metadata]) -> Sequence[StoredFile]:
        return [file for each in metadata for file in each.entry]

    def rebuild(self, composition: Composition, pool: Pool) -> Sequence[StoredFile]:
        return rebuild(composition, pool)

    def names_that_last(self, path: str) -> bool:
        """All but the list: who read it may still ask for a file that is not in the next one. Where the next one
        has another file of that name, that stands there, and the digest of the list tells who asked for the
        former."""
        return posixpath.basename(path) != ENTRY and path != KEY_FILE

    def client_config(
        self,
        source: Source,
        address: str,
        key: str,  # noqa: ARG002 - nothing is signed
        certificates: str = "",  # noqa: ARG002
    ) -> str:
        return client_config(source, address)

    def create(
        self,
        files: Sequence[StoredFile],
        source: Source,
        pool: Pool,
        when: float,  # noqa: ARG002 - the list has no date
        signer: Signer | None,
    ) -> Sequence[StoredFile]:
        return create(files, source, pool, signer)
