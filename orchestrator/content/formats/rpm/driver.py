# SPDX-License-Identifier: GPL-3.0-or-later
"""rpm-md repositories (repodata/repomd.xml) as a format of the engine."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from orchestrator.content.fetching import Fetcher
from orchestrator.content.formats import Composition, Member, Offer, Trust
from orchestrator.content.formats.rpm.client import client_config
from orchestrator.content.formats.rpm.offer import RpmOffer
from orchestrator.content.formats.rpm.refresh import refresh
from orchestrator.content.formats.rpm.versions import version_key
from orchestrator.content.model import Closure, ClosureOptions, Metadata, Package, StoredFile, Unresolved
from orchestrator.content.pool import Pool
from orchestrator.content.signatures import Signer
from orchestrator.content.source import Source

# Packages, and metadata that createrepo and others name by its digest.
_LASTING = re.compile(r"(?:.*\.rpm|(?:.*/)?repodata/[0-9a-f]{32,128}-[^/]+)")


class RpmFormat:
    """Paths in a tree are the upstream's: REPOSITORY/repodata/..., and REPOSITORY/ with each package's location."""

    name = "rpm"

    def refresh(
        self, source: Source, fetcher: Fetcher, held: Sequence[Metadata], trust: Trust
    ) -> tuple[Metadata, ...]:
        return refresh(source, fetcher, held, trust)

    def version_key(self, version: str) -> Any:
        return version_key(version)

    def load(self, source: Source, metadata: Sequence[Metadata], pool: Pool) -> Offer:
        return RpmOffer(source, metadata, pool)

    def closure(
        self, members: Sequence[Member], requirements: Sequence[str], options: ClosureOptions
    ) -> Closure:
        from orchestrator.content.formats.rpm.closure import closure

        return closure(members, requirements, options)

    def broken_without(
        self, members: Sequence[Member], kept: Collection[Package], lost: Collection[Package]
    ) -> Mapping[Package, Unresolved]:
        from orchestrator.content.formats.rpm.closure import broken_without

        return broken_without(members, kept, lost)

    def verbatim(self, metadata: Sequence[Metadata]) -> Sequence[StoredFile]:
        files = [file for each in metadata for file in (*each.entry, *each.indexes)]
        # Several records may be one file.
        return list({file.path: file for file in files}.values())

    def rebuild(self, composition: Composition, pool: Pool) -> Sequence[StoredFile]:
        from orchestrator.content.formats.rpm.rebuild import rebuild

        return rebuild(composition, _own(composition.offer), pool)

    def names_that_last(self, path: str) -> bool:
        return _LASTING.fullmatch(path) is not None

    def client_config(
        self,
        source: Source,
        address: str,
        key: str,
        certificates: str = "",  # noqa: ARG002 - dnf takes addresses of keys alone
    ) -> str:
        return client_config(source, address, key)

    def create(
        self, files: Sequence[StoredFile], source: Source, pool: Pool, when: float, signer: Signer | None
    ) -> Sequence[StoredFile]:
        from orchestrator.content.formats.rpm.create import create

        return create(files, source, pool, when, signer)


def _own(offer: Offer) -> RpmOffer:
    assert isinstance(offer, RpmOffer)
    return offer
