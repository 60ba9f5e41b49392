# SPDX-License-Identifier: GPL-3.0-or-later
"""Small documents that servers send one another beside exports: canonical JSON that says its form and version,
sealed with the sender's key.

The seal shows that nobody changed it on the way, not who made it: the key is in the document itself. What is read
from one may make an export larger or smaller, never let anything in.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from orchestrator.content.signing import PublicKey, SigningKey
from orchestrator.errors import BadContent, Refused

_MAJOR = 1
_LARGEST = 256 << 20


def canonical(document: Mapping[str, Any]) -> bytes:
    """Sorted keys, no spaces, ASCII, one newline at the end."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def seal(document: Mapping[str, Any], key: SigningKey | None) -> bytes:
    """The document as a file; without a `key` it is not sealed."""
    if key is None:
        return canonical(document)
    sealed = {**document, "key": key.public.raw.hex()}
    return canonical({**sealed, "signature": key.sign(canonical(sealed)).hex()})


def unseal(data: bytes, name: str, form: str, *, must: bool, hint: str = "") -> Mapping[str, Any]:
    """The document, its seal intact; one without is taken unless it `must` have one. `hint` says what makes one.
    Raises BadContent, naming `name`, and Refused for one of another major version."""
    if len(data) > _LARGEST:
        raise BadContent(f"{name} is too large to be one")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise BadContent(f"{name} is no {form} document: not JSON", hint=hint) from None
    if not isinstance(document, dict) or document.get("format_name") != form:
        raise BadContent(f"{name} is no {form} document", hint=hint)
    found = re.fullmatch(r"(\d{1,6})\.\d{1,6}", str(document.get("version")))
    if not found:
        raise BadContent(f"{name} does not say of which version it is")
    if int(found[1]) != _MAJOR:
        raise Refused(f"{name} is of version {document['version']}, and this program reads {_MAJOR}.x")
    if "signature" in document or must:
        _check_seal(document, name)
    return document


def _check_seal(document: dict[str, Any], name: str) -> None:
    unsigned = {key: value for key, value in document.items() if key != "signature"}
    try:
        key, signature = PublicKey(bytes.fromhex(document["key"])), bytes.fromhex(document["signature"])
    except (KeyError, TypeError, ValueError):
        raise BadContent(f"{name} is not sealed") from None
    if not key.fits(signature, canonical(unsigned)):
        raise BadContent(f"{name} was changed after it was sealed")
