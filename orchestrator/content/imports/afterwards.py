# SPDX-License-Identifier: GPL-3.0-or-later
"""What will be here once an export was imported as it was decided: what the next one is decided from. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from orchestrator.content.catalog.model import LIBRARY, Environment, Product, Repository, View
from orchestrator.content.exports.manifest import Manifest
from orchestrator.content.imports.deciding import Item
from orchestrator.content.imports.here import Contents, Here, Holdings


def after(here: Here, manifest: Manifest, items: Sequence[Item]) -> Here:
    """`here` with all that `items` change."""
    changed = [item for item in items if item.changes]
    armoured = {each.name: each.armoured for each in manifest.keys}
    names = {
        kind: [item.name for item in changed if item.kind == kind] for kind in ("product", "key", "view")
    }
    organization = here.organization
    return replace(
        here,
        exists=True,
        products={name: Product(organization, name) for name in names["product"]} | dict(here.products),
        keys={name: armoured[name] for name in names["key"]} | dict(here.keys),
        views={name: View(organization, name) for name in names["view"]} | dict(here.views),
        repositories=_repositories(here, manifest, changed),
        holdings=_holdings(here, changed),
        versions=dict(here.versions) | _versions(manifest, changed),
        environments=_environments(here, changed),
    )


def _repositories(here: Here, manifest: Manifest, changed: Sequence[Item]) -> dict[str, Repository]:
    types = {each.path: each.type for each in manifest.repositories}
    made = {}
    for item in changed:
        if item.kind == "repository":
            product, _, label = item.name.partition("/")
            made[item.name] = Repository(here.organization, product, label, types[item.sent_as])
    return made | dict(here.repositories)


def _holdings(here: Here, changed: Sequence[Item]) -> dict[str, Holdings]:
    found = dict(here.holdings)
    for item in changed:
        if item.kind == "repository":
            before = found.get(item.name, Holdings())
            everything = before.all | {item.inventory}
            found[item.name] = (
                Holdings(
                    item.inventory, item.made, item.inventory, everything, follows=True, shown_made=item.made
                )
                if item.switch
                else replace(before, newest=item.inventory, made=item.made, all=everything)
            )
    return found


def _versions(manifest: Manifest, changed: Sequence[Item]) -> dict[tuple[str, int], Contents]:
    names = {item.name for item in changed if item.kind == "version"}
    return {
        (each.view, each.number): tuple((path, inventory) for path, _, inventory in each.contents)
        for each in manifest.versions
        if f"{each.view} {each.number}" in names
    }


def _environments(here: Here, changed: Sequence[Item]) -> dict[str, Environment]:
    found = {LIBRARY: Environment(here.organization, LIBRARY, after=""), **here.environments}
    for item in changed:
        label = {"version": LIBRARY, "environment": item.name}.get(item.kind)
        if label is not None:
            there = found.get(label, Environment(here.organization, label))
            found[label] = replace(there, shows={**there.shows, **dict(item.show)})
    return found
