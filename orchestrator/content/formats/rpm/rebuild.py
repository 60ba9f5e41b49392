# SPDX-License-Identifier: GPL-3.0-or-later
"""Metadata of our own for the kept packages, made of the upstream's: every element of a kept package is passed on
as it was written, so nothing that an upstream says of a package is lost.

primary, filelists, other   the elements of the kept packages; digests that are not accepted today are replaced
updateinfo                  advisories that concern a kept package
modules, group              cut to what is kept
delta packages, sqlite      left out
all others                  as they are (productid, and what nobody here knows)
"""

import re
from collections.abc import Iterator, Mapping

from orchestrator.content.formats import Composition
from orchestrator.content.formats.rpm import advisories, comps, markup, modules
from orchestrator.content.formats.rpm.lists import Records, document
from orchestrator.content.formats.rpm.offer import RpmOffer
from orchestrator.content.formats.rpm.reading import Reading
from orchestrator.content.formats.rpm.refresh import carried_over
from orchestrator.content.formats.rpm.repomd import Record
from orchestrator.content.model import FileRef, Package, StoredFile
from orchestrator.content.pool import Pool
from orchestrator.errors import BadContent

# Lists of packages beside primary.
LISTS = ("filelists", "other", "filelists-ext")
_GROUPS = ("group", "group_gz", "group_xz", "group_zst", "group_bz2")
_REMADE = ("primary", *LISTS, "updateinfo", "modules", *_GROUPS)
_WEAK = ("md5", "sha1")
_CHECKSUM = re.compile(rb"<checksum\b[^>]*>[^<]*</checksum>")
_PKGID = re.compile(rb"""\bpkgid\s*=\s*(?:"([^"]*)"|'([^']*)')""")


def rebuild(composition: Composition, offer: RpmOffer, pool: Pool) -> list[StoredFile]:
    """As `Format.rebuild`."""
    everywhere = _Everywhere(composition, offer)
    files: list[StoredFile] = []
    for reading in offer.readings:
        files += _Rebuilding(composition, offer, reading, pool, everywhere).files()
    return files


class _Everywhere:
    """What is kept of all the repositories of the source together: groups, advisories and the defaults of modules
    of one may speak of packages of another."""

    def __init__(self, composition: Composition, offer: RpmOffer) -> None:
        self.names = {package.name for package in composition.kept}
        self.nevras = {advisories.nevra(package) for package in composition.kept}
        self.modules: set[str] = set()
        for reading in offer.readings:
            record = reading.record("modules")
            if record is not None:
                self.modules |= modules.kept_modules(reading.text(record), reading.name(record), self.nevras)


