# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of mirrors: plain ones, a line each, and metalinks, which also say what the entry file must be. Pure.

A plain list is yum's and apt's (sources.list(5), "mirror+http"): an address a line, `#` begins a comment, apt
lets `priority:N` follow (the lowest is asked first). A metalink is XML: RFC 5854, or the dialect of version 3
that Fedora's MirrorManager writes, with the digests of former versions of the file beside the current ones.

Addresses that cannot be used are passed over: other protocols than HTTP(S), variables that a client of
the list was to fill in, a user or password.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from orchestrator.content.model import DIGEST_ALGORITHMS, Digest
from orchestrator.content.transfer.addresses import shown
from orchestrator.errors import BadContent

REPOMD = "repodata/repomd.xml"
# No mirrorlist that is in use comes near it.
LIMIT = 1 << 20
_DEEP, _MANY = 16, 50_000
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f\\]")
_HEX_LENGTHS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
_LAST = 1 << 30


class _Candidate(NamedTuple):
    rank: int
    url: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the file that a metalink is about: the strongest digest that is given, bytes, seconds."""

    digest: Digest
    size: int | None = None
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class Metalink:
    """`urls` are addresses of the file itself, the best first; `versions` the current one, then former ones."""

    urls: tuple[str, ...]
    versions: tuple[Version, ...]


def parse_mirrorlist(data: bytes, name: str) -> tuple[str, ...]:
    """The addresses in the list, each with a slash at its end, in the order to try them.

    Raises BadContent, naming `name`, when it holds no usable one.
    """
    candidates, refusals = [], []
    for line in data.decode("utf-8", "replace").splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        rank, restricted = 0, False
        for word in words[1:]:
            key, _, value = word.partition(":")
            if key == "priority" and value.isascii() and value.isdigit():
                rank = int(value)
            else:
                restricted = True
        why = "is for some files only" if restricted else refusal(words[0])
        if why:
            refusals.append(f"{shown(words[0])[:200]} {why}")
        else:
            candidates.append(_Candidate(rank, words[0].rstrip("/") + "/"))
    return _ordered(candidates, refusals, name, "mirrorlist")


def parse_metalink(data: bytes, name: str, file: str = "repomd.xml") -> Metalink:
    """What the metalink says of `file`. Raises BadContent, naming `name`."""
    elements = [element for element in _elements(data, name) if element.kind == "file"]
    found = next((element for element in elements if element.attributes.get("name", "") == file), None)
    if found is None:
        names = ", ".join(repr(element.attributes.get("name", ""))[:60] for element in elements[:3]) or "none"
        raise BadContent(f"the metalink {name} is about other files than {file}: {names}")
    versions = [version for version in (_version(found), *_alternates(found)) if version]
    if not versions:
        raise BadContent(f"the metalink {name} gives no digest of {file}")
    candidates, refusals = [], []
    for element in found.all("url"):
        url = element.text.strip()
        if why := refusal(url):
            refusals.append(f"{shown(url)[:200]} {why}")
        else:
            candidates.append(_Candidate(_rank(element), url))
    return Metalink(_ordered(candidates, refusals, name, "metalink"), tuple(versions))


def without_entry(url: str) -> str:
    """The address of the repository whose repomd.xml is at `url`; empty when it is not at its place."""
    return url.removesuffix(REPOMD) if url.endswith("/" + REPOMD) else ""


def refusal(url: str) -> str:
    """Why an address of a list is not used; empty when it is."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is no address"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "is not for HTTP"
    if parts.username is not None or parts.password is not None:
        return "holds a user or password"
    if "$" in url:
        return "holds a variable"
    if _UNPRINTABLE.search(url) or parts.query or parts.fragment:
        return "cannot have a path added"
    return ""


def _ordered(
    candidates: Iterable[_Candidate], refusals: Sequence[str], name: str, kind: str
) -> tuple[str, ...]:
    urls = tuple(dict.fromkeys(one.url for one in sorted(candidates, key=lambda one: one.rank)))
    if not urls:
        why = f": {'; '.join(refusals[:3])}" if refusals else ""
        raise BadContent(f"the {kind} {name} names no usable address{why}")
    return urls


# XML ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Element:
    """`kind` is the name without its namespace."""

    kind: str
    attributes: dict[str, str]
    children: list["_Element"] = field(default_factory=list)
    text: str = ""

    def walk(self) -> Iterator["_Element"]:
        yield self
        for child in self.children:
            yield from child.walk()

    def all(self, kind: str) -> Iterator["_Element"]:
        """At any depth, but not inside of alternates."""
        for child in self.children:
            if child.kind == kind:
                yield child
            elif child.kind != "alternates":
                yield from child.all(kind)


def _elements(data: bytes, name: str) -> Iterator[_Element]:
    """All elements of the document. Its own entities would make a bomb of it: a document type is refused."""
    from xml.parsers.expat import ExpatError, ParserCreate

    top = _Element("", {})
    open_elements = [top]
    count = 0

    def start(kind: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(open_elements) > _DEEP or count > _MANY:
            raise BadContent(f"{name} has too many elements, or too deep ones, for a metalink")
        element = _Element(kind.rpartition(" ")[2], attributes)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_: str) -> None:
        open_elements.pop()

    def characters(text: str) -> None:
        open_elements[-1].text += text

    def document_type(*_: Any) -> None:
        raise BadContent(f"{name} declares a document type, which no metalink has")

    parser = ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = characters, document_type
    try:
        parser.Parse(data, True)
    except (ExpatError, ValueError, LookupError) as error:
        raise BadContent(f"{name} is no metalink: {error}") from None
    return top.walk()


def _version(element: _Element) -> Version | None:
    """Of a `file`, or of one of its `alternate`s; None without a digest that can be checked."""
    digests: dict[str, str] = {}
    for found in element.all("hash"):
        algorithm = found.attributes.get("type", "").lower().replace("-", "")
        value = found.text.strip().lower()
        if len(value) == _HEX_LENGTHS.get(algorithm) and re.fullmatch("[0-9a-f]+", value):
            digests.setdefault(algorithm, value)
    strongest = next((algorithm for algorithm in DIGEST_ALGORITHMS if algorithm in digests), None)
    if strongest is None:
        return None
    return Version(
        Digest(strongest, digests[strongest]), _number(element, "size"), _number(element, "timestamp")
    )


def _alternates(element: _Element) -> list[Version]:
    """Former versions, the newest first."""
    found = [
        _version(one)
        for kind in element.children
        if kind.kind == "alternates"
        for one in kind.all("alternate")
    ]
    return sorted((version for version in found if version), key=lambda version: -(version.timestamp or 0))


def _number(element: _Element, kind: str) -> int | None:
    for found in element.all(kind):
        text = found.text.strip()
        if text.isascii() and text.isdigit() and len(text) < 16:
            return int(text)
    return None


def _rank(element: _Element) -> int:
    """The lower the better: RFC 5854's priority is so (1 to 999999), version 3's preference the other way (100 to 1)."""
    for key, sign in (("priority", 1), ("preference", -1)):
        text = element.attributes.get(key, "")
        if text.isascii() and text.isdigit() and len(text) < 9:
            return sign * int(text)
    return _LAST
