# SPDX-License-Identifier: GPL-3.0-or-later
"""A Packages index, read lazily: names and offsets by one regular expression, stanzas when they are reached.

An index of 63,000 packages is 50 MB; a closure of a hundred of them reaches some thousand. What is broken
or hostile in a stanza that is reached raises BadContent naming the package and where the index came from.
"""

import mmap
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from orchestrator.content.formats.deb.control import Buffer, fields, normal, stanza_around, stanzas
from orchestrator.content.formats.deb.tables import Tables, scan, without_collector
from orchestrator.content.model import DIGEST_ALGORITHMS, Digest, FileRef, Package, safe_path
from orchestrator.errors import BadContent

_READ = re.compile(
    r"\n(Package|Version|Architecture|Source|Section|Filename|Size|SHA256|SHA512|SHA1|MD5sum|MD5Sum):"
    r"[ \t]*([^\n]*)"
)
_PLAIN_PATH = re.compile(r"(?:[\w+~%:=@,-][\w.+~%:=@,-]*/)*[\w+~%:=@,-][\w.+~%:=@,-]*", re.ASCII).fullmatch
_HEX = {"sha256": 64, "sha512": 128, "sha1": 40, "md5": 32}
_DIGITS = {name: re.compile(f"[0-9A-Fa-f]{{{length}}}").fullmatch for name, length in _HEX.items()}
_STRONG = tuple((name, name.upper()) for name in DIGEST_ALGORITHMS if name in ("sha256", "sha512"))
_WEAK = (("sha1", "SHA1"), ("md5", "MD5sum"), ("md5", "MD5Sum"))
_new = tuple.__new__  # of a named tuple, without the way through its keyword arguments


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an index came from. `path` without compression; `address` is for messages; `weak`: MD5 and SHA-1
    alone are enough (the upstream is not verified anyway)."""

    source: str
    repository: str
    path: str
    address: str
    weak: bool = False


class PackagesIndex:
    """One Packages index. `data` is kept as it is; positions are offsets in it."""

    def __init__(self, data: Buffer, origin: Origin, find_tables: Callable[[Buffer], Tables] = scan) -> None:
        self.data = normal(data)
        self.origin = origin
        self._find_tables = find_tables
        self._read: dict[int, Package] = {}
        self._all: list[Package] | None = None

    @cached_property
    def _tables(self) -> Tables:
        return self._find_tables(self.data)

    def named(self, name: str) -> list[Package]:
        offsets = self._tables.names.get(name.encode("utf-8", "surrogateescape"), ())
        return _unique([self._package(offset) for offset in offsets])

    def providing(self, name: str) -> list[tuple[Package, str]]:
        turns = iter(self._tables.provided.get(name.encode("utf-8", "surrogateescape"), ()))
        return [
            (self._package(cast("int", offset)), cast("bytes", version).decode("utf-8", "replace"))
            for offset, version in zip(turns, turns, strict=True)
        ]

    def packages(self) -> Sequence[Package]:
        """All, in order; entries that are repeated word for word are given once."""
        if self._all is None:
            with without_collector():
                self._read = {start: self._at(start, end) for start, end in stanzas(self.data)}
                self._all = _unique(list(self._read.values()))
            if isinstance(self.data, mmap.mmap):
                self.data.madvise(mmap.MADV_DONTNEED)  # 50 MB that few of the packages are looked up in again
        return self._all

    def mentioning(self, text: str) -> Sequence[Package]:
        """The packages in whose entries `text` stands somewhere."""
        found, sought = [], text.encode("utf-8", "surrogateescape")
        at = self.data.find(sought) if sought else -1
        while at >= 0:
            start, end = stanza_around(self.data, at)
            found.append(self._package(start))
            at = self.data.find(sought, end)
        return _unique(found)

    def stanza(self, package: Package) -> bytes:
        """The package's entry byte for byte, without the empty line after it. Raises KeyError."""
        start, end = self._span(package)
        return self.data[start:end]

    def position(self, package: Package) -> int:
        """Grows along the index. Raises KeyError."""
        return self._span(package)[0]

    def fields(self, package: Package) -> Mapping[str, str]:
        return fields(self.stanza(package))

    def _span(self, package: Package) -> tuple[int, int]:
        for offset in self._tables.names.get(package.name.encode("utf-8", "surrogateescape"), ()):
            if self._package(offset) == package:
                return stanza_around(self.data, offset)
        raise KeyError(package)

    def _package(self, offset: int) -> Package:
        """The package whose stanza `offset` is in."""
        start, end = stanza_around(self.data, offset)
        package = self._read.get(start)
        if package is None:
            package = self._read[start] = self._at(start, end)
        return package

    def _at(self, start: int, end: int) -> Package:
        found = dict(_READ.findall("\n" + self.data[start:end].decode("utf-8", "surrogateescape")))
        try:
            return _package(found, self.origin)
        except (KeyError, ValueError) as error:
            name = printable(found.get("Package", "")) or f"the entry at byte {start}"
            what = f"it has no {error.args[0]}" if isinstance(error, KeyError) else str(error)
            raise BadContent(f"{self.origin.address}: {name}: {what}") from None


def _package(found: dict[str, str], origin: Origin) -> Package:
    """Raises KeyError for a field that is missing, ValueError for one that is wrong."""
    name, version, architecture = found["Package"], found["Version"], found["Architecture"]
    path, size = found["Filename"], found["Size"]
    if not (f"{name}{version}{architecture}".isprintable() and name and version):
        raise ValueError("its name or version is not printable text")
    if not _PLAIN_PATH(path):
        path = _checked(path)
    if not size.isdecimal():
        raise ValueError(f"its Size is {printable(size)!r}")
    file = _new(FileRef, (path, int(size), _digest(found, weak=origin.weak)))
    source, section = found.get("Source", ""), found.get("Section", "")
    return _new(
        Package,
        (
            name,
            version,
            sys.intern(architecture),
            file,
            origin.source,
            origin.repository,
            origin.path,
            sys.intern(section if section.isprintable() else printable(section)),
            sys.intern(source.partition(" ")[0]) if source.isprintable() and source else name,
        ),
    )


def _checked(path: str) -> str:
    if not path.isprintable():
        raise ValueError(f"its Filename {printable(path)!r} is not printable text")
    return safe_path(path)


def _digest(found: dict[str, str], *, weak: bool) -> Digest:
    """The one that decides, see DIGEST_ALGORITHMS."""
    for algorithm, spelling in (*_STRONG, *_WEAK) if weak else _STRONG:
        value = found.get(spelling)
        if value is not None:
            if not _DIGITS[algorithm](value):
                raise ValueError(f"its {spelling} is not one")
            return _new(Digest, (algorithm, value.lower()))
    if not weak and any(spelling in found for _, spelling in _WEAK):
        raise ValueError("it has only MD5 and SHA-1, which prove nothing: only `unsigned: true` takes them")
    raise KeyError("SHA256")


def printable(text: str) -> str:
    """`text` for a message: what is not text is replaced."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(character if character.isprintable() else "?" for character in text)


def _unique(packages: list[Package]) -> list[Package]:
    return packages if len(packages) < 2 else list(dict.fromkeys(packages))
