# SPDX-License-Identifier: GPL-3.0-or-later
"""The trees of a `dir` export against the inventories that its manifest names."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from orchestrator.content.exports.manifest import SUMS, Manifest, RepositoryEntry, inventory_place
from orchestrator.content.exports.medium_checking import Damage
from orchestrator.content.inventories import digest_of, read_list
from orchestrator.content.model import StoredFile
from orchestrator.content.pool import Pool
from orchestrator.content.publication.checking import check
from orchestrator.errors import BadContent


class TreesCheck:
    def __init__(self, place: Path, manifest: Manifest, pool: Pool, tell: Callable[[int], None]) -> None:
        self._place, self._manifest, self._pool, self._tell = place, manifest, pool, tell
        self.objects = self.bytes = 0

    def check(self, threads: int) -> list[Damage]:
        """What is wrong with any of them. Every byte is hashed, once for all names of a file; links into the pool are
        the pool's bytes."""
        try:
            sums = _sums((self._place / SUMS).read_bytes())
        except FileNotFoundError:
            sums = {}
        found = [] if sums else [Damage(0, SUMS, "is missing, or damaged")]
        found += self._small_files(sums)
        sent: set[str] = set()
        for entry in self._manifest.repositories:
            if not entry.trees:
                continue
            try:
                listed = self._listed(entry)
            except BadContent as error:
                found.append(Damage(0, error.message, ""))
                continue
            for tree in entry.trees:
                files = list(self._files(tree, listed, sums))
                found += self._tree(tree, files, threads)
                sent |= {file.sha256 for file in files}
        if self._manifest.kind == "increment" and len(sent) != self._manifest.objects:
            found.append(Damage(0, SUMS, f"names {len(sent)} of {self._manifest.objects} objects"))
        self.objects = len(sent)
        return found

    def _small_files(self, sums: Mapping[str, str]) -> Iterable[Damage]:
        for path, sha256 in sums.items():
            if path.startswith("content/"):
                continue
            try:
                data = (self._place / path).read_bytes()
            except OSError:
                yield Damage(0, path, "is missing")
            else:
                if hashlib.sha256(data).hexdigest() != sha256:
                    yield Damage(0, path, "is damaged")

    def _listed(self, entry: RepositoryEntry) -> list[StoredFile]:
        """Raises BadContent."""
        path = inventory_place(entry.inventory)
        try:
            data = (self._place / path).read_bytes()
        except OSError:
            if entry.base == entry.inventory:
                return []  # nothing of it was sent
            raise BadContent(f"{path} is missing") from None
        if digest_of(data) != entry.inventory:
            raise BadContent(f"{path} is damaged")
        return list(read_list(data, path))

    def _files(
        self, tree: str, listed: Iterable[StoredFile], sums: Mapping[str, str]
    ) -> Iterable[StoredFile]:
        """Those that must be in a tree: all, or of an increment what the checksums name."""
        if self._manifest.kind == "complete":
            return listed
        return (file for file in listed if sums.get(f"{tree}/{file.path}") == file.sha256)

    def _tree(self, tree: str, files: list[StoredFile], threads: int) -> Iterable[Damage]:
        report = check(self._place / tree, files, self._pool, full=True, threads=threads, tell=self._tell)
        self.bytes += report.bytes
        return [Damage(0, f"{tree}/{each.path}", str(each.fault)) for each in report.damaged]


def _sums(data: bytes) -> dict[str, str]:
    lines = data.decode(errors="surrogateescape").splitlines()
    return {path: sha256 for sha256, _, path in (line.partition("  ") for line in lines) if len(sha256) == 64}
