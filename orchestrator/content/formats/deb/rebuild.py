# SPDX-License-Identifier: GPL-3.0-or-later
"""The metadata of a tree that holds a part of an upstream: its own indexes, cut down to what is kept.

Stanzas are copied byte for byte, in the upstream's order, so that a client sees just what it would see
there. What names packages is cut with them: Sources, Translation, Contents, the indexes of udebs. What
cannot be cut without understanding it (AppStream, command-not-found) is left out, which clients take as not
there. Suite, Codename, Origin and all else that pinning looks at is carried over.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from orchestrator.content.compression import plain_name
from orchestrator.content.formats import Composition
from orchestrator.content.formats.deb.companions import listed_files
from orchestrator.content.formats.deb.contents import cut_contents
from orchestrator.content.formats.deb.control import Buffer, fields, normal, stanzas
from orchestrator.content.formats.deb.index import PackagesIndex
from orchestrator.content.formats.deb.layout import Layout, parse_layout
from orchestrator.content.formats.deb.offer import DebOffer
from orchestrator.content.formats.deb.plain import read_plain
from orchestrator.content.formats.deb.release import Release, clear_text, parse_release
from orchestrator.content.formats.deb.selection import IndexRole, readable
from orchestrator.content.formats.deb.writing import IndexWriter
from orchestrator.content.model import Metadata, Package, StoredFile
from orchestrator.content.pool import Pool

_CARRIED = (
    "Origin",
    "Label",
    "Suite",
    "Version",
    "Codename",
    "Changelogs",
    "NotAutomatic",
    "ButAutomaticUpgrades",
    "No-Support-for-Architecture-all",
    "Description",
)


def rebuild(composition: Composition, pool: Pool) -> list[StoredFile]:
    """See `Format.rebuild`."""
    offer = composition.offer
    assert isinstance(offer, DebOffer)
    kept: dict[str, list[Package]] = {}
    for package in composition.kept:
        kept.setdefault(package.index_path, []).append(package)
    written: list[StoredFile] = []
    for metadata in composition.metadata:
        written += _Repository(composition, offer, metadata, pool).write(kept)
    return written


class _Repository:
    """One repository's part of the tree."""

    def __init__(self, composition: Composition, offer: DebOffer, metadata: Metadata, pool: Pool) -> None:
        self.composition, self.offer, self.metadata, self.pool = composition, offer, metadata, pool
        self.layout = parse_layout(metadata.repository)
        self.names: set[str] = set()
        self.writer = IndexWriter(self.layout, pool)

    def write(self, kept: Mapping[str, Sequence[Package]]) -> list[StoredFile]:
        for path, index in self._own(self.offer.indexes):
            packages = kept.get(path, ())
            self.names |= {package.name for package in packages}
            self._add(path, self._stanzas(index, packages), IndexRole.PACKAGES)
        for path, index in self._own(self.offer.udeb_indexes):
            udebs = [one for one in index.packages() if one.file.path in self.composition.companions]
            self.names |= {package.name for package in udebs}
            self._add(path, self._stanzas(index, udebs), IndexRole.UDEBS)
        for stored, data in self._read(IndexRole.SOURCES):
            self._add(plain_name(stored.path), self._sources(data, stored.path), IndexRole.SOURCES)
        for stored, data in self._read(IndexRole.TRANSLATION):
            self._add(plain_name(stored.path), self._translations(data), IndexRole.TRANSLATION)
        for stored in readable(self.metadata.indexes, IndexRole.CONTENTS):
            name = self._name(plain_name(stored.path) + ".gz")
            self.writer.add_as_it_is(name, cut_contents(stored, self.pool, self.names), IndexRole.CONTENTS)
        for stored in self.metadata.indexes:
            if stored.role == IndexRole.IMAGES:
                data = self.pool.read(stored.sha256)
                self.writer.add_as_it_is(self._name(stored.path), data, IndexRole.IMAGES)
        release = self._upstream()
        fields_ = carried_fields(release, self.layout, self.writer.rows)
        return self.writer.finish(fields_, self.composition.when, self.composition.signer)

    def _upstream(self) -> Release:
        entry = self.metadata.entry[0]
        return parse_release(clear_text(self.pool.read(entry.sha256)), self.metadata.url)

    def _own(self, indexes: Mapping[str, PackagesIndex]) -> Iterator[tuple[str, PackagesIndex]]:
        return (
            (path, one) for path, one in indexes.items() if one.origin.repository == self.layout.repository
        )

    def _read(self, role: IndexRole) -> Iterator[tuple[StoredFile, Buffer]]:
        for stored in readable(self.metadata.indexes, role):
            yield stored, normal(read_plain(stored, self.pool))

    def _name(self, path: str) -> str:
        return path.removeprefix(self.layout.path(""))

    def _add(self, path: str, pieces: Iterable[bytes], role: IndexRole) -> None:
        self.writer.add(self._name(path), b"".join(pieces), role)

    def _stanzas(self, index: PackagesIndex, packages: Iterable[Package]) -> Iterator[bytes]:
        for package in sorted(packages, key=index.position):
            stanza = index.stanza(package).strip(b"\n")
            stored = self.composition.kept.get(package)
            if stored and b"\nSHA256:" not in stanza:  # clients believe nothing less any more
                stanza += f"\nSHA256: {stored.sha256}".encode()
            yield stanza + b"\n\n"

    def _sources(self, data: Buffer, name: str) -> Iterator[bytes]:
        """The source packages that are in the tree with all their files."""
        for start, end in stanzas(data):
            stanza = fields(data[start:end])
            files = listed_files(stanza, name, weak=self.offer.source.unsigned)
            if all(file.path in self.composition.companions for file in files):
                yield data[start:end].strip(b"\n") + b"\n\n"

    def _translations(self, data: Buffer) -> Iterator[bytes]:
        for start, end in stanzas(data):
            if _translated(data[start:end], self.names):
                yield data[start:end].strip(b"\n") + b"\n\n"


def carried_fields(release: Release, layout: Layout, rows: Collection[str]) -> dict[str, str]:
    """The fields of our Release file, but for its date and its lists."""
    written = {part.removeprefix("binary-") for row in rows for part in row.split("/") if "binary-" in part}
    told = release.fields.get("Architectures", "").split()
    if not layout.flat:
        told = [one for one in told if one in written or one == "all"] or sorted(written)
    carried = {name: release.fields[name] for name in _CARRIED if name in release.fields}
    if told:
        carried["Architectures"] = " ".join(told)
    if layout.components:
        carried["Components"] = " ".join(layout.components)
    return carried


def _translated(stanza: bytes, names: Collection[str]) -> bool:
    first, _, _ = stanza.partition(b"\n")
    return first.removeprefix(b"Package:").strip().decode("utf-8", "replace") in names
