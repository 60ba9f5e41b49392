# SPDX-License-Identifier: GPL-3.0-or-later
"""primary.xml: one element a package. What createrepo writes is read by one regular expression, twice as fast as
by any parser; an element that looks otherwise is read as a tree."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple
from xml.etree import ElementTree as ET

from orchestrator.content.formats.rpm import markup
from orchestrator.content.formats.rpm.repomd import DIGEST_LENGTHS
from orchestrator.content.model import Digest, FileRef, Package, safe_path
from orchestrator.errors import BadContent

SOURCE_ARCHITECTURES = ("src", "nosrc")

_TEXTS = rb"(?:\s*<rpm:(?:license|vendor|buildhost)(?:/>|>[^<]*</rpm:\w+>))*"
_USUAL = re.compile(
    rb'\s*<package type="rpm">\s*<name>([^<&\s/]+)</name>\s*<arch>(\w+)</arch>\s*'
    rb'<version epoch="(0|[1-9]\d{0,8})" ver="([^"&\s-]+)" rel="([^"&\s-]+)"/>\s*'
    rb'<checksum type="(md5|sha|sha1|sha224|sha256|sha384|sha512)" pkgid="YES">([0-9a-f]+)</checksum>'
    rb"(?:\s*<(?:summary|description|packager|url)(?:/>|>[^<]*</\w+>))*\s*"
    rb'<time file="\d*" build="(\d{1,18})"/>\s*<size package="(\d{1,18})"[^<>]*/>\s*'
    rb'<location href="([^"&<\\]+\.rpm)"/>\s*<format>'
    + _TEXTS
    + rb"(?:\s*<rpm:group>([^<&]*)</rpm:group>|\s*<rpm:group/>)?"
    + _TEXTS
    + rb"(?:\s*<rpm:sourcerpm>([^<&]*)</rpm:sourcerpm>|\s*<rpm:sourcerpm/>)?"
)
_PKGID = re.compile(rb'pkgid="YES">([0-9a-f]+)</checksum>')
# libsolv reads boolean relations by recursion: one of tens of thousands of parentheses ends the process.
_LONG = 4000
_ENDLESS = re.compile(rb"""name=["']\([^"']{%d}""" % _LONG)
_NAME = re.compile(r"[^\s/]+")
_NUMBER, _HEX = re.compile("[0-9]{1,18}"), re.compile("[0-9a-f]+")
_HREF = 9  # of the fields below
_ALGORITHMS = {"sha": "sha1"}
_VERSION = re.compile(r"[^\s-]+")


class Entry(NamedTuple):
    """A package, when it was built (seconds since the epoch), the digest that the other lists know it by, and
    its element as the upstream wrote it, as `markup.fragments` gives it."""

    package: Package
    built: int
    pkgid: str
    text: bytes


def entries(
    pieces: Iterable[bytes], name: str, source: str, repository: str, only: Collection[str] | None = None
) -> Iterator[Entry]:
    """Every package of a primary.xml, in its order; at least those whose pkgid is one of `only`.

    Raises BadContent, naming `name` and the package: what no client could use, and what leads elsewhere.
    """
    prefix = "" if repository == "." else f"{repository}/"
    seen: dict[str, str] = {}  # architectures, groups and digest algorithms: a handful, kept once
    known = seen.setdefault
    new = tuple.__new__  # a named tuple's own takes three times as long
    for text in markup.fragments(pieces, "package", name):
        if only is not None and (found := _PKGID.search(text)) and found[1].decode() not in only:
            continue
        if len(text) > _LONG and _ENDLESS.search(text):
            raise BadContent(f"{name}: a boolean relation of more than {_LONG} characters is refused")
        fields = _usual(text) or _unusual(text, name)
        title, arch, epoch, version, release, algorithm, pkgid, built, size, path, group, sourcerpm = fields
        algorithm = _ALGORITHMS.get(algorithm, algorithm)
        if len(pkgid) != DIGEST_LENGTHS.get(algorithm):
            raise BadContent(f"{name}: {title} ({path}): {pkgid!r} cannot be a {algorithm or 'digest'}")
        evr = f"{version}-{release}" if epoch == "0" else f"{epoch}:{version}-{release}"
        origin = sourcerpm.rsplit("-", 2)[0]
        digest = new(Digest, (known(algorithm, algorithm), pkgid))
        file = new(FileRef, (prefix + path, int(size) if size else None, digest))
        package = new(
            Package,
            (
                title,
                evr,
                known(arch, arch),
                file,
                source,
                repository,
                repository,
                known(group, group),
                title if origin == title else origin,
            ),
        )
        yield new(Entry, (package, int(built), pkgid, text))


def _usual(text: bytes) -> Sequence[str] | None:
    """Name, architecture, epoch, version, release, algorithm and value of the digest, build time, size, path,
    group, source package; None where the element is not as createrepo writes it."""
    match = _USUAL.match(text)
    if match is None:
        return None
    fields = b"\0".join(match.groups(b"")).decode().split("\0")
    href = fields[_HREF]
    # No part of the path begins with a dot: it leads nowhere else.
    return None if href[0] in "./" or "/." in href or "//" in href or not href.isprintable() else fields


def _unusual(text: bytes, name: str) -> Sequence[str]:
    """The same of an element in any other order or dress, with all that can be wrong with it."""
    root = markup.parse_fragment(text, "package", name)
    children = {markup.local(child.tag): child for child in root}
    inner = {markup.local(child.tag): child for child in children.get("format", ())}
    version, location = _attributes(children, "version"), _attributes(children, "location")
    fields = (
        _text(children, "name"),
        _text(children, "arch"),
        version.get("epoch", "").lstrip("0") or "0",
        version.get("ver", ""),
        version.get("rel", ""),
        _attributes(children, "checksum").get("type", "").lower(),
        _text(children, "checksum").lower(),
        _attributes(children, "time").get("build", "").strip() or "0",
        _attributes(children, "size").get("package", "").strip(),
        location.get("href", ""),
        _text(inner, "group"),
        _text(inner, "sourcerpm"),
    )
    wrong = _wrong(fields) or ("it is no rpm" if root.get("type", "rpm") != "rpm" else "")
    if any(markup.local(key) == "base" for key in location):
        wrong = "it lies at another base address, which is not followed"
    if wrong:
        raise BadContent(f"{name}: {fields[0] or 'a package without a name'} ({fields[_HREF]}): {wrong}")
    return (*fields[:_HREF], safe_path(fields[_HREF]), *fields[10:])


def _text(children: dict[str, ET.Element], tag: str) -> str:
    return (children[tag].text or "").strip() if tag in children else ""


def _attributes(children: dict[str, ET.Element], tag: str) -> dict[str, str]:
    return children[tag].attrib if tag in children else {}


def _wrong(fields: Sequence[str]) -> str:
    """Why this can be no package of a mirror, or nothing."""
    name, arch, epoch, version, release, _, pkgid, built, size, href = fields[:10]
    if not (_NAME.fullmatch(name) and _NAME.fullmatch(arch)):
        return "its name or architecture cannot be one"
    if not (_NUMBER.fullmatch(epoch) and _VERSION.fullmatch(version) and _VERSION.fullmatch(release)):
        return f"{epoch}:{version}-{release} cannot be its version"
    if not (_NUMBER.fullmatch(built) and _NUMBER.fullmatch(size or "0")):
        return "its size or time cannot be one"
    if not _HEX.fullmatch(pkgid):
        return f"{pkgid!r} is no digest"
    try:
        safe_path(href)
    except ValueError as error:
        return str(error)
    return "" if href.endswith(".rpm") else "its file is no .rpm"
