# SPDX-License-Identifier: GPL-3.0-or-later
"""An rpm upstream read through the format's verbs, and trees made of it: the use case at its smallest."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.content.fetching import Brought, Wanted
from orchestrator.content.formats import Composition, Member, Trust
from orchestrator.content.formats.rpm.driver import RpmFormat
from orchestrator.content.formats.rpm.offer import RpmOffer
from orchestrator.content.model import Closure, ClosureOptions, Digest, Metadata, Package, StoredFile
from orchestrator.content.pool import Pool
from orchestrator.content.signatures import Signer
from orchestrator.content.source import Source
from tests.support.deb_mirror import lay
from tests.support.directory_fetcher import DirectoryFetcher

WHEN = 1_750_000_000.0


class RpmMirror:
    """`upstream` is the directory that holds the repositories. `warnings` is what the reading remarked;
    `options` are those of the source, which is unsigned without keys."""

    def __init__(self, place: Path, upstream: Path, **options: object) -> None:
        self.format = RpmFormat()
        base = Source("up", "rpm", ("http://upstream.test/",), (".",), unsigned="keys" not in options)
        self.source = replace(base, **options)  # type: ignore[arg-type] # checked by the dataclass's users
        self.pool, self.tree = Pool(place / "destination"), place / "tree"
        self.fetcher = DirectoryFetcher(upstream, self.pool)
        self.warnings: list[str] = []
        self.metadata: tuple[Metadata, ...] = ()
        self.refresh()

    def refresh(
        self, *, allow_stale: bool = False, pinned: Mapping[str, tuple[Digest, ...]] | None = None
    ) -> tuple[Metadata, ...]:
        """Read the upstream (again); what was asked for is in `fetcher.asked`."""
        self.fetcher.asked.clear()
        trust = Trust(WHEN, allow_stale, self.warnings.append, pinned or {})
        self.metadata = self.format.refresh(self.source, self.fetcher, self.metadata, trust)
        return self.metadata

    @property
    def offer(self) -> RpmOffer:
        offer = self.format.load(self.source, self.metadata, self.pool)
        assert isinstance(offer, RpmOffer)
        return offer

    def closure(self, *requirements: str, **options: bool) -> Closure:
        return self.format.closure([Member(self.offer)], requirements, ClosureOptions(**options))

    def verbatim(self) -> Path:
        kept = self._bring(self.offer.packages())
        return lay(self.pool, self.tree, [*kept.values(), *self.format.verbatim(self.metadata)])

    def rebuilt(self, packages: Collection[Package], signer: Signer | None = None) -> Path:
        """A tree of just these packages."""
        kept = self._bring(packages)
        return lay(self.pool, self.tree, [*kept.values(), *self.rebuild(kept, signer)])

    def rebuild(
        self, kept: Mapping[Package, StoredFile], signer: Signer | None = None
    ) -> Sequence[StoredFile]:
        composition = Composition(self.offer, self.metadata, kept, when=WHEN, signer=signer)
        return self.format.rebuild(composition, self.pool)

    def _bring(self, packages: Collection[Package]) -> dict[Package, StoredFile]:
        brought = self.fetcher.bring([Wanted(package.file, role="package") for package in packages])
        return dict(zip(packages, stored(brought), strict=True))


def stored(brought: Iterable[Brought]) -> list[StoredFile]:
    for one in brought:
        assert one.stored, one
    return [one.stored for one in brought if one.stored]


def titles(packages: Iterable[Package]) -> set[str]:
    return {f"{package.name}-{package.version}.{package.architecture}" for package in packages}
