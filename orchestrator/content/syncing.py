# SPDX-License-Identifier: GPL-3.0-or-later
"""Sync: bring a repository of the catalog in from its upstream, or from elsewhere, and take the snapshot of it.

It is a clone of one source, as `mirror clone` makes it; a repository that is a mirror of mirrors.yaml is cloned by
what that says. A sync that is cut off is gone on with by the same command: what was published without becoming a
snapshot becomes one.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from orchestrator.content import ownership, snapshotting
from orchestrator.content.catalog import repositories
from orchestrator.content.catalog.model import Repository, Snapshot
from orchestrator.content.engine import Engine
from orchestrator.content.fetching import Brought, Wanted
from orchestrator.content.mirror import Wish, clone
from orchestrator.content.model import Digest, FileRef, Lost, Role, StoredFile
from orchestrator.content.outcome import Outcome, Status
from orchestrator.content.overriding import Override, nearest, redirected
from orchestrator.content.ownership import Claims
from orchestrator.content.pool import Pool
from orchestrator.content.probing import Scout
from orchestrator.content.sourcing import Upstream, addresses_of, upstream_of
from orchestrator.content.tree import key_file
from orchestrator.content.workspace import Workspace
from orchestrator.errors import (
    BadContent,
    Interrupted,
    Invalid,
    OrchestratorError,
    Refused,
    TransferFailed,
)


class Options(TypedDict, total=False):
    """What the caller of a sync asks for beside the catalog, as in `mirror.Wish`; `wait_lock` in seconds."""

    force: bool
    allow_stale: bool
    allow_shrink: bool
    dry_run: bool
    wait_lock: float
    full_check: bool


@dataclass(frozen=True, slots=True)
class Synced:
    """What became of one repository. `address` is where it was asked for; `scope` of the override that led there,
    "once" for one that is not kept, "" for the upstream. `snapshot` is None after a dry run and a failure."""

    repository: Repository
    outcome: Outcome
    address: str
    scope: str = ""
    snapshot: Snapshot | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            **self.outcome.to_json(),
            "organization": self.repository.organization,
            "repository": self.repository.path,
            "address": self.address,
            "scope": self.scope,
            "snapshot": self.snapshot.number if self.snapshot else None,
            "inventory": self.snapshot.inventory if self.snapshot else "",
        }


@dataclass(frozen=True, slots=True)
class Fetched:
    """What of the missing files is here again, and what is not and why."""

    brought: tuple[StoredFile, ...]
    lost: tuple[Lost, ...]


def sync(
    workspace: Workspace,
    organization: str,
    path: str,
    *,
    source_url: str = "",
    **options: Unpack[Options],
) -> Synced:
    """Bring the repository "product/label" in, from `source_url` this once if it is given, and take a snapshot.

    What fails while it is brought in is the outcome's error, and the repository keeps what it shows. Raises Refused
    when there is no such repository, it has no upstream, is not at the place, or may not be taken from there; Invalid
    for an upstream that cannot be; Interrupted.
    """
    repository, upstream, override, claims = _prepared(workspace, organization, path, source_url)
    upstream = _checked(workspace, upstream, override, claims)
    source = upstream.source
    with workspace.engine(upstream.sources, [repository]) as engine:
        _check_list(engine, upstream, claims)
        outcome = clone(engine, upstream.sources, [source.name], Wish(**options))[0]
    outcome = _named(outcome, repository, source.name)
    snapshot = None
    if outcome.error is None and not options.get("dry_run"):
        snapshot = snapshotting.take(workspace, repository, "sync", wait=options.get("wait_lock", 0.0))
    return Synced(repository, outcome, source.address, _scope(override), snapshot)


def sync_each(
    workspace: Workspace,
    organization: str,
    paths: Sequence[str],
    *,
    source_url: str = "",
    **options: Unpack[Options],
) -> list[Outcome]:
    """`sync` of each; one that fails does not keep the others from going on. Raises Interrupted."""
    outcomes = []
    for path in paths:
        try:
            synced = sync(workspace, organization, path, source_url=source_url, **options)
            outcomes.append(synced.outcome)
        except Interrupted:
            raise
        except OrchestratorError as error:
            outcomes.append(Outcome(path, Status.FAILED, error=error))
    return outcomes


def syncable(workspace: Workspace, organization: str) -> list[str]:
    """The repositories that a sync of all brings in: those with an upstream, and mirrors that mirrors.yaml has."""
    from orchestrator.content.mirrors_file import find_mirrors, load_mirrors

    with workspace.catalog.reading() as session:
        there = repositories.all(session, organization)
    mirrored: set[str] = set()
    if any(each.mirror for each in there):
        mirrors = load_mirrors(find_mirrors(workspace.settings.mirrors))
        mirrored = {source.name for source in mirrors.sources}
    return [each.path for each in there if each.upstream or each.mirror in mirrored]


def _prepared(
    workspace: Workspace, organization: str, path: str, source_url: str
) -> tuple[Repository, Upstream, Override | None, Claims]:
    """Everything that the catalog has to say."""
    with workspace.catalog.reading() as session:
        repository = repositories.get(session, organization, path)
        upstream = upstream_of(workspace, session, repository)
        override = nearest(session, repository, source_url)
        return repository, upstream, override, ownership.claims_on(workspace, session, repository)


def _checked(workspace: Workspace, upstream: Upstream, override: Override | None, claims: Claims) -> Upstream:
    """The upstream as it is to be asked for. Whether the address of one lies in an export is looked up when it is
    asked for the first time: it was held to the catalog before."""
    if override is not None:
        with Scout(workspace) as scout:
            return redirected(scout, upstream, override, claims)
    repository, source = upstream.repository, upstream.source
    if repository.mirror:
        return upstream
    claims.check(addresses_of(source))
    if workspace.store(repository).asked() != source.address:
        with Scout(workspace) as scout:
            for address in source.baseurls:
                claims.check([address], ownership.exports_at(scout, address))
    return upstream


def _check_list(engine: Engine, upstream: Upstream, claims: Claims) -> None:
    """Where a list of mirrors leads is held to the catalog, too. What is wrong with the list itself, the clone tells.
    Raises Refused."""
    if upstream.source.baseurls or upstream.repository.mirror:
        return
    with contextlib.suppress(TransferFailed, BadContent):
        found = engine.addresses(upstream.source).by_prefix
        claims.check([address for addresses in found.values() for address in addresses])


def _scope(override: Override | None) -> str:
    if override is None:
        return ""
    return override.scope.value if override.scope else "once"


def _named(outcome: Outcome, repository: Repository, store: str) -> Outcome:
    """In the words of the catalog."""
    error = outcome.error
    if error is not None and not repository.mirror:
        again = f"orchestrator repository sync {repository.path}"
        error.hint = error.hint.replace(f"orchestrator mirror clone {store}", again)
    return replace(outcome, source=repository.path)


def fetch_missing(
    workspace: Workspace, repository: Repository, files: Sequence[StoredFile], *, wait: float = 0.0
) -> Fetched:
    """Bring the bytes of a snapshot's files that the pool lacks in again, by their digests: from trees that have them,
    then from where the repository is brought in, and its keys. What cannot be had so is told. Raises Busy after `wait`
    seconds of another run's work on it, TransferFailed when a place does not answer, Interrupted."""
    pool, store = workspace.pool, workspace.store(repository)
    with store.lock(wait):
        absent = [file for file in files if pool.size(file.sha256) != file.size]
        trees = [each.tree for each in store.generations()]
        missing = [file for file in absent if not _taken_back(pool, trees, file)]
        lost = _brought(workspace, repository, missing) if missing else ()
    gone = {each.what for each in lost}
    return Fetched(tuple(file for file in absent if file.path not in gone), lost)


