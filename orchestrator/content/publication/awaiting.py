# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the pool for something that is still going on, an import whose last chunk has not come: kept from
the garbage collection by the inventories below root/imports/<export>/inventories/."""

from pathlib import Path

from orchestrator.content.publication.inventory import from_bytes
from orchestrator.errors import BadContent


def directory(root: Path) -> Path:
    """Where the imports that go on keep what they need to know, one directory each."""
    return root / "imports"


def objects(root: Path) -> set[str]:
    """The SHA-256 of everything that such an import has brought, or will bring."""
    found: set[str] = set()
    for path in directory(root).glob("*/inventories/*"):
        try:
            found.update(file.sha256 for file in from_bytes(path.read_bytes(), str(path)))
        except (BadContent, FileNotFoundError):
            continue  # half of it, or just ended
    return found
