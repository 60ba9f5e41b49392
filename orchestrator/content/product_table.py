# SPDX-License-Identifier: GPL-3.0-or-later
"""Products with their repositories and addresses as a table: CSV out, CSV in, one line a repository.

Columns are found by their names; `url`, `suites` and `architectures` hold several separated by `;`. What a column does
not say (authentication, filters, keys) stays as it is. A line without a repository is a product alone.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.content.catalog import keys, products, repositories
from orchestrator.content.catalog.model import Organization, Product, ProductKind, Repository, check_label
from orchestrator.content.declaration.applying import found_state
from orchestrator.content.declaration.state import Change, Item, State, difference, state_of
from orchestrator.content.workspace import Workspace
from orchestrator.errors import Invalid, OrchestratorError, Problem

_PRODUCT = ("product", "kind", "vendor", "content_id", "product_name", "product_url")
_REPOSITORY = ("repository", "type", "name", "url", "suites", "architectures", "keys", "source_url")
COLUMNS = (*_PRODUCT, *_REPOSITORY)
_TYPES: Mapping[str, Any] = {"deb": "deb", "rpm": "rpm", "file": "file"}
# The keys of an upstream that have a column, and whether it is a list also when it holds one.
_UPSTREAM = {
    "baseurl": ("url", False),
    "repositories": ("suites", True),
    "architectures": ("architectures", True),
}


def to_csv(workspace: Workspace, organization: str, product: str = "") -> str:
    """The products of an organization, or one of them."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    with workspace.catalog.reading() as session:
        for each in products.all(session, organization):
            if product in ("", each.label):
                there = repositories.all(session, organization, each.label)
                for repository in there:
                    names = [key.name for key in keys.of_repository(session, repository)]
                    writer.writerow(_product_row(each) | _repository_row(repository, names))
                if not there:
                    writer.writerow(_product_row(each))
    return out.getvalue()


def _product_row(product: Product) -> dict[str, str]:
    said = (
        product.label,
        product.kind.value,
        product.vendor,
        product.content_id,
        product.name,
        product.baseurl,
    )
    return dict(zip(_PRODUCT, said, strict=True))


def _repository_row(repository: Repository, key_names: list[str]) -> dict[str, str]:
    def joined(key: str) -> str:
        value = repository.upstream.get(key, "")
        return "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

    return {
        "repository": repository.label,
        "type": repository.type,
        "name": repository.name,
        **{column: joined(key) for key, (column, _) in _UPSTREAM.items()},
        "keys": "; ".join(key_names),
        "source_url": repository.source_url,
    }


def changes_from(workspace: Workspace, organization: str, file: Path) -> list[Change]:
    """What brings the catalog to what a table says of its products and repositories; nothing is deleted. Raises
    Invalid with every line that is wrong."""
    rows = _rows(file)
    with workspace.catalog.reading() as session:
        found = found_state(session)
    items: dict[tuple[str, str], Item] = {("organization", organization): Organization(organization)}
    problems, key_names = [], {}
    for line, row in rows:
        try:
            for item in _items(organization, row, found):
                label = item.label if isinstance(item, Product) else item.path
                if items.setdefault((type(item).__name__, label), item) != item:
                    raise Invalid(f"{label} is there twice, and not the same")
            if row.get("repository") and row.get("keys"):
                path = f"{organization}/{row['product']}/{row['repository']}"
                key_names[path] = tuple(_several(row["keys"]))
        except OrchestratorError as error:
            problems.append(Problem(f"{file}:{line}", error.message, error.hint))
    if problems:
        raise Invalid(f"{file} has errors", problems=problems)
    there = found.items.get(("organization", organization))
    items["organization", organization] = there or Organization(organization)
    return difference(state_of(items.values(), key_names), found)


def _rows(file: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise Invalid(f"cannot read {file}: {why}") from None
    reader = csv.DictReader(io.StringIO(text), restval="")
    names = reader.fieldnames or []
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or "product" not in names:
        what = f"unknown: {', '.join(unknown)}" if unknown else "there is no column product"
        raise Invalid(f"{file}: {what}", hint="the first line names columns: " + ", ".join(COLUMNS))
    try:
        return [
            (
                reader.line_num,
                {key: (value or "").strip() for key, value in row.items() if isinstance(key, str)},
            )
            for row in reader
        ]
    except csv.Error as error:
        raise Invalid(f"{file}:{reader.line_num}: {error}") from None


def _items(organization: str, row: Mapping[str, str], found: State) -> Iterator[Product | Repository]:
    label = check_label(row["product"], "a product")
    before = found.items.get(("product", f"{organization}/{label}"))
    yield _product(before if isinstance(before, Product) else Product(organization, label), row)
    if row.get("repository"):
        there = found.items.get(("repository", f"{organization}/{label}/{row['repository']}"))
        yield _repository(there if isinstance(there, Repository) else None, organization, row)


def _product(before: Product, row: Mapping[str, str]) -> Product:
    kind = row.get("kind", "") or before.kind.value
    if kind not in ("vendor", "custom"):
        raise Invalid(f"kind {kind!r} is neither vendor nor custom")
    changed = replace(
        before,
        kind=ProductKind(kind),
        vendor=row.get("vendor", before.vendor),
        content_id=row.get("content_id", before.content_id),
        name=row.get("product_name", before.name),
        baseurl=row.get("product_url", before.baseurl),
    )
    if (changed.kind is ProductKind.VENDOR) != bool(changed.vendor and changed.content_id):
        raise Invalid("vendor and content_id belong to a product of kind vendor, and to it alone")
    return changed


def _repository(before: Repository | None, organization: str, row: Mapping[str, str]) -> Repository:
    type_ = row.get("type", "") or (before.type if before else "")
    if type_ not in _TYPES:
        raise Invalid(f"type {type_!r} is none of deb, rpm and file")
    label = check_label(row["repository"], "a repository")
    known = before or Repository(organization, row["product"], label, _TYPES[type_])
    upstream = dict(known.upstream)
    for key, (column, several) in _UPSTREAM.items():
        if column in row:
            parts = _several(row[column])
            value: Any = parts if several or len(parts) > 1 else "".join(parts)
            upstream |= {key: value} if value else {}
            if not value:
                upstream.pop(key, None)
    return replace(
        known,
        type=_TYPES[type_],
        name=row.get("name", known.name),
        source_url=row.get("source_url", known.source_url),
        upstream=upstream,
    )


def _several(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]
