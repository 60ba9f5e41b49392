# SPDX-License-Identifier: GPL-3.0-or-later
"""Request files: the objects of an export that its receiver has not got, for the sender to send once more. Pure.

{"format_name": "orchestrator-request", "version": "1.0", "export": id, "organization": ..., "objects":
 [[sha256, size], ...]} and, when it is sealed, "key" and "signature"
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.content.catalog.model import check_label
from orchestrator.content.sealing import seal, unseal
from orchestrator.content.signing import SigningKey
from orchestrator.errors import BadContent, Invalid

FORMAT, VERSION = "orchestrator-request", "1.0"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class MissingObjects:
    """What is missing of the export with the id `export`: sizes by SHA-256."""

    export: str
    organization: str
    objects: Mapping[str, int]


def to_file(missing: MissingObjects, key: SigningKey | None = None) -> bytes:
    document = {
        "format_name": FORMAT,
        "version": VERSION,
        "export": missing.export,
        "organization": missing.organization,
        "objects": [[sha256, size] for sha256, size in sorted(missing.objects.items())],
    }
    return seal(document, key)


def from_file(data: bytes, name: str) -> MissingObjects:
    """Raises BadContent, naming `name`, for what is no request, empty, or was changed after it was sealed, and
    Refused for one of another major version."""
    hint = "a receiver makes one: orchestrator import run PATH... --request-file FILE"
    document = unseal(data, name, FORMAT, must=False, hint=hint)
    try:
        objects = dict(_object(*each) for each in document["objects"])
        organization = check_label(document["organization"], "an organization")
        missing = MissingObjects(_export(document["export"]), organization, objects)
    except (KeyError, TypeError, ValueError, Invalid) as error:
        raise BadContent(f"{name} is no whole request: {error}") from None
    if not objects:
        raise BadContent(f"{name} asks for nothing")
    return missing


def _export(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError("it is of no export")
    return text


def _object(sha256: Any, size: Any) -> tuple[str, int]:
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256) or type(size) is not int or size < 0:
        raise ValueError("an object is none")
    return sha256, size
