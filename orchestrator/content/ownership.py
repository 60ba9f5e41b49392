# SPDX-License-Identifier: GPL-3.0-or-later
"""Vendor protection: whose content is at an address, and who may take it.

A custom repository takes nothing of a vendor's product, and a vendor's nothing but content of the same vendor and
content id. Whose an address is tell the upstream addresses of the catalog's repositories (it, what lies below and
above it), the trees that are published here, and the manifest of the export that the address lies in.
"""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.content.catalog.model import Product, ProductKind, Repository
from orchestrator.content.exports.manifest import ProductEntry
from orchestrator.content.probing import Export, Scout
from orchestrator.content.upstreams import (
    LISTS,
    Territory,
    base_address,
    baseurls,
    overlap,
    territories,
    territory,
)
from orchestrator.content.workspace import Workspace
from orchestrator.errors import Invalid, Refused

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose some content is, and how that is known."""

    kind: ProductKind
    vendor: str
    content_id: str
    known: str

    def __str__(self) -> str:
        if self.kind is ProductKind.CUSTOM:
            return "a custom product's"
        return f"content {self.content_id} of the vendor {self.vendor}"


@dataclass(frozen=True, slots=True)
class Claim:
    """What belongs to an owner. `exact` are the directories of its suites, where these are more than the address."""

    places: tuple[Territory, ...]
    exact: tuple[Territory, ...]
    lists: tuple[str, ...]
    owner: Owner


@dataclass(frozen=True, slots=True)
class Claims:
    """What the catalog knows of others whose content one repository may not take."""

    repository: Repository
    product: Product
    others: tuple[Claim, ...]

    def check(self, addresses: Sequence[str], exports: Iterable[Export] = ()) -> None:
        """Raises Refused when content at one of these addresses (bases, or those of lists) is none that the
        repository may take."""
        bases = [address for address in addresses if not self._is_list(address)]
        taken, exact = self._places(bases), self._places(bases, exact=True)
        for claim in self.others:
            kin = claim.owner.kind is ProductKind.VENDOR and claim.owner.vendor == self.product.vendor
            mine, theirs = (exact, claim.exact) if kin else (taken, claim.places)
            if set(addresses) & set(claim.lists) or _meet(mine, theirs):
                self._refuse(claim.owner, addresses)
        for export in exports:
            for owner in owners_in(export, taken):
                if not may_take(self.product, owner):
                    self._refuse(owner, addresses)

    def _is_list(self, address: str) -> bool:
        return address in (self.repository.upstream.get(key) for key in LISTS)

    def _places(self, bases: Iterable[str], *, exact: bool = False) -> list[Territory]:
        return territories(self.repository.type, bases, repositories_of(self.repository), exact=exact)

    def _refuse(self, owner: Owner, addresses: Sequence[str]) -> None:
        product = self.product
        own = f"of the vendor {product.vendor}" if product.kind is ProductKind.VENDOR else "custom"
        raise Refused(
            f"{self.repository.path} is {own} and cannot take what is at {', '.join(addresses)}:"
            f" it is {owner} ({owner.known})",
            hint="a vendor's content goes only into a product with the same vendor and content id",
        )


def may_take(product: Product, owner: Owner) -> bool:
    """Whether content of this owner may go into a product."""
    if product.kind is ProductKind.CUSTOM:
        return owner.kind is ProductKind.CUSTOM
    return owner.kind is ProductKind.VENDOR and (owner.vendor, owner.content_id) == (
        product.vendor,
        product.content_id,
    )


def _meet(mine: Sequence[Territory], theirs: Sequence[Territory]) -> bool:
    return any(overlap(one, other) for one in mine for other in theirs)


def owners_in(export: Export, places: Sequence[Territory]) -> list[Owner]:
    """Whose content an export has there: of the repositories whose trees are it, or lie below or above it; of all
    where that cannot be told."""
    root = territory(export.address)
    trees = [
        (entry.product, [(*root, *tree.split("/")) for tree in entry.trees])
        for entry in export.manifest.repositories
    ]
    labels = {product for product, found in trees if _meet(places, found)}
    products = [each for each in export.manifest.products if not labels or each.label in labels]
    return [_owner_of(each, export) for each in products]


def _owner_of(product: ProductEntry, export: Export) -> Owner:
    known = f"the export at {export.address} says so of {product.label}"
    return Owner(ProductKind(product.kind), product.vendor, product.content_id, known)


def claims_on(workspace: Workspace, session: "Session", repository: Repository) -> Claims:
    """What `repository` may not take of others: vendors' products of every organization, and its own organization's
    custom ones. The upstreams of mirrors.yaml are nobody's: who may write that file may mirror what he likes."""
    from orchestrator.content.catalog import organizations, products, repositories

    own = products.get(session, repository.organization, repository.product)
    here = (*territory(workspace.root.as_uri()), "repositories")
    found = []
    for organization in organizations.all(session):
        by_label = {product.label: product for product in products.all(session, organization.label)}
        for other in repositories.all(session, organization.label):
            product = by_label[other.product]
            owner = Owner(product.kind, product.vendor, product.content_id, _known(other))
            near = product.kind is ProductKind.VENDOR or organization.label == repository.organization
            if near and not may_take(own, owner):
                found.append(_claim(owner, product, other, (*here, other.store)))
    return Claims(repository, own, tuple(found))


def _known(repository: Repository) -> str:
    return f"as {repository.organization}/{repository.path} is brought in from there, or published there"


def _claim(owner: Owner, product: Product, repository: Repository, here: Territory) -> Claim:
    """Its upstream, and where it lies on this machine."""
    bases: list[str] = []
    # What cannot be an address brings nothing in.
    with contextlib.suppress(Invalid):
        bases = [] if repository.mirror else [base_address(each) for each in baseurls(product, repository)]
    parts = repositories_of(repository)
    lists = [str(repository.upstream[key]) for key in LISTS if repository.upstream.get(key)]
    return Claim(
        (*territories(repository.type, bases, parts), here),
        (*territories(repository.type, bases, parts, exact=True), here),
        tuple(lists),
        owner,
    )


def repositories_of(repository: Repository) -> list[str]:
    found = repository.upstream.get("repositories")
    return [text for text in found if isinstance(text, str)] if isinstance(found, list | tuple) else []


def check_address(
    workspace: Workspace, session: "Session", repository: Repository, url: str, *, ask: bool = True
) -> None:
    """Raises Refused when `repository`, of the catalog or about to be, may not take what is at `url`. Without `ask`
    no other machine is asked whether the address is an export: the first sync asks."""
    address = base_address(url)
    claims = claims_on(workspace, session, repository)
    claims.check([address])
    if ask or address.startswith("file://"):
        with Scout(workspace) as scout:
            claims.check([address], exports_at(scout, address))


def exports_at(scout: Scout, address: str) -> list[Export]:
    """The exports that an address lies in; of a path on this machine also where its links lead."""
    found = scout.exports(address)
    place = territory(address)
    if place[0] == "file":
        from pathlib import Path

        followed = base_address(str(Path("/", *place[1:])))
        if followed != address:
            found += scout.exports(followed)
    return found
