# SPDX-License-Identifier: GPL-3.0-or-later
"""XML that strangers wrote: checked piece by piece, cut into the elements it is a list of.

The lists of a repository are too large to be held as trees, and most of their elements are only passed on.
So they are cut at lexical level: in well-formed XML a `<` stands nowhere but in markup, and nothing but
comments, CDATA sections and processing instructions can hold what looks like markup. The first two are taken
out, the last is refused, as is a document that declares entities, before any is expanded.
"""

import re
from collections.abc import Iterable, Iterator
from xml.etree import ElementTree as ET
from xml.parsers import expat
from xml.sax import saxutils

from orchestrator.errors import BadContent

# What can hold text that looks like markup; the leftmost one decides, as for every XML parser.
_OPAQUE = re.compile(rb"<!--.*?-->|<!\[CDATA\[(.*?)\]\]>|<!DOCTYPE[^>]*>", re.DOTALL)
_MARK = re.compile(rb"<!")
_BLANKS = 16


class _Check:
    """An expat parser that refuses what nobody needs; `root` is the outermost element's tag and attributes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.root: tuple[str, dict[str, str]] = "", {}
        # Always UTF-8, whatever the document says of itself: that is what clients take it for.
        self.parser = expat.ParserCreate("UTF-8")
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._outermost
        self.parser.ProcessingInstructionHandler = self._instruction

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        try:
            self.parser.Parse(piece, last)
        except expat.ExpatError as error:
            raise BadContent(f"{self.name} is not well-formed UTF-8 XML: {error}") from None

    def _outermost(self, tag: str, attributes: dict[str, str]) -> None:
        self.root = tag, attributes
        self.parser.StartElementHandler = None

    def _instruction(self, target: str, _: str) -> None:
        raise BadContent(f"{self.name} has instructions for {target} in it: it is refused")

    def _doctype(self, _: str, __: str | None, ___: str | None, internal: int) -> None:
        """comps.xml of many distributions names its DTD, which nobody reads; declarations inside are another
        matter."""
        if internal:
            raise BadContent(f"{self.name} declares entities of its own, which may be a bomb: it is refused")


def check(pieces: Iterable[bytes], name: str) -> tuple[str, dict[str, str]]:
    """The tag and attributes of the outermost element of a well-formed document in UTF-8.

    Raises BadContent, naming `name`: anything else, or entities of its own.
    """
    checking = _Check(name)
    for piece in pieces:
        checking.feed(piece)
    checking.feed(b"", last=True)
    return checking.root


def checked(pieces: Iterable[bytes], name: str) -> Iterator[bytes]:
    """`pieces`, as long as they are what `check` lets through."""
    checking = _Check(name)
    for piece in pieces:
        checking.feed(piece)
        yield piece
    checking.feed(b"", last=True)


def outermost(pieces: Iterable[bytes], name: str) -> tuple[str, dict[str, str]]:
    """The tag and attributes of the outermost element, from the first pieces; the rest is not looked at."""
    checking = _Check(name)
    for piece in pieces:
        checking.feed(piece)
        if checking.root[0]:
            break
    return checking.root


def parse(data: bytes, name: str) -> ET.Element:
    """A document, or an element of one, as a tree; tags with their prefixes, as they are written.

    Raises BadContent as `check` does.
    """
    checking, builder = _Check(name), ET.TreeBuilder()
    checking.parser.StartElementHandler = builder.start
    checking.parser.EndElementHandler = builder.end
    checking.parser.CharacterDataHandler = builder.data
    checking.parser.buffer_text = True
    checking.feed(data, last=True)
    return builder.close()


def local(tag: str) -> str:
    """A tag, or the name of an attribute, without its prefix."""
    return tag.rpartition(":")[2]


def fragments(pieces: Iterable[bytes], tag: str, name: str) -> Iterator[bytes]:
    """The text of every element `tag` without its end tag, perhaps with blanks before it, of a document that
    `check` lets through.

    The elements hold none of their own kind, and have attributes. Raises BadContent where one does not end.
    """
    start, end = b"<%s " % tag.encode(), b"</%s>" % tag.encode()
    rest = b""
    for piece in pieces:
        text, later = rest + piece, b""
        if _MARK.search(text):
            text = _OPAQUE.sub(_in_plain_text, text)
            unfinished = _MARK.search(text)
            if unfinished:  # it goes on in the next piece: so far, and no further
                text, later = text[: unfinished.start()], text[unfinished.start() :]
        *found, rest = text.split(end)
        rest += later
        for one in found:
            first = one.find(start)
            if first < 0 or one.find(start, first + 1) >= 0:
                raise BadContent(f"{name} cannot be read: a <{tag}> does not end as it begins")
            yield one[first:] if first > _BLANKS else one
    if start in rest:
        raise BadContent(f"{name} ends in the middle of a <{tag}>")


def parse_fragment(text: bytes, tag: str, name: str) -> ET.Element:
    """One of `fragments` as a tree."""
    return parse(text.lstrip() + f"</{tag}>".encode(), name)


def _in_plain_text(opaque: "re.Match[bytes]") -> bytes:
    """CDATA as ordinary text, everything else as nothing."""
    return saxutils.escape((opaque[1] or b"").decode(errors="replace")).encode()


def escape(text: str) -> str:
    """`text` as the content of an element."""
    return saxutils.escape(text)


def attribute(text: str) -> str:
    """`text` as the value of an attribute, between its quotes."""
    return saxutils.escape(text, {'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})