def _brought(workspace: Workspace, repository: Repository, missing: Sequence[StoredFile]) -> tuple[Lost, ...]:
    """What could not be brought in."""
    try:
        _, upstream, override, claims = _prepared(workspace, repository.organization, repository.path, "")
        upstream = _checked(workspace, upstream, override, claims)
    except (Refused, Invalid) as error:
        return tuple(Lost(file.path, error.message) for file in missing)
    with workspace.engine(upstream.sources, [repository]) as engine:
        try:
            _check_list(engine, upstream, claims)
        except Refused as error:
            return tuple(Lost(file.path, error.message) for file in missing)
        if upstream.source.keys:
            from orchestrator.content.signatures import Keyring

            key_file(engine, Keyring.load(upstream.source.keys).armoured())
        brought = engine.fetcher(upstream.source).bring([_wanted(file) for file in missing])
        engine.pool.settle()
    return tuple(_lost(each) for each in brought if each.stored is None)


def _taken_back(pool: Pool, trees: Sequence[Path], file: StoredFile) -> bool:
    places = (tree / file.path for tree in trees)
    return any(place.is_file() and pool.take_back(place, file.sha256) for place in places)


def _wanted(file: StoredFile) -> Wanted:
    return Wanted(FileRef(file.path, file.size, Digest("sha256", file.sha256)), role=Role.PACKAGE)


def _lost(brought: Brought) -> Lost:
    return Lost(brought.wanted.file.path, brought.why or str(brought.ending), url=brought.url)
