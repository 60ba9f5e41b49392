# SPDX-License-Identifier: GPL-3.0-or-later
"""repomd.xml: the list of a repository's records (metadata files), which everything else hangs on."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from orchestrator.content.formats.rpm import markup
from orchestrator.content.model import Digest, safe_path
from orchestrator.errors import BadContent

ENTRY = "repodata/repomd.xml"
# Beside the entry file, not named by it: its signature, and the key some upstreams put there.
BESIDE = (f"{ENTRY}.asc", f"{ENTRY}.key")
# Bytes of the largest entry file that is read.
LIMIT = 16 << 20

_NAMESPACE = "http://linux.duke.edu/metadata/repo"
_RPM_NAMESPACE = "http://linux.duke.edu/metadata/rpm"
_TYPE = re.compile(r"[\w.+-]{1,64}", re.ASCII)
_NUMBER = re.compile(r"\d{1,18}(?:\.\d{1,18})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Record:
    """One metadata file. `href` relative to the repository; `open_*` are of what it is when decompressed."""

    type: str
    href: str
    size: int | None
    digest: Digest
    open_size: int | None = None
    open_digest: Digest | None = None
    timestamp: float | None = None


@dataclass(frozen=True, slots=True)
class Repomd:
    """`tags` is the element of that name as it stood, or empty."""

    revision: str
    records: tuple[Record, ...]
    tags: str = ""

    @property
    def date(self) -> float | None:
        """The newest timestamp of the records, else the revision where it is a number."""
        times = [record.timestamp for record in self.records if record.timestamp is not None]
        if not times and _NUMBER.fullmatch(self.revision):
            times = [float(self.revision)]
        return max(times, default=None)

    def record(self, type_: str) -> Record | None:
        return next((record for record in self.records if record.type == type_), None)


def parse(data: bytes, name: str) -> Repomd:
    """Raises BadContent, naming `name`: not a repomd.xml, hostile or double records, no primary."""
    root = markup.parse(data, name)
    if markup.local(root.tag) != "repomd":
        raise BadContent(f"{name} is no repomd.xml: its outermost element is <{markup.local(root.tag)}>")
    revision, tags = "", ""
    records: dict[str, Record] = {}
    for element in root:
        kind = markup.local(element.tag)
        if kind == "revision":
            revision = (element.text or "").strip()
        elif kind == "tags":
            tags = _tags(element)
        elif kind == "data":
            record = _record(element, name)
            if record.type in records:
                raise BadContent(f"{name} names {record.type} twice")
            records[record.type] = record
    if "primary" not in records:
        raise BadContent(f"{name} names no primary: it is no list of packages")
    return Repomd(revision, tuple(records.values()), tags)


def _record(element: ET.Element, name: str) -> Record:
    type_ = element.get("type", "")
    if not _TYPE.fullmatch(type_):
        raise BadContent(f"{name} has a record of the impossible type {type_!r}")
    fields = {markup.local(child.tag): child for child in element}
    location = fields.get("location")
    href = location.get("href", "") if location is not None else ""
    try:
        path = safe_path(href)
    except ValueError as error:
        raise BadContent(f"{name}: {type_}: {error}") from None
    if location is not None and any(markup.local(key) == "base" for key in location.attrib):
        raise BadContent(f"{name}: {type_} lies at another base address, which is not followed")
    if path in (ENTRY, *BESIDE) or path.endswith(".rpm"):
        raise BadContent(f"{name}: {type_} cannot lie at {path}")
    digest = _digest(fields.get("checksum"), f"{name}: {type_}")
    if digest is None:
        raise BadContent(f"{name}: {type_} has no digest")
    return Record(
        type_,
        path,
        _size(fields.get("size")),
        digest,
        _size(fields.get("open-size")),
        _digest(fields.get("open-checksum"), f"{name}: {type_}"),
        _time(fields.get("timestamp")),
    )


def _as_digest(algorithm: str, value: str) -> Digest | None:
    """A digest as rpm-md writes it ("sha" is SHA-1); None for an unknown algorithm or what cannot be its value."""
    algorithm = {"sha": "sha1"}.get(algorithm.lower(), algorithm.lower())
    value = value.strip().lower()
    if len(value) != DIGEST_LENGTHS.get(algorithm) or not re.fullmatch("[0-9a-f]+", value):
        return None
    return Digest(algorithm, value)


DIGEST_LENGTHS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}


def _digest(element: ET.Element | None, where: str) -> Digest | None:
    if element is None:
        return None
    found = _as_digest(element.get("type", ""), element.text or "")
    if found is None:
        raise BadContent(f"{where} has a digest that cannot be one: {element.get('type')} {element.text!r}")
    return found


def _size(element: ET.Element | None) -> int | None:
    text = (element.text or "").strip() if element is not None else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _time(element: ET.Element | None) -> float | None:
    text = (element.text or "").strip() if element is not None else ""
    return float(text) if _NUMBER.fullmatch(text) else None


def _tags(element: ET.Element) -> str:
    lines = []
    for child in element:
        cpe = child.get("cpeid")
        attribute = f' cpeid="{markup.attribute(cpe)}"' if cpe else ""
        kind = markup.local(child.tag)
        if kind in ("content", "repo", "distro"):
            lines.append(f"    <{kind}{attribute}>{markup.escape(child.text or '')}</{kind}>\n")
    return f"  <tags>\n{''.join(lines)}  </tags>\n" if lines else ""


def write(revision: str, records: Iterable[Record], tags: str = "") -> bytes:
    """The text of a repomd.xml."""
    body = "".join(_written(record) for record in records)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<repomd xmlns="{_NAMESPACE}" xmlns:rpm="{_RPM_NAMESPACE}">\n'
        f"  <revision>{markup.escape(revision)}</revision>\n{tags}{body}</repomd>\n"
    ).encode()


def _written(record: Record) -> str:
    lines = [
        f'  <data type="{markup.attribute(record.type)}">',
        f"    {_checksum('checksum', record.digest)}",
    ]
    if record.open_digest is not None:
        lines.append(f"    {_checksum('open-checksum', record.open_digest)}")
    lines.append(f'    <location href="{markup.attribute(record.href)}"/>')
    lines.append(f"    <timestamp>{int(record.timestamp or 0)}</timestamp>")
    if record.size is not None:
        lines.append(f"    <size>{record.size}</size>")
    if record.open_size is not None:
        lines.append(f"    <open-size>{record.open_size}</open-size>")
    return "\n".join([*lines, "  </data>\n"])


def _checksum(tag: str, value: Digest) -> str:
    return f'<{tag} type="{value.algorithm}">{value.value}</{tag}>'


def matches(data: bytes, expected: Digest) -> bool:
    return hashlib.new(expected.algorithm, data, usedforsecurity=False).hexdigest() == expected.value
