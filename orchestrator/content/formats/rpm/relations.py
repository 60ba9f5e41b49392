# SPDX-License-Identifier: GPL-3.0-or-later
"""The relations of one package as its element in primary.xml writes them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from orchestrator.content.formats.rpm import markup
from orchestrator.content.formats.rpm.versions import Relation

_WORD = re.compile(r"[^\s()]+(?:\([^\s()]*\))*")


@dataclass(frozen=True, slots=True)
class Written(Relation):
    """A relation of a package; a boolean one has its whole text for a name."""

    def concerns(self, wanted: Relation) -> bool:
        """Whether it can have to do with `wanted`: a boolean one when it names it."""
        if self.name.startswith("(") and self.name != wanted.name:
            return wanted.name in _WORD.findall(self.name)
        return self.meets(wanted)


def relations_of(root: ET.Element, kind: str) -> Iterator[Written]:
    """Those of one kind ("provides", "requires", ...); with the provided ones, the files that primary.xml names."""
    for element in root.iter():
        tag = markup.local(element.tag)
        if tag == kind:
            yield from (_written(entry) for entry in element)
        elif tag == "file" and kind == "provides":
            yield Written((element.text or "").strip())


def _written(entry: ET.Element) -> Written:
    name, flags = entry.get("name", ""), entry.get("flags", "")
    version = entry.get("ver", "")
    if flags not in ("EQ", "LT", "LE", "GE", "GT") or not version:
        return Written(name)
    if entry.get("rel"):
        version += f"-{entry.get('rel')}"
    if entry.get("epoch", "0").strip("0"):
        version = f"{entry.get('epoch')}:{version}"
    return Written(name, flags, version)
