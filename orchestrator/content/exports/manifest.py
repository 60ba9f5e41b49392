# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest: what an export holds, as a value; its canonical JSON, and the reading of anybody's. Pure.

A manifest is read when its major version is ours: unknown keys are those of a later minor version and mean
nothing to us, missing ones those of an earlier and have their defaults. No row or key of any database is in it.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from orchestrator.content.exports.manifest_checks import check
from orchestrator.content.exports.manifest_model import (
    MAJOR,
    MINOR,
    Base,
    ChunkEntry,
    EnvironmentEntry,
    ExportFormat,
    KeyEntry,
    Manifest,
    ProductEntry,
    RepositoryEntry,
    Subject,
    SubjectKind,
    VersionEntry,
)
from orchestrator.content.exports.manifest_reading import read_value
from orchestrator.content.exports.pieces import (
    Piece,
    index_bytes,
    index_place,
    inventory_place,
    read_index,
)
from orchestrator.errors import BadContent, OrchestratorError, Refused

FORMAT = "orchestrator-export"
MANIFEST, SIGNATURE, README, SUMS = "manifest.json", "manifest.sig", "README.txt", "SHA256SUMS"


def with_id(manifest: Manifest) -> Manifest:
    """With the id that its content gives it."""
    return replace(manifest, id=_id_of({"format_name": FORMAT, **asdict(manifest)}))


def _id_of(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical({**document, "id": ""})).hexdigest()[:32]


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def to_bytes(manifest: Manifest) -> bytes:
    """Canonical: sorted keys, no spaces, ASCII, one newline at the end."""
    return _canonical({"format_name": FORMAT, **asdict(manifest)})


def from_bytes(data: bytes, name: str) -> Manifest:
    """Raises BadContent, naming `name`, for what is no manifest, not canonical or contradicts itself, and Refused
    for one of another major version."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise BadContent(f"{name} is no manifest: not JSON") from None
    if not isinstance(document, dict) or document.get("format_name") != FORMAT:
        raise BadContent(f"{name} is not the manifest of an export")
    _check_version(document.get("version"), name)
    if _canonical(document) != data:
        raise BadContent(f"{name} is not written as manifests are: keys twice, or another order or spelling")
    try:
        manifest: Manifest = read_value(Manifest, document, "the manifest")
        check(manifest)
    except (ValueError, OrchestratorError) as error:
        raise BadContent(f"{name} is no whole manifest: {error}") from None
    if manifest.id != _id_of(document):
        raise BadContent(f"{name} was changed: its id is not that of its content")
    return manifest


def _check_version(version: object, name: str) -> None:
    found = re.fullmatch(r"([0-9]{1,6})\.([0-9]{1,6})", version) if isinstance(version, str) else None
    if not found:
        raise BadContent(f"{name} does not say of which version it is")
    if int(found[1]) != MAJOR:
        raise Refused(
            f"{name} is of version {version}, and this program reads {MAJOR}.x",
            hint="export it anew with a version of the program that writes that, or import it with a newer one",
        )


__all__ = [
    "FORMAT",
    "MAJOR",
    "MANIFEST",
    "MINOR",
    "README",
    "SIGNATURE",
    "SUMS",
    "Base",
    "ChunkEntry",
    "EnvironmentEntry",
    "ExportFormat",
    "KeyEntry",
    "Manifest",
    "Piece",
    "ProductEntry",
    "RepositoryEntry",
    "Subject",
    "SubjectKind",
    "VersionEntry",
    "from_bytes",
    "index_bytes",
    "index_place",
    "inventory_place",
    "read_index",
    "to_bytes",
    "with_id",
]
