# SPDX-License-Identifier: GPL-3.0-or-later
"""Content from elsewhere than the upstream: for one sync, or as `set-source` keeps it for a repository, a product or an
organization. The nearest counts.

A place is given as what people have at hand: the very directory, a copy of the upstream's host, an export of ours of
the format `dir`. Where in it a repository lies is found by looking for its entry files, in this order:

    <place>                                 (last, where the place is for a product or an organization)
    <place>/<relative part of its address>
    <place>/<product>/<repository>
    <place>/content/<product>/<repository>  and wherever the manifest of an export there says it is

The upstream's keys still verify the content; its credentials, headers, client certificates, proxy and lists of
mirrors are for its own hosts and are not used.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator.content import ownership
from orchestrator.content.catalog.model import Repository, SourceScope
from orchestrator.content.ownership import Claims
from orchestrator.content.probing import Found, Scout, trees_of
from orchestrator.content.sourcing import Upstream, upstream_of
from orchestrator.content.upstreams import base_address, candidates
from orchestrator.content.workspace import Workspace
from orchestrator.errors import OrchestratorError, Problem, Refused

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Override:
    """`scope` None: for one sync. `wide`: the place is for several repositories."""

    url: str
    scope: SourceScope | None = None

    @property
    def wide(self) -> bool:
        return self.scope in (SourceScope.PRODUCT, SourceScope.ORGANIZATION)


@dataclass(frozen=True, slots=True)
class SourceSet:
    """What `set_source` did: the place now ("" for the upstream), the one before, and the address that each
    repository in the scope is brought in from."""

    scope: SourceScope
    name: str
    url: str
    before: str
    addresses: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "scope": self.scope.value,
            "name": self.name,
            "url": self.url,
            "before": self.before,
            "addresses": dict(self.addresses),
        }


def nearest(session: "Session", repository: Repository, once: str = "") -> Override | None:
    """Of the overrides that hold for a repository the one that counts. Raises Invalid for what is no address."""
    from orchestrator.content.catalog import organizations, products

    if once:
        return Override(base_address(once))
    if repository.source_url:
        return Override(repository.source_url, SourceScope.REPOSITORY)
    product = products.get(session, repository.organization, repository.product)
    if product.source_url:
        return Override(product.source_url, SourceScope.PRODUCT)
    organization = organizations.get(session, repository.organization)
    if organization.source_url:
        return Override(organization.source_url, SourceScope.ORGANIZATION)
    return None


def redirected(scout: Scout, upstream: Upstream, override: Override, claims: Claims) -> Upstream:
    """The upstream as it is found at the override's place. Raises Refused when it is not there, telling what was looked
    at, or when it may not be taken from there; TransferFailed when the place does not answer."""
    place, path = override.url, upstream.repository.path
    trees = trees_of(ownership.exports_at(scout, place), place, path)
    tried: list[Found] = []
    for address in candidates(place, upstream.relative, path, trees, wide=override.wide):
        found = scout.look(address, upstream.source)
        if found.whole:
            claims.check([address], ownership.exports_at(scout, address))
            return upstream.at(address)
        tried.append(found)
    raise Refused(
        f"{place} does not hold {path}",
        problems=[Problem(found.address, str(found)) for found in tried],
        hint="name the directory that holds its metadata, or one that has it at one of these places",
    )


def set_source(
    workspace: Workspace, scope: SourceScope, organization: str, name: str, url: str | None
) -> SourceSet:
    """Let a repository ("product/label"), a product, or the organization (`name` is not looked at) be brought in from
    `url` from now on; None: from the upstream again.

    Every repository for which it would count and that has an upstream must be found there, and may be taken from
    there: else nothing is stored. Raises Refused with a problem for each that is not.
    """
    from orchestrator.content.catalog import audit

    place = base_address(url) if url else ""
    found: list[tuple[str, str]] = []
    if place:
        with workspace.catalog.reading() as session:
            concerned = _concerned(workspace, session, scope, organization, name)
        found = _find(workspace, Override(place, scope), concerned)
    with workspace.catalog.changing(workspace.actor) as session:
        before = _store(session, scope, organization, name, place)
        subject = "/".join(
            filter(None, (organization, name if scope is not SourceScope.ORGANIZATION else ""))
        )
        audit.note(session, workspace.actor, "set-source", subject, {"scope": scope.value, "url": place})
    return SourceSet(scope, name, place, before, tuple(found))


def _concerned(
    workspace: Workspace, session: "Session", scope: SourceScope, organization: str, name: str
) -> list[tuple[Upstream, Claims]]:
    """The repositories with an upstream for which an override of this scope would count."""
    from orchestrator.content.catalog import organizations, products, repositories

    if scope is SourceScope.REPOSITORY:
        chosen = [repositories.get(session, organization, name)]
    elif scope is SourceScope.PRODUCT:
        product = products.get(session, organization, name)
        chosen = [r for r in repositories.all(session, organization, product.label) if not r.source_url]
    else:
        organizations.get(session, organization)
        nearer = {each.label for each in products.all(session, organization) if each.source_url}
        chosen = [
            each
            for each in repositories.all(session, organization)
            if not each.source_url and each.product not in nearer
        ]
    alone = scope is SourceScope.REPOSITORY
    return [
        (upstream_of(workspace, session, each), ownership.claims_on(workspace, session, each))
        for each in chosen
        if alone or each.mirror or each.upstream
    ]


def _find(
    workspace: Workspace, override: Override, concerned: list[tuple[Upstream, Claims]]
) -> list[tuple[str, str]]:
    found, problems = [], []
    refused: list[OrchestratorError] = []
    with Scout(workspace) as scout:
        for upstream, claims in concerned:
            path = upstream.repository.path
            try:
                address = redirected(scout, upstream, override, claims).source.baseurls[0]
                found.append((path, address))
            except Refused as error:
                refused.append(error)
                problems += [Problem(path, error.message), *error.problems]
    if len(concerned) == 1 and refused:
        raise refused[0]
    if problems:
        raise Refused(
            f"{len(refused)} of {len(concerned)} repositories cannot be brought in from {override.url}:"
            " nothing was changed",
            problems=problems,
            hint="name a place that holds them all, or set the source of single products or repositories",
        )
    return found


def _store(session: "Session", scope: SourceScope, organization: str, name: str, url: str) -> str:
    """The place before."""
    from orchestrator.content.catalog import organizations, products, repositories

    if scope is SourceScope.REPOSITORY:
        repository = repositories.get(session, organization, name)
        repositories.update(session, replace(repository, source_url=url))
        return repository.source_url
    if scope is SourceScope.PRODUCT:
        product = products.get(session, organization, name)
        products.update(session, replace(product, source_url=url))
        return product.source_url
    owner = organizations.get(session, organization)
    organizations.update(session, replace(owner, source_url=url))
    return owner.source_url
