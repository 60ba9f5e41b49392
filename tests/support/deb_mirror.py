# SPDX-License-Identifier: GPL-3.0-or-later
"""A deb upstream read through the format's verbs, and trees made of it: the use case at its smallest."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from orchestrator.content.fetching import Brought, Wanted
from orchestrator.content.formats import Composition, Trust
from orchestrator.content.formats.deb.driver import DebFormat
from orchestrator.content.model import Metadata, Package, StoredFile
from orchestrator.content.pool import Pool
from orchestrator.content.signatures import Signer
from tests.support.deb_repository import DebRepository
from tests.support.directory_fetcher import DirectoryFetcher

NOW = 1_750_000_100.0  # a little after DebRepository's date


class DebMirror:
    """`warnings` is what the reading remarked. `options` are those of the source."""

    def __init__(self, place: Path, upstream: DebRepository, **options: object) -> None:
        self.format, self.source = DebFormat(), upstream.source(**options)
        self.pool, self.tree = Pool(place / "destination"), place / "tree"
        self.fetcher = DirectoryFetcher(upstream.root, self.pool)
        self.warnings: list[str] = []
        self.metadata: tuple[Metadata, ...] = ()
        self.refresh()

    def refresh(self, *, now: float = NOW, allow_stale: bool = False) -> tuple[Metadata, ...]:
        """Read the upstream (again); what was asked for is in `fetcher.asked`."""
        self.fetcher.asked.clear()
        trust = Trust(now, allow_stale, self.warnings.append)
        self.metadata = self.format.refresh(self.source, self.fetcher, self.metadata, trust)
        self.offer = self.format.load(self.source, self.metadata, self.pool)
        return self.metadata

    def named(self, *names: str) -> list[Package]:
        return [package for name in names for package in self.offer.named(name)]

    def verbatim(self) -> Path:
        kept = self._bring(self.offer.packages())
        beside = self._companions(kept)
        return lay(
            self.pool, self.tree, [*kept.values(), *beside.values(), *self.format.verbatim(self.metadata)]
        )

    def rebuilt(self, *names: str, signer: Signer | None = None) -> Path:
        """A tree of just the packages with these names."""
        kept = self._bring(self.named(*names))
        beside = self._companions(kept)
        composition = Composition(self.offer, self.metadata, kept, beside, NOW, signer)
        written = self.format.rebuild(composition, self.pool)
        return lay(self.pool, self.tree, [*kept.values(), *beside.values(), *written])

    def _bring(self, packages: Collection[Package]) -> dict[Package, StoredFile]:
        brought = self.fetcher.bring([Wanted(package.file, role="package") for package in packages])
        return dict(zip(packages, _stored(brought), strict=True))

    def _companions(self, kept: Collection[Package]) -> dict[str, StoredFile]:
        brought = self.fetcher.bring(self.offer.companions(kept))
        return {stored.path: stored for stored in _stored(brought)}


def _stored(brought: Iterable[Brought]) -> list[StoredFile]:
    for one in brought:
        assert one.stored, one
    return [one.stored for one in brought if one.stored]


def lay(pool: Pool, tree: Path, files: Sequence[StoredFile]) -> Path:
    """Lay the files out as a tree of links into the pool, as a publication does."""
    pool.settle()
    for stored in files:
        place = tree / stored.path
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():
            assert place.samefile(pool.path(stored.sha256)), stored
        else:
            place.hardlink_to(pool.path(stored.sha256))
    return tree
