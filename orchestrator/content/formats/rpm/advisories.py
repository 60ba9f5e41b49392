# SPDX-License-Identifier: GPL-3.0-or-later
"""updateinfo.xml: of the advisories those that concern a kept package, with just the kept ones in their lists."""

import re
from collections.abc import Collection, Iterable, Iterator

from orchestrator.content.formats.rpm import markup
from orchestrator.content.model import Package

_PACKAGE = re.compile(rb"<package\b([^>]*?)(?:/>|>.*?</package>)\s*", re.DOTALL)
_ATTRIBUTE = re.compile(r"""(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")

# Name, epoch, version, release, architecture.
Nevra = tuple[str, str, str, str, str]


def nevra(package: Package) -> Nevra:
    epoch, _, rest = package.version.rpartition(":")
    version, _, release = rest.partition("-")
    return package.name, epoch or "0", version, release, package.architecture


def filtered(pieces: Iterable[bytes], name: str, kept: Collection[Nevra]) -> Iterator[bytes]:
    """The elements of an updateinfo.xml that concern `kept`, each with its end."""
    for text in markup.fragments(pieces, "update", name):
        left = 0

        def of_kept(match: "re.Match[bytes]") -> bytes:
            nonlocal left
            if _nevra_of(match[1]) not in kept:
                return b""
            left += 1
            return match[0]

        shorter = _PACKAGE.sub(of_kept, text)
        if left:
            yield shorter.lstrip() + b"</update>\n"


def _nevra_of(attributes: bytes) -> Nevra:
    found = {m[1]: m[2] or m[3] or "" for m in _ATTRIBUTE.finditer(attributes.decode(errors="replace"))}
    return (
        found.get("name", ""),
        found.get("epoch", "") or "0",
        found.get("version", ""),
        found.get("release", ""),
        found.get("arch", ""),
    )
