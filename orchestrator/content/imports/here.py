# SPDX-License-Identifier: GPL-3.0-or-later
"""What this server has of an organization, as values that an import is planned from: read from the catalog, never
changed by the look."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.content.catalog.model import Environment, Product, Repository, View
from orchestrator.errors import Invalid, Refused

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from orchestrator.content.workspace import Workspace

Contents = tuple[tuple[str, str], ...]  # path in a view, and inventory


@dataclass(frozen=True, slots=True)
class Holdings:
    """What is there of one repository. `newest` is the inventory of its newest snapshot, `made` when the sender
    made that ("" when nobody knows), `shown` the inventory that clients see, `all` those of all its snapshots.
    `follows`: what it shows came by an import and nothing else fills it; then `shown_made` is when the sender made
    what is shown."""

    newest: str = ""
    made: str = ""
    shown: str = ""
    all: frozenset[str] = frozenset()
    follows: bool = False
    shown_made: str = ""

    def is_behind(self, made: str) -> bool:
        """Whether something that the sender made then is newer than what is shown, and may take its place."""
        return not self.shown or (self.follows and made > self.shown_made)


@dataclass(frozen=True, slots=True)
class Here:
    """`products` by label, `repositories` and `holdings` by path, `keys` by name, `versions` by view and number.
    `usual`: whether commands mean it when they name none. `imported` are the ids of exports that were imported completely, `detours` says of repositories that they take
    their content from where it is not theirs."""

    organization: str
    exists: bool = False
    usual: bool = True
    source_url: str = ""
    products: Mapping[str, Product] = field(default_factory=dict)
    repositories: Mapping[str, Repository] = field(default_factory=dict)
    holdings: Mapping[str, Holdings] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    views: Mapping[str, View] = field(default_factory=dict)
    versions: Mapping[tuple[str, int], Contents] = field(default_factory=dict)
    environments: Mapping[str, Environment] = field(default_factory=dict)
    imported: frozenset[str] = frozenset()
    detours: Mapping[str, str] = field(default_factory=dict)


def look(workspace: "Workspace", organization: str) -> Here:
    """What is there of `organization` now. Where there is no catalog yet, there is nothing: none is made."""
    usual = organization == workspace.settings.organization
    if not has_catalog(workspace):
        return Here(organization, usual=usual)
    from orchestrator.content.catalog import imports, organizations

    with workspace.catalog.reading() as session:
        found = {each.label: each for each in organizations.all(session)}.get(organization)
        if found is None:
            return Here(organization, usual=usual)
        records = imports.all(session, organization)
        here = _of_organization(session, organization)
        holdings = _holdings(workspace, session, here, _times(each.report for each in records))
        detours = _detours(workspace, session, here)
    imported = frozenset(each.export_id for each in records if each.state == "complete")
    return replace(
        here, usual=usual, source_url=found.source_url, holdings=holdings, imported=imported, detours=detours
    )


def has_catalog(workspace: "Workspace") -> bool:
    """Whether there is a catalog to look into: opening one makes it."""
    return bool(workspace.settings.database) or (workspace.root / "catalog.sqlite").exists()


def _of_organization(session: "Session", organization: str) -> Here:
    from orchestrator.content.catalog import environments, keys, products, repositories, views

    there = views.all(session, organization)
    versions = {
        (view.label, version.number): tuple((path, one.inventory) for path, one in version.contents)
        for view in there
        for version in views.versions(session, organization, view.label)
    }
    return Here(
        organization,
        exists=True,
        products={each.label: each for each in products.all(session, organization)},
        repositories={each.path: each for each in repositories.all(session, organization)},
        keys={each.name: each.armoured for each in keys.all(session, organization)},
        views={each.label: each for each in there},
        versions=versions,
        environments={each.label: each for each in environments.all(session, organization)},
    )


def _times(reports: Iterable[Mapping[str, Any]]) -> Mapping[tuple[str, str], str]:
    """When the sender made what was imported, by path here and inventory."""
    found: dict[tuple[str, str], str] = {}
    for report in reports:
        for item in report.get("items", ()):
            if item.get("kind") == "repository" and item.get("made"):
                key = (item["name"], item["inventory"])
                found[key] = max(found.get(key, ""), item["made"])
    return found


def _holdings(
    workspace: "Workspace", session: "Session", here: Here, times: Mapping[tuple[str, str], str]
) -> Mapping[str, Holdings]:
    from orchestrator.content.catalog import snapshots

    found = {}
    for path, repository in here.repositories.items():
        there = {each.number: each for each in snapshots.all(session, repository)}
        if there:
            newest = there[max(there)].inventory
            shown = there.get(_shown(workspace.place(repository)) or 0)
            alone = not repository.upstream and not repository.mirror
            found[path] = Holdings(
                newest,
                times.get((path, newest), ""),
                shown.inventory if shown else "",
                frozenset(each.inventory for each in there.values()),
                alone and shown is not None and shown.origin == "import",
                times.get((path, shown.inventory), "") if shown else "",
            )
    return found


def _detours(workspace: "Workspace", session: "Session", here: Here) -> Mapping[str, str]:
    """Why repositories are not what their product says: vendor's content in a custom one, or the other way round."""
    from orchestrator.content import ownership

    found = {}
    for path, repository in here.repositories.items():
        addresses = _addresses(here.products[repository.product], repository)
        if not addresses or repository.mirror:
            continue
        claims = ownership.claims_on(workspace, session, repository)
        for address in addresses:
            try:
                claims.check([address])
            except Refused as error:
                found[path] = error.message
    return found


def _addresses(product: Product, repository: Repository) -> list[str]:
    """Where its content comes from, as far as that can be told without asking there."""
    from orchestrator.content.upstreams import base_address, baseurls, candidates, relative_part

    found: list[str] = []
    with contextlib.suppress(Invalid):  # then nothing comes from there
        found += [base_address(each) for each in baseurls(product, repository)]
    if repository.source_url:
        found.append(repository.source_url)
    elif product.source_url:
        relative = relative_part(product, repository)
        places = candidates(product.source_url, relative, repository.path, (), wide=True)
        found += [each for each in places if each != product.source_url]
    return found


def _shown(link: Path) -> int | None:
    """The number of the generation that a published link leads to."""
    with contextlib.suppress(OSError, ValueError):
        return int(Path(link.readlink()).name)
    return None
