# SPDX-License-Identifier: GPL-3.0-or-later
"""An independent judge of published trees: reads them as a client would, and all of them, with code of its own.

    assert walk("deb", tree, "stable main", key().public) == []
    assert visit("rpm", tree, "os") == []           # what a client asks for in one update and download
    assert snapshot(tree) == snapshot(other)        # the same but for the bytes of signatures

What is wrong is said in words, and nothing is raised.
"""

import bz2
import gzip
import hashlib
import lzma
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from tests.support.openpgp import gpgv

Read = Callable[[str], bytes]
_FORMS = (".xz", ".zst", ".gz", ".bz2", "")
_DIGESTS = (("SHA512", "sha512"), ("SHA256", "sha256"), ("SHA1", "sha1"), ("MD5sum", "md5"))


class _Said(NamedTuple):
    """What metadata says of a file."""

    size: int | None
    algorithm: str
    digest: str


def reader(tree: Path) -> Read:
    """Every file is looked up from the beginning of the path, as a web server does it."""
    return lambda path: (tree / path).read_bytes()


def walk(kind: str, tree: Path, repository: str, certificates: bytes = b"") -> list[str]:
    """All that is wrong with a tree: with each file that its metadata names, its signatures, its by-hash names.
    `certificates` are those that must have signed it; none: it is not signed."""
    wrong: list[str] = []
    if kind == "deb":
        _walk_deb(reader(tree), tree, repository, certificates, wrong)
    else:
        _walk_rpm(reader(tree), repository, certificates, wrong)
    return wrong


def visit(kind: str, tree: Path | Read, repository: str) -> list[str]:
    """What goes wrong for a client that reads the entry file, then the index it names, then every package."""
    read, wrong = tree if callable(tree) else reader(tree), list[str]()
    if kind == "deb":
        _visit_deb(read, repository, wrong)
    else:
        _visit_rpm(read, repository, wrong)
    return wrong


def packages(kind: str, tree: Path, repository: str) -> dict[str, str]:
    """The packages that the tree's metadata names: path and digest."""
    if kind == "deb":
        found = _named_by_indexes(reader(tree), repository, [])
    else:
        found = _named_by_primary(reader(tree), repository, [])
    return {path: said.digest for path, said in found.items()}


def snapshot(tree: Path) -> dict[str, str]:
    """Every file and its digest. Signatures are made anew each time: of those only the text counts."""
    found: dict[str, str] = {}
    for directory, _, names in os.walk(tree):
        for name in names:
            path = Path(directory, name)
            data = path.read_bytes()
            if name == "InRelease":
                data = _clear_text(data)
            elif name in ("Release.gpg", "repomd.xml.asc"):
                data = b"a signature"
            found[str(path.relative_to(tree))] = hashlib.sha256(data).hexdigest()
    return found


# Both ---------------------------------------------------------------------------------------------------------


def _judge(read: Read, path: str, said: _Said, wrong: list[str]) -> bytes:
    """The file, which must be what is said of it; nothing when it is not there."""
    if path.startswith("/") or ".." in path.split("/"):
        wrong.append(f"{path} leads out of the tree")
        return b""
    try:
        data = read(path)
    except OSError as error:
        wrong.append(f"{path} is named and cannot be had: {error.strerror or error}")
        return b""
    if said.size is not None and len(data) != said.size:
        wrong.append(f"{path} has {len(data)} bytes instead of {said.size}")
    if hashlib.new(said.algorithm, data).hexdigest() != said.digest:
        wrong.append(f"{path} has another digest than what names it says")
    return data


def _unpacked(path: str, data: bytes) -> bytes:
    if path.endswith(".xz"):
        return lzma.decompress(data)
    if path.endswith(".gz"):
        return gzip.decompress(data)
    if path.endswith(".bz2"):
        return bz2.decompress(data)
    if path.endswith(".zst"):
        import zstandard

        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return data


def _is_there(read: Read, path: str) -> bool:
    try:
        read(path)
    except OSError:
        return False
    return True


def _verify(certificates: bytes, files: Mapping[str, bytes], wrong: list[str]) -> None:
    """gpgv's verdict: on a clear-signed file, or on a signature and what it is of."""
    with tempfile.TemporaryDirectory(prefix="walk-") as place:
        paths = [Path(place, str(number)) for number in range(len(files))]
        for path, data in zip(paths, files.values(), strict=True):
            path.write_bytes(data)
        if gpgv(certificates, *paths).returncode:
            wrong.append(f"{', '.join(files)}: gpgv does not believe it")


# deb ----------------------------------------------------------------------------------------------------------


def _clear_text(data: bytes) -> bytes:
    """The text of a clear-signed file."""
    _, _, rest = data.partition(b"\n\n")
    text, _, _ = rest.partition(b"\n-----BEGIN PGP SIGNATURE-----")
    return re.sub(rb"(?m)^- ", b"", text) + b"\n"


