# SPDX-License-Identifier: GPL-3.0-or-later
"""One published tree of a mirror, the current or an earlier one."""

from dataclasses import dataclass
from pathlib import Path

from orchestrator.content.publication import inventory
from orchestrator.content.publication.inventory import Inventory
from orchestrator.content.publication.record import Record


@dataclass(frozen=True, slots=True)
class Generation:
    """`tree` is the directory that is, or was, published."""

    number: int
    record: Record
    tree: Path

    def inventory(self) -> Inventory:
        """Read from the disk at each call. Raises BadContent when it is damaged or gone."""
        path = inventory_path(self.tree)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            data = b""
        return inventory.from_bytes(data, str(path))


def inventory_path(tree: Path) -> Path:
    return tree.with_name(f"{tree.name}.inventory")
