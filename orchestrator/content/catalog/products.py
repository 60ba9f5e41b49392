# SPDX-License-Identifier: GPL-3.0-or-later
"""Products. Whose one is, the vendor's or ours, is decided when it is made and never again: imports rely on it."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator.content.catalog import organizations
from orchestrator.content.catalog.model import Product, ProductKind, check_label
from orchestrator.content.catalog.refusals import already_there, in_use, insert, not_there
from orchestrator.content.catalog.tables import OrganizationRow, ProductRow, RepositoryRow
from orchestrator.errors import Invalid, Refused


def row(session: Session, organization: str, label: str) -> ProductRow:
    """Raises Refused when there is none."""
    owner = organizations.row(session, organization)
    found = session.scalar(
        select(ProductRow).where(ProductRow.organization_id == owner.id, ProductRow.label == label)
    )
    if found is None:
        known = session.scalars(select(ProductRow.label).where(ProductRow.organization_id == owner.id))
        make = "orchestrator product create LABEL"
        raise not_there(f"the organization {organization} has no product", label, known, make)
    return found


def create(session: Session, product: Product) -> None:
    """Raises Refused when it, or another with the same vendor and content id, is there already; Invalid for a
    vendor's without these ids and a custom one with them."""
    label = check_label(product.label, "a product")
    _check_kind(product)
    owner = organizations.row(session, product.organization)
    taken = already_there(f"the product {label}", f"orchestrator product update {label}")
    if session.scalar(
        select(ProductRow.id).where(ProductRow.organization_id == owner.id, ProductRow.label == label)
    ):
        raise taken
    if product.kind is ProductKind.VENDOR:
        same = by_vendor(session, product.organization, product.vendor, product.content_id)
        if same is not None:
            raise Refused(
                f"the product {same.label} has the content {product.content_id} of {product.vendor} already",
                hint="a vendor's product is there once in each organization",
            )
    made = ProductRow(
        organization_id=owner.id,
        label=label,
        kind=product.kind.value,
        name=product.name,
        vendor=product.vendor or None,
        content_id=product.content_id or None,
        baseurl=product.baseurl,
        source_url=product.source_url,
    )
    insert(session, made, taken)


def _check_kind(product: Product) -> None:
    ids = (product.vendor, product.content_id)
    if product.kind is ProductKind.VENDOR and "" in ids:
        raise Invalid(
            f"the vendor's product {product.label} needs a vendor and a content id",
            hint="they are what makes it the same product on every server",
        )
    if product.kind is ProductKind.CUSTOM and ids != ("", ""):
        raise Invalid(f"the custom product {product.label} can have neither a vendor nor a content id")


def get(session: Session, organization: str, label: str) -> Product:
    return _value(organization, row(session, organization, label))


def all(session: Session, organization: str) -> list[Product]:
    """By label."""
    owner = organizations.row(session, organization)
    rows = session.scalars(
        select(ProductRow).where(ProductRow.organization_id == owner.id).order_by(ProductRow.label)
    )
    return [_value(organization, found) for found in rows]


def by_vendor(session: Session, organization: str, vendor: str, content_id: str) -> Product | None:
    """The vendor's product with these ids."""
    found = session.scalar(
        select(ProductRow)
        .join(OrganizationRow, OrganizationRow.id == ProductRow.organization_id)
        .where(
            OrganizationRow.label == organization,
            ProductRow.kind == ProductKind.VENDOR.value,
            ProductRow.vendor == vendor,
            ProductRow.content_id == content_id,
        )
    )
    return None if found is None else _value(organization, found)


def update(session: Session, product: Product) -> None:
    """Raises Refused when its kind, vendor or content id would change."""
    found = row(session, product.organization, product.label)
    is_ = (found.kind, found.vendor or "", found.content_id or "")
    wanted = (product.kind.value, product.vendor, product.content_id)
    if is_ != wanted:
        raise Refused(
            f"the product {product.label} stays {_whose(*is_)}: it cannot become {_whose(*wanted)}",
            hint="make another product",
        )
    found.name, found.baseurl, found.source_url = product.name, product.baseurl, product.source_url
    session.flush()


def _whose(kind: str, vendor: str, content_id: str) -> str:
    return f"content {content_id!r} of the vendor {vendor!r}" if kind == ProductKind.VENDOR else "custom"


def delete(session: Session, organization: str, label: str) -> None:
    """Raises Refused, naming them, when it has repositories."""
    found = row(session, organization, label)
    labels = session.scalars(
        select(RepositoryRow.label).where(RepositoryRow.product_id == found.id).order_by(RepositoryRow.label)
    )
    users = [(f"{label}/{each}", "repository") for each in labels]
    if users:
        hint = "delete these first: orchestrator repository delete PRODUCT/REPOSITORY"
        raise in_use(f"the product {label}", users, hint)
    session.delete(found)
    session.flush()


def _value(organization: str, found: ProductRow) -> Product:
    return Product(
        organization,
        found.label,
        ProductKind(found.kind),
        found.name,
        found.vendor or "",
        found.content_id or "",
        found.baseurl,
        found.source_url,
    )