def _directory(repository: str) -> str:
    suite = repository.split(maxsplit=1)[0]
    return suite.removeprefix("./") if suite.endswith("/") else f"dists/{suite}/"


def _release(read: Read, directory: str) -> bytes:
    try:
        return _clear_text(read(f"{directory}InRelease"))
    except OSError:
        return read(f"{directory}Release")


def _fields(text: bytes) -> dict[str, str]:
    return dict(re.findall(r"(?m)^([A-Za-z0-9-]+):[ \t]*(.*(?:\n[ \t].*)*)", text.decode("utf-8", "replace")))


def _listed(fields: Mapping[str, str]) -> dict[str, _Said]:
    found: dict[str, _Said] = {}
    for field, algorithm in (("SHA512", "sha512"), ("SHA256", "sha256"), ("SHA1", "sha1"), ("MD5Sum", "md5")):
        for line in fields.get(field, "").splitlines():
            if line.strip():
                digest, size, name = line.split()
                found.setdefault(name, _Said(int(size), algorithm, digest))
    return found


def _plain(name: str) -> str:
    return next(name.removesuffix(form) for form in _FORMS if name.endswith(form))


def _indexes_of_packages(listed: Mapping[str, _Said]) -> list[str]:
    names = dict.fromkeys(map(_plain, listed))
    return [name for name in names if name.rpartition("/")[2] == "Packages"]


def _stanzas(text: bytes) -> Iterator[dict[str, str]]:
    return (_fields(stanza) for stanza in text.split(b"\n\n") if stanza.strip())


def _packages_of(text: bytes) -> dict[str, _Said]:
    found = {}
    for stanza in _stanzas(text):
        spelling, algorithm = next(one for one in _DIGESTS if one[0] in stanza)
        found[stanza["Filename"]] = _Said(int(stanza["Size"]), algorithm, stanza[spelling].lower())
    return found


def _by_hash(path: str, said: _Said) -> str:
    return f"{path.rpartition('/')[0]}/by-hash/{said.algorithm.upper()}/{said.digest}"


def _read_index(read: Read, directory: str, name: str, fields: Mapping[str, str], wrong: list[str]) -> bytes:
    """A Packages file as apt brings it in: the first form that is there, by-hash where Release says so."""
    listed = _listed(fields)
    for form in (f"{name}{suffix}" for suffix in _FORMS if f"{name}{suffix}" in listed):
        path, said = directory + form, listed[form]
        if fields.get("Acquire-By-Hash") == "yes":
            path = _by_hash(path, said)
        if _is_there(read, path):
            return _unpacked(form, _judge(read, path, said, wrong))
    wrong.append(f"{directory}{name} is not there in any form")
    return b""


def _named_by_indexes(read: Read, repository: str, wrong: list[str]) -> dict[str, _Said]:
    directory, found = _directory(repository), dict[str, _Said]()
    fields = _fields(_release(read, directory))
    for name in _indexes_of_packages(_listed(fields)):
        found |= _packages_of(_read_index(read, directory, name, fields, wrong))
    return found


def _visit_deb(read: Read, repository: str, wrong: list[str]) -> None:
    try:
        named = _named_by_indexes(read, repository, wrong)
    except OSError as error:
        wrong.append(f"the entry file cannot be had: {error}")
        return
    for path, said in named.items():
        _judge(read, path, said, wrong)


def _walk_deb(read: Read, tree: Path, repository: str, certificates: bytes, wrong: list[str]) -> None:
    directory = _directory(repository)
    _visit_deb(read, repository, wrong)
    entries = {
        name: read(directory + name)
        for name in ("InRelease", "Release", "Release.gpg")
        if _is_there(read, directory + name)
    }
    if {"InRelease", "Release"} <= entries.keys():
        texts = {_clear_text(entries["InRelease"]).rstrip(), entries["Release"].rstrip()}
        wrong += ["InRelease and Release disagree"] if len(texts) > 1 else []
    if certificates and "InRelease" in entries:
        _verify(certificates, {"InRelease": entries["InRelease"]}, wrong)
    if certificates and "Release.gpg" in entries:
        _verify(certificates, {name: entries[name] for name in ("Release.gpg", "Release")}, wrong)
    if certificates and not {"InRelease", "Release.gpg"} & entries.keys():
        wrong.append("it is not signed")
    _walk_indexes(read, tree, directory, _fields(_release(read, directory)), wrong)


