# SPDX-License-Identifier: GPL-3.0-or-later
"""Repository formats behind one protocol; `tests/support/format_conformance.py` holds every driver to it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestrator.content.fetching import Fetcher, Wanted
from orchestrator.content.model import (
    Closure,
    ClosureOptions,
    Details,
    Digest,
    Metadata,
    Package,
    Query,
    StoredFile,
    Unresolved,
)
from orchestrator.content.pool import Pool
from orchestrator.content.signatures import Signer
from orchestrator.content.source import Source


@dataclass(frozen=True, slots=True)
class Trust:
    """What is believed of an upstream. `now` in seconds since the epoch. `allow_stale`: metadata that has
    expired or is older than `held` is taken all the same. `pinned`: digests of entry files that a metalink names,
    by their paths; one of them must hold, where there is any."""

    now: float
    allow_stale: bool = False
    warn: Callable[[str], None] = lambda _: None
    pinned: Mapping[str, tuple[Digest, ...]] = field(default_factory=dict)


class Stock(Protocol):
    """What a resolution takes packages from. A format's own resolver asks its own kind for more."""

    @property
    def source(self) -> Source: ...

    def packages(self) -> Sequence[Package]:
        """Every package, in the order of the indexes. Broken or hostile entries raise BadContent."""

    def named(self, name: str) -> Sequence[Package]: ...


class Offer(Stock, Protocol):
    """What the repositories of one source hold, read from verified metadata in the pool. Loading is cheap;
    what is not asked for is not parsed."""

    @property
    def warnings(self) -> Sequence[str]:
        """Remarks on what was read, complete once `packages` was asked for."""

    def search(self, query: Query) -> Sequence[Package]: ...

    def details(self, package: Package) -> Details: ...

    def companions(self, kept: Collection[Package]) -> Sequence[Wanted]:
        """Files beside the packages that belong to the kept ones: source packages, installer images."""


@dataclass(frozen=True, slots=True)
class Member:
    """One source in a resolution. With `everything` all its packages are roots (a full mirror, a master).
    `refused` are packages of the offer that must not be taken (the source's filters exclude them)."""

    offer: Stock
    everything: bool = False
    refused: frozenset[Package] = frozenset()


@dataclass(frozen=True, slots=True)
class Composition:
    """What metadata is written from. `kept` are the packages of the new tree, with what is in the pool for
    each; `companions` likewise. `when` (seconds since the epoch) is the date of rebuilt metadata."""

    offer: Offer
    metadata: Sequence[Metadata]
    kept: Mapping[Package, StoredFile]
    companions: Mapping[str, StoredFile] = field(default_factory=dict)
    when: float = 0.0
    signer: Signer | None = None


class Format(Protocol):
    """One repository format: deb, rpm or file. Sources given to one call are all of its type."""

    @property
    def name(self) -> str: ...

    def refresh(
        self, source: Source, fetcher: Fetcher, held: Sequence[Metadata], trust: Trust
    ) -> tuple[Metadata, ...]:
        """The metadata of every repository of the source, verified, all files in the pool.

        An element is the very object from `held` where the upstream has not changed since (one conditional
        request a repository). Raises BadContent (signature, digests, form), Stale, TransferFailed; nothing
        of a refused metadata is returned.
        """

    def version_key(self, version: str) -> Any:
        """What orders versions by the format's rules."""

    def load(self, source: Source, metadata: Sequence[Metadata], pool: Pool) -> Offer: ...

    def closure(
        self, members: Sequence[Member], requirements: Sequence[str], options: ClosureOptions
    ) -> Closure:
        """What `requirements` ("nginx (>= 1.22)") and the members that are there with everything need, across
        all members; a relation that an earlier member satisfies takes nothing from a later one. Raises
        Invalid for a requirement that cannot be read."""

    def broken_without(
        self, members: Sequence[Member], kept: Collection[Package], lost: Collection[Package]
    ) -> Mapping[Package, Unresolved]:
        """The packages of `kept` that could be installed from `kept` and cannot be from it without `lost`,
        and because of which relation; through any number of steps. Without `lost` themselves."""

    def verbatim(self, metadata: Sequence[Metadata]) -> Sequence[StoredFile]:
        """The metadata files of a tree that is the upstream's byte for byte, by-hash included."""

    def rebuild(self, composition: Composition, pool: Pool) -> Sequence[StoredFile]:
        """The metadata files of a tree of just the kept packages; written to the pool."""

    def names_that_last(self, path: str) -> bool:
        """Whether the file at this path of a tree may outlive its generation there: packages, by-hash files,
        metadata with a digest in its name. Clients that read the index before may still ask for it."""

    def client_config(self, source: Source, address: str, key: str, certificates: str = "") -> str:
        """What a client's administrator puts into sources.list.d or yum.repos.d; `key` is the path or
        address of the armoured key there, empty for an unsigned mirror; `certificates` its text, for clients
        that take it where they are configured."""

    def create(
        self, files: Sequence[StoredFile], source: Source, pool: Pool, when: float, signer: Signer | None
    ) -> Sequence[StoredFile]:
        """A new repository from local package files that are in the pool (paths: their file names): the whole
        tree, packages at their places and metadata. Raises BadContent naming the file that is no package."""
