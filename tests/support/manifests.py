# SPDX-License-Identifier: GPL-3.0-or-later
"""A manifest that has something of everything."""

import hashlib
import json
from typing import Any

from orchestrator.content.exports.manifest import (
    Base,
    ChunkEntry,
    EnvironmentEntry,
    KeyEntry,
    Manifest,
    ProductEntry,
    RepositoryEntry,
    Subject,
    VersionEntry,
    with_id,
)

MADE = "2026-11-20T12:00:00.000Z"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def a_manifest() -> Manifest:
    """An increment of an environment that shows two versions of one view's repository."""
    one, two = digest("one"), digest("two")
    return with_id(
        Manifest(
            "increment",
            "tar",
            Subject("environment", "acme", "dev"),
            MADE,
            (
                RepositoryEntry("os", "base", "deb", one, 3, 1, 500, MADE, base=two, suites=("stable main",)),
                RepositoryEntry("os", "base", "deb", two, 3, 1, 400, MADE, base=two),
                RepositoryEntry(
                    "tools", "extra", "rpm", one, 3, 1, 500, MADE, name="Extra", keys=("vendor",)
                ),
            ),
            (
                ProductEntry("os", "vendor", "The OS", "osvendor", "os-9"),
                ProductEntry("tools", "custom", "Tools"),
            ),
            (
                VersionEntry(
                    "web", 3, MADE, (("os/base", "os/base", one), ("tools/extra", "tools/extra", one))
                ),
                VersionEntry("db", 1, MADE, (("os/base", "os/base", two),), "Databases", "the first"),
            ),
            (EnvironmentEntry("dev", "library", {"web": 3, "db": 1}),),
            (KeyEntry("vendor", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n"),),
            (
                ChunkEntry(1, one, 2, 700, ("os/base",)),
                ChunkEntry(2, two, 1, 200, ("os/base", "tools/extra")),
            ),
            "site-2",
            Base(export=digest("base")[:32]),
            "0123456789abcdef",
            2,
            900,
            "orchestrator 0.1.0",
            "Acme",
            1_000_000,
        )
    )


def document_of(data: bytes) -> dict[str, Any]:
    found = json.loads(data)
    assert isinstance(found, dict)
    return found


def sealed(document: dict[str, Any]) -> bytes:
    """The bytes of a changed document, with the id that it has now: what somebody who can sign could send."""
    plain = json.dumps({**document, "id": ""}, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    whole = {**document, "id": hashlib.sha256(plain).hexdigest()[:32]}
    return json.dumps(whole, sort_keys=True, separators=(",", ":")).encode() + b"\n"
