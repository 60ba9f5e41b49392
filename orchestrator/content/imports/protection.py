# SPDX-License-Identifier: GPL-3.0-or-later
"""Vendor's content stays vendor's: which product here an imported one is, if any may be it. Pure.

A vendor's product is known by its vendor and content id, whatever its label, and no import makes one. A custom
product is known by its label. Neither goes into the other; also not by a detour (`content.ownership`): a custom
repository that takes its content from a vendor's address is a vendor's in disguise, and the other way round.
"""

from collections.abc import Mapping
from typing import NamedTuple

from orchestrator.content.catalog.model import Product, ProductKind
from orchestrator.content.exports.manifest import ProductEntry


class Ruling(NamedTuple):
    """`label` is that of the product here; `missing`: it would have to be made. Or why it is refused."""

    label: str = ""
    missing: bool = False
    refused: str = ""
    hint: str = ""


def rule(entry: ProductEntry, products: Mapping[str, Product]) -> Ruling:
    """Which of the `products` here (by label) an exported one is."""
    namesake = products.get(entry.label)
    if entry.kind == "custom":
        if namesake is not None and namesake.kind is ProductKind.VENDOR:
            return Ruling(
                refused=f"custom content cannot go into {entry.label}, which is {_whose(namesake)} here",
                hint="give the custom product another label where it comes from, and export it again",
            )
        return Ruling(entry.label, missing=namesake is None)
    if not entry.vendor or not entry.content_id:
        return Ruling(refused="a vendor's product without vendor id and content id is nobody's")
    for product in products.values():
        is_it = (product.kind, product.vendor, product.content_id)
        if is_it == (ProductKind.VENDOR, entry.vendor, entry.content_id):
            return Ruling(product.label)
    return Ruling(
        refused=f"there is no product with the content {entry.content_id} of {entry.vendor} here, and imports "
        "never make a vendor's product" + _namesake(namesake),
        hint=f"orchestrator product create LABEL --vendor {entry.vendor} --content-id {entry.content_id}",
    )


def _namesake(product: Product | None) -> str:
    return "" if product is None else f" ({product.label} is {_whose(product)})"


def _whose(product: Product) -> str:
    if product.kind is ProductKind.VENDOR:
        return f"content {product.content_id} of the vendor {product.vendor}"
    return "custom"
