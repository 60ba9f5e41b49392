# SPDX-License-Identifier: GPL-3.0-or-later
"""The deb format behind the `Format` protocol; the work is in the modules beside this one."""

from collections.abc import Collection, Mapping, Sequence

from orchestrator.content.fetching import Fetcher
from orchestrator.content.formats import Composition, Member, Trust
from orchestrator.content.formats.deb.layout import lasts
from orchestrator.content.formats.deb.offer import DebOffer
from orchestrator.content.formats.deb.versions import VersionKey, version_key
from orchestrator.content.model import Closure, ClosureOptions, Metadata, Package, StoredFile, Unresolved
from orchestrator.content.pool import Pool
from orchestrator.content.signatures import Signer
from orchestrator.content.source import Source


class DebFormat:
    """Debian repositories: suites with components, and flat ones."""

    name = "deb"

    def refresh(
        self, source: Source, fetcher: Fetcher, held: Sequence[Metadata], trust: Trust
    ) -> tuple[Metadata, ...]:
        from orchestrator.content.formats.deb.refresh import refresh

        return refresh(source, fetcher, held, trust)

    def version_key(self, version: str) -> VersionKey:
        return version_key(version)

    def load(self, source: Source, metadata: Sequence[Metadata], pool: Pool) -> DebOffer:
        return DebOffer(source, metadata, pool)

    def closure(
        self, members: Sequence[Member], requirements: Sequence[str], options: ClosureOptions
    ) -> Closure:
        from orchestrator.content.formats.deb.closure import closure

        return closure(members, requirements, options)

    def broken_without(
        self, members: Sequence[Member], kept: Collection[Package], lost: Collection[Package]
    ) -> Mapping[Package, Unresolved]:
        from orchestrator.content.formats.deb.closure import broken_without

        return broken_without(members, kept, lost)

    def verbatim(self, metadata: Sequence[Metadata]) -> Sequence[StoredFile]:
        return [stored for one in metadata for stored in (*one.entry, *one.indexes)]

    def rebuild(self, composition: Composition, pool: Pool) -> Sequence[StoredFile]:
        from orchestrator.content.formats.deb.rebuild import rebuild

        return rebuild(composition, pool)

    def names_that_last(self, path: str) -> bool:
        return lasts(path)

    def client_config(self, source: Source, address: str, key: str, certificates: str = "") -> str:
        from orchestrator.content.formats.deb.client import client_config

        return client_config(source, address, key, certificates)

    def create(
        self, files: Sequence[StoredFile], source: Source, pool: Pool, when: float, signer: Signer | None
    ) -> Sequence[StoredFile]:
        from orchestrator.content.formats.deb.create import create

        return create(files, source, pool, when, signer)