class _Rebuilding:
    """One repository's."""

    def __init__(
        self,
        composition: Composition,
        offer: RpmOffer,
        reading: Reading,
        pool: Pool,
        everywhere: _Everywhere,
    ) -> None:
        self.offer, self.reading, self.composition = offer, reading, composition
        self.everywhere = everywhere
        self.kept = _kept(composition, offer, reading)
        self.packages: list[Package] = []
        self.pkgids: dict[str, str] = {}  # the upstream's -> ours
        self.records = Records(pool, reading.repository, composition.when)

    def files(self) -> list[StoredFile]:
        self._write_packages()
        for type_ in LISTS:
            self._write_list(type_)
        self._write_updateinfo()
        self._write_modules()
        self._write_groups()
        for record in self.reading.repomd.records:
            stored = self.reading.stored(record)
            if stored and record.type not in _REMADE and carried_over(record.type):
                self.records.carry_over(record, stored)
        return self.records.close(self.reading.repomd.tags, self.composition.signer)

    def _write_packages(self) -> None:
        record = self.reading.record("primary")
        assert record is not None
        self._write_xml("primary", record, self._primary(), len(self.kept))
        missing = len(self.kept) - len(self.packages)
        if missing:
            raise BadContent(f"{self.reading.name(record)} does not have {missing} of the kept packages")

    def _primary(self) -> Iterator[bytes]:
        waiting = dict(self.kept)
        for entry in self.offer.entries(self.reading, self.kept):
            stored = waiting.pop(entry.package.file, None)
            if stored is None:
                continue
            text, pkgid = entry.text, entry.pkgid
            if entry.package.file.digest and entry.package.file.digest.algorithm in _WEAK:
                ours = f'<checksum type="sha256" pkgid="YES">{stored.sha256}</checksum>'
                text, pkgid = _CHECKSUM.sub(ours.encode(), text, count=1), stored.sha256
            self.packages.append(entry.package)
            self.pkgids[entry.pkgid] = pkgid
            yield text.lstrip() + b"</package>\n"

    def _write_list(self, type_: str) -> None:
        record = self.reading.record(type_)
        if record is not None:
            self._write_xml(type_, record, self._list(record), len(self.pkgids))

    def _list(self, record: Record) -> Iterator[bytes]:
        """The kept packages' elements; an empty one for a package that the upstream's list leaves out, for
        clients count."""
        waiting = dict(self.pkgids)
        name = self.reading.name(record)
        for text in markup.fragments(self.reading.pieces(record), "package", name):
            found = _PKGID.search(text)
            theirs = ((found[1] or found[2]) if found else b"").decode(errors="replace")
            ours = waiting.pop(theirs.lower(), None)
            if ours is not None and found is not None:
                head, tail = text[: found.start()].lstrip(), text[found.end() :]
                yield b'%spkgid="%s"%s</package>\n' % (head, ours.encode(), tail)
        if waiting:
            by_pkgid = {
                package.file.digest.value: package for package in self.packages if package.file.digest
            }
            for theirs, ours in waiting.items():
                yield _empty_element(by_pkgid[theirs], ours)

    def _write_xml(self, type_: str, record: Record, elements: Iterator[bytes], count: int) -> None:
        """A list with the outermost element of the upstream's, for its namespaces."""
        name = self.reading.name(record)
        tag, attributes = markup.outermost(self.reading.pieces(record), name)
        attributes = {**attributes, "packages": str(count)}
        self.records.write(type_, f"{type_}.xml", document(tag, attributes, elements, name))

    def _write_updateinfo(self) -> None:
        record = self.reading.record("updateinfo")
        if record is not None:
            name = self.reading.name(record)
            elements = list(advisories.filtered(self.reading.pieces(record), name, self.everywhere.nevras))
            if elements:
                self.records.write("updateinfo", "updateinfo.xml", document("updates", {}, elements, name))

    def _write_modules(self) -> None:
        record = self.reading.record("modules")
        if record is not None:
            text, name = self.reading.text(record), self.reading.name(record)
            data = modules.filtered(text, name, self.everywhere.nevras, self.everywhere.modules)
            if data:
                self.records.write("modules", "modules.yaml", [data])

    def _write_groups(self) -> None:
        """Plain, and compressed for the clients that ask for that first."""
        record = self.reading.record(*_GROUPS)
        if record is not None:
            text, name = self.reading.text(record), self.reading.name(record)
            data = comps.filtered(text, name, self.everywhere.names)
            self.records.write("group", "comps.xml", [data], compressed=False)
            self.records.write("group_gz", "comps.xml", [data])


def _kept(composition: Composition, offer: RpmOffer, reading: Reading) -> Mapping[FileRef, StoredFile]:
    """The files of this repository's kept packages, source packages among them, with what is in the pool."""
    kept = {
        package.file: stored
        for package, stored in composition.kept.items()
        if package.repository == reading.repository
    }
    if composition.companions:
        for package in offer.of(reading):
            stored = composition.companions.get(package.file.path)
            if stored is not None:
                kept.setdefault(package.file, stored)
    return kept


def _empty_element(package: Package, pkgid: str) -> bytes:
    _, epoch, version, release, _ = advisories.nevra(package)
    written = {"pkgid": pkgid, "name": package.name, "arch": package.architecture}
    attributes = "".join(f' {key}="{markup.attribute(value)}"' for key, value in written.items())
    evr = {"epoch": epoch, "ver": version, "rel": release}
    versions = "".join(f' {key}="{markup.attribute(value)}"' for key, value in evr.items())
    return f"<package{attributes}>\n  <version{versions}/>\n</package>\n".encode()
