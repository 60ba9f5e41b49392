# SPDX-License-Identifier: GPL-3.0-or-later
"""Stanzas of deb822 files over bytes: found, read, and never copied before they are asked for.

Files are handed around as one buffer (bytes, or a file mapped into memory); a stanza is its first and last
offset. Field names are taken as all archives write them; `fields` also accepts another case of known ones.
"""

import mmap
import re
from collections.abc import Iterator

Buffer = bytes | mmap.mmap
_FIELD = re.compile(r"\n([!-9;-~]+):[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)")
_KNOWN = {
    name.lower(): name
    for name in [
        "Package",
        "Source",
        "Version",
        "Architecture",
        "Maintainer",
        "Installed-Size",
        "Essential",
        "Protected",
        "Multi-Arch",
        "Depends",
        "Pre-Depends",
        "Recommends",
        "Suggests",
        "Enhances",
        "Breaks",
        "Conflicts",
        "Replaces",
        "Provides",
        "Description",
        "Section",
        "Priority",
        "Filename",
        "Size",
        "Directory",
        "Files",
        "Checksums-Sha256",
        "Binary",
        "Description-md5",
    ]
}


def normal(data: Buffer) -> Buffer:
    """`data` with Unix line ends."""
    if data.find(b"\r\n") < 0:
        return data
    return bytes(data).replace(b"\r\n", b"\n")


def stanzas(data: Buffer) -> Iterator[tuple[int, int]]:
    """First and last offset of every stanza, in order; the last does not count."""
    find, size, start = data.find, len(data), 0
    while start < size:
        end = find(b"\n\n", start)
        if end < 0:
            end = size
        if end > start + 1:
            yield start, end
        start = end + 2
        while data[start : start + 1] == b"\n":
            start += 1


def stanza_around(data: Buffer, offset: int) -> tuple[int, int]:
    """First and last offset of the stanza that `offset` is in."""
    start = data.rfind(b"\n\n", 0, offset)
    end = data.find(b"\n\n", offset)
    return (0 if start < 0 else start + 2), (len(data) if end < 0 else end)


def fields(stanza: bytes) -> dict[str, str]:
    """The fields of one stanza; folded ones with their line breaks, what is not UTF-8 replaced."""
    text = "\n" + stanza.decode("utf-8", "replace").strip("\n")
    return {
        name if name in _NAMES else _KNOWN.get(name.lower(), name): value.rstrip()
        for name, value in _FIELD.findall(text)
    }


_NAMES = frozenset(_KNOWN.values())