def _walk_indexes(
    read: Read, tree: Path, directory: str, fields: Mapping[str, str], wrong: list[str]
) -> None:
    listed = _listed(fields)
    there = [name for name in listed if _is_there(read, directory + name)]
    wrong += [
        f"{name} is listed and not there" for name in {_plain(n) for n in listed} - {_plain(n) for n in there}
    ]
    for name in there:
        said = listed[name]
        data = _judge(read, directory + name, said, wrong)
        if fields.get("Acquire-By-Hash") == "yes":
            _judge(read, _by_hash(directory + name, said), said, wrong)
        plain = listed.get(_plain(name))
        if plain and hashlib.new(plain.algorithm, _unpacked(name, data)).hexdigest() != plain.digest:
            wrong.append(f"{name} is not {_plain(name)} when it is unpacked")
    for path in (tree / directory).rglob("by-hash/*/*"):
        algorithm = {"MD5Sum": "md5"}.get(path.parent.name, path.parent.name.lower())
        if hashlib.new(algorithm, path.read_bytes()).hexdigest() != path.name:
            wrong.append(f"{path.relative_to(tree)} is not what its name says")


# rpm ----------------------------------------------------------------------------------------------------------


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _child(element: ET.Element, name: str) -> ET.Element | None:
    return next((child for child in element if _local(child) == name), None)


def _attribute(element: ET.Element, child: str, name: str) -> str:
    found = _child(element, child)
    return "" if found is None else found.get(name, "")


def _checksum(element: ET.Element, child: str, size: str) -> _Said | None:
    checksum = _child(element, child)
    if checksum is None:
        return None
    algorithm = checksum.get("type", "")
    return _Said(
        int(size) if size else None, "sha1" if algorithm == "sha" else algorithm, checksum.text or ""
    )


def _records(read: Read, base: str) -> Iterator[tuple[str, str, _Said, _Said | None]]:
    """Type, path, what is said of the file, and of it unpacked."""
    for data in ET.fromstring(read(f"{base}repodata/repomd.xml")):
        if _local(data) != "data":
            continue
        sizes = [_child(data, name) for name in ("size", "open-size")]
        size, open_size = ["" if found is None else found.text or "" for found in sizes]
        said = _checksum(data, "checksum", size)
        assert said is not None
        path = base + _attribute(data, "location", "href")
        yield data.get("type", ""), path, said, _checksum(data, "open-checksum", open_size)


def _base(repository: str) -> str:
    return "" if repository == "." else f"{repository}/"


def _packages_in(read: Read, base: str, wrong: list[str]) -> tuple[dict[str, _Said], list[str], int]:
    """By path; the digests in their order; and how many the head of primary says."""
    _, path, said, _ = next(record for record in _records(read, base) if record[0] == "primary")
    data = _unpacked(path, _judge(read, path, said, wrong))
    if not data:
        return {}, [], 0
    root, found, digests = ET.fromstring(data), dict[str, _Said](), []
    for package in root:
        said_of_it = _checksum(package, "checksum", _attribute(package, "size", "package"))
        assert said_of_it is not None
        found[base + _attribute(package, "location", "href")] = said_of_it
        digests.append(said_of_it.digest)
    return found, digests, int(root.get("packages", "-1"))


def _named_by_primary(read: Read, repository: str, wrong: list[str]) -> dict[str, _Said]:
    return _packages_in(read, _base(repository), wrong)[0]


def _visit_rpm(read: Read, repository: str, wrong: list[str]) -> None:
    try:
        named = _named_by_primary(read, repository, wrong)
    except OSError as error:
        wrong.append(f"the entry file cannot be had: {error}")
        return
    for path, said in named.items():
        _judge(read, path, said, wrong)


def _walk_rpm(read: Read, repository: str, certificates: bytes, wrong: list[str]) -> None:
    base = _base(repository)
    _visit_rpm(read, repository, wrong)
    entry = f"{base}repodata/repomd.xml"
    if certificates and not _is_there(read, f"{entry}.asc"):
        wrong.append("it is not signed")
    elif certificates:
        _verify(certificates, {"repomd.xml.asc": read(f"{entry}.asc"), "repomd.xml": read(entry)}, wrong)
    _, digests, count = _packages_in(read, base, wrong)
    if count != len(digests):
        wrong.append(f"primary says it lists {count} packages and lists {len(digests)}")
    for kind, path, said, unpacked in _records(read, base):
        data = _judge(read, path, said, wrong)
        plain = _unpacked(path, data)
        if unpacked and hashlib.new(unpacked.algorithm, plain).hexdigest() != unpacked.digest:
            wrong.append(f"{path} is not, unpacked, what repomd.xml says")
        if kind in ("filelists", "other"):
            _compare_lists(path, plain, digests, wrong)


def _compare_lists(path: str, data: bytes, digests: Sequence[str], wrong: list[str]) -> None:
    if [package.get("pkgid", "") for package in ET.fromstring(data)] != list(digests):
        wrong.append(f"{path} does not list the packages of primary")
