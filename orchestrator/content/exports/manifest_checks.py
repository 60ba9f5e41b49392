# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a manifest that was read agrees with itself: everything it names is in it, once, and no name leads
anywhere else. Pure. All of it raises ValueError, or Invalid for a label."""

import re
from collections.abc import Hashable, Iterable
from datetime import datetime
from itertools import pairwise

from orchestrator.content.catalog.model import check_label, split_path
from orchestrator.content.exports.manifest_model import (
    ChunkEntry,
    EnvironmentEntry,
    KeyEntry,
    Manifest,
    ProductEntry,
    RepositoryEntry,
    Subject,
    VersionEntry,
)
from orchestrator.content.model import safe_path

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[0-9a-f]{32}")
_SIGNER = re.compile(r"(?:[0-9a-f]{16})?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z")


def check(manifest: Manifest) -> None:
    if not _ID.fullmatch(manifest.id) or not _SIGNER.fullmatch(manifest.signer):
        raise ValueError("the id, or that of its key, is none")
    _check_time(manifest.created, "the export")
    _check_subject(manifest.subject)
    _check_base(manifest)
    _check_keys(manifest.keys)
    _check_products(manifest.products)
    _check_repositories(manifest)
    for version in manifest.versions:
        _check_version(version, {(each.path, each.inventory) for each in manifest.repositories})
    _once(((each.view, each.number) for each in manifest.versions), "view version")
    _once((each.label for each in manifest.environments), "environment")
    for environment in manifest.environments:
        _check_environment(environment, {(each.view, each.number) for each in manifest.versions})
    _check_chunks(manifest)


def _once(names: Iterable[Hashable], what: str) -> None:
    found = set()
    for name in names:
        if name in found:
            raise ValueError(f"the {what} {name} is in it twice")
        found.add(name)


def _check_time(text: str, of: str) -> None:
    if not _TIME.fullmatch(text):
        raise ValueError(f"{of} has no time")
    datetime.fromisoformat(text)


def _check_subject(subject: Subject) -> None:
    check_label(subject.organization, "an organization")
    names = subject.name.split(",") if subject.name else []
    if bool(names) == (subject.kind == "library"):
        raise ValueError(f"the subject is a {subject.kind} named {subject.name!r}")
    for name in names:
        if subject.kind == "repository":
            split_path(name)
        else:
            check_label(name, f"a {subject.kind}")
    if subject.version and subject.kind != "view":
        raise ValueError(f"the subject is a version of a {subject.kind}")
    _once(names, "name")


def _check_base(manifest: Manifest) -> None:
    base = manifest.base
    if (base is None) != (manifest.kind == "complete"):
        raise ValueError("what it is built on is missing, or too much")
    if base is None:
        return
    if sum(map(bool, (base.export, base.receipt, base.since))) != 1:
        raise ValueError("it is not built on one thing")
    if (base.export and not _ID.fullmatch(base.export)) or (
        base.receipt and not _SHA256.fullmatch(base.receipt)
    ):
        raise ValueError("what it is built on is none")
    for moment in filter(None, (base.since, base.until)):
        _check_time(moment, "what it is built on")


def _check_keys(keys: tuple[KeyEntry, ...]) -> None:
    for key in keys:
        check_label(key.name, "a key")
    _once((key.name for key in keys), "key")


def _check_products(products: tuple[ProductEntry, ...]) -> None:
    for product in products:
        check_label(product.label, "a product")
        known = bool(product.vendor and product.content_id)
        if known != (product.kind == "vendor") or (
            product.kind == "custom" and product.vendor + product.content_id
        ):
            raise ValueError(f"the product {product.label} is neither a vendor's nor custom")
    _once((product.label for product in products), "product")
    vendors = ((product.vendor, product.content_id) for product in products if product.kind == "vendor")
    _once(vendors, "vendor's product")


def _check_repositories(manifest: Manifest) -> None:
    products = {product.label for product in manifest.products}
    keys = {key.name for key in manifest.keys}
    types: dict[str, str] = {}
    for each in manifest.repositories:
        _check_repository(each, keys, manifest.kind)
        if each.product not in products:
            raise ValueError(f"the repository {each.path} has no product")
        if types.setdefault(each.path, each.type) != each.type:
            raise ValueError(f"the repository {each.path} is of two types")
    idle = products - {each.product for each in manifest.repositories}
    if idle:
        raise ValueError(f"the product {min(idle)} has no repository")
    _once(((each.path, each.inventory) for each in manifest.repositories), "repository")
    _check_apart((tree for each in manifest.repositories for tree in each.trees), "tree")


def _check_repository(each: RepositoryEntry, keys: set[str], kind: str) -> None:
    check_label(each.product, "a product")
    check_label(each.label, "a repository")
    if not _SHA256.fullmatch(each.inventory) or (each.base and not _SHA256.fullmatch(each.base)):
        raise ValueError(f"the inventory of {each.path} is no digest")
    if each.base and kind == "complete":
        raise ValueError(f"{each.path} is built on something in a complete export")
    if each.mode not in ("verbatim", "rebuilt"):
        raise ValueError(f"the mode of {each.path} is unknown")
    if not set(each.keys) <= keys:
        raise ValueError(f"a key of {each.path} is not in the export")
    _check_time(each.made, each.path)
    for tree in each.trees:
        if safe_path(tree) != tree or not tree.startswith("content/"):
            raise ValueError(f"{tree!r} is no place of a tree")


def _check_apart(places: Iterable[str], what: str) -> None:
    """That no place is there twice, or inside another."""
    there = sorted(place + "/" for place in places)
    for place, after in pairwise(there):
        if after.startswith(place):
            raise ValueError(f"the {what} {after[:-1]} is in another")


def _check_version(version: VersionEntry, there: set[tuple[str, str]]) -> None:
    check_label(version.view, "a view")
    _check_time(version.made, f"the view {version.view}")
    if version.number < 1:
        raise ValueError(f"the view {version.view} has a version without a number")
    for path, repository, inventory in version.contents:
        if safe_path(path) != path or (repository, inventory) not in there:
            raise ValueError(f"the view {version.view} holds something that is not in the export")
    _check_apart((path for path, _, _ in version.contents), "path")


def _check_environment(environment: EnvironmentEntry, versions: set[tuple[str, int]]) -> None:
    check_label(environment.label, "an environment")
    if environment.after:
        check_label(environment.after, "an environment")
    if not set(environment.shows.items()) <= versions:
        raise ValueError(f"the environment {environment.label} shows what is not in the export")


def _check_chunks(manifest: Manifest) -> None:
    if bool(manifest.chunks) == (manifest.format == "dir"):
        raise ValueError("it has no chunks, or is a directory and has")
    paths = {each.path for each in manifest.repositories}
    for number, chunk in enumerate(manifest.chunks, 1):
        _check_chunk(chunk, number, paths)
    if manifest.chunks:
        whole, pieces = manifest.objects, sum(chunk.objects for chunk in manifest.chunks)
        if sum(chunk.bytes for chunk in manifest.chunks) != manifest.bytes or pieces < whole:
            raise ValueError("the chunks do not add up to the export")


def _check_chunk(chunk: ChunkEntry, number: int, paths: set[str]) -> None:
    if chunk.number != number or not _SHA256.fullmatch(chunk.index):
        raise ValueError("the chunks are not numbered from 1, or an index is no digest")
    if not set(chunk.repositories) <= paths:
        raise ValueError(f"chunk {number} is for a repository that is not in the export")
