# SPDX-License-Identifier: GPL-3.0-or-later
"""Receipts: what a server says it holds after an import, for the next increment. Pure.

A receipt is a small sealed file that travels back; or just its digest, short enough to be read out and typed. An
export leads to the receipt of an import of it, so its sender knows the digest before the receiver does.

    {"format_name": "orchestrator-receipt", "version": "1.0", "organization": ..., "export": ..., "server": ...,
     "made": ..., "repositories": [["product/repository", inventory], ...], "versions": [["view", number], ...],
     "digest": "XXXXX-XXXXX-XXXXX-XXXXX", "key": ..., "signature": ...}
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from orchestrator.content.catalog.model import check_label, split_path
from orchestrator.content.exports.manifest import Manifest
from orchestrator.content.sealing import seal, unseal
from orchestrator.content.signing import SigningKey
from orchestrator.errors import BadContent, Invalid

FORMAT, VERSION = "orchestrator-receipt", "1.0"
# Crockford's: no I, L, O, U; people may write o for 0, i and l for 1.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ = str.maketrans("OIL", "011", "- ")
_GROUPS, _GROUP = 4, 5
_SHORTEST = 8
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[0-9a-f]{32}")

# A repository ("product/repository") and the inventory of a snapshot of it. One may have two: two views, or
# versions, may hold different ones.
Holding = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Receipt:
    """`organization` is that of the export, whatever the receiver calls his; `holdings` are sorted. `server` is
    the receiver's name, for people."""

    organization: str
    export: str
    server: str
    made: str
    holdings: tuple[Holding, ...]
    versions: tuple[tuple[str, int], ...] = ()

    @property
    def digest(self) -> str:
        return receipt_digest(self.organization, self.holdings)


def receipt_digest(organization: str, holdings: Iterable[Holding]) -> str:
    """SHA-256 of what a server holds; the same wherever it came from."""
    lines = sorted({f"{path} {inventory}" for path, inventory in holdings})
    return hashlib.sha256("\n".join([organization, *lines, ""]).encode()).hexdigest()


def leads_to(manifest: Manifest) -> str:
    """The digest of the receipt of an import of all of this export."""
    return receipt_digest(manifest.subject.organization, holdings_of(manifest))


def holdings_of(manifest: Manifest) -> tuple[Holding, ...]:
    return tuple(sorted({(each.path, each.inventory) for each in manifest.repositories}))


def show_digest(digest: str) -> str:
    """The first 100 bits of a digest as people read and type them: XXXXX-XXXXX-XXXXX-XXXXX."""
    number = int(digest[:25], 16)
    count = _GROUPS * _GROUP
    text = "".join(_ALPHABET[number >> 5 * (count - 1 - place) & 31] for place in range(count))
    return "-".join(text[start : start + _GROUP] for start in range(0, count, _GROUP))


def read_digest(text: str) -> str | None:
    """What somebody typed of such a digest, 8 characters or more, in the form that `is_digest` compares; None when
    it cannot be one."""
    plain = text.strip().upper().translate(_READ)
    fits = _SHORTEST <= len(plain) <= _GROUPS * _GROUP and not plain.strip(_ALPHABET)
    return plain if fits else None


def is_digest(typed: str, digest: str) -> bool:
    """Whether `typed`, as `read_digest` gives it, is the beginning of this digest."""
    return show_digest(digest).replace("-", "").startswith(typed)


def to_file(receipt: Receipt, key: SigningKey) -> bytes:
    document = {
        "format_name": FORMAT,
        "version": VERSION,
        "organization": receipt.organization,
        "export": receipt.export,
        "server": receipt.server,
        "made": receipt.made,
        "repositories": [list(each) for each in receipt.holdings],
        "versions": [list(each) for each in receipt.versions],
        "digest": show_digest(receipt.digest),
    }
    return seal(document, key)


def from_file(data: bytes, name: str) -> Receipt:
    """Raises BadContent, naming `name`, for what is no receipt, or was changed after it was sealed, and Refused for
    one of another major version."""
    hint = "a receiver makes one: orchestrator import receipt --to FILE"
    document = unseal(data, name, FORMAT, must=True, hint=hint)
    try:
        receipt = Receipt(
            check_label(_text(document["organization"]), "an organization"),
            _export(document["export"]),
            _text(document.get("server", "")),
            _text(document.get("made", "")),
            tuple(sorted({_holding(*each) for each in document["repositories"]})),
            tuple(_version(*each) for each in document.get("versions", ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError, Invalid) as error:
        raise BadContent(f"{name} is no whole receipt: {error}") from None
    return receipt


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text is none")
    return value


def _export(text: Any) -> str:
    if text and not _ID.fullmatch(_text(text)):
        raise ValueError("it is of no export")
    return _text(text)


def _holding(path: Any, inventory: Any) -> Holding:
    split_path(_text(path))
    if not _SHA256.fullmatch(_text(inventory)):
        raise ValueError(f"the inventory of {path} is no digest")
    return path, inventory


def _version(view: Any, number: Any) -> tuple[str, int]:
    if type(number) is not int or number < 1:
        raise ValueError(f"the view {view} has no version")
    return check_label(_text(view), "a view"), number
