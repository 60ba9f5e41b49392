# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots: generations of a repository's store that the catalog knows, and that stay as long as it does.

A generation is pinned, its list kept, then the row is written; a row is removed, then the pin. What a crash leaves
in between is a pin without a row, which the next snapshot of the repository lets go.
"""

from orchestrator.content.catalog import exports, receipts, repositories, snapshots
from orchestrator.content.catalog.model import Repository, Snapshot
from orchestrator.content.generations import Generation, MirrorStore
from orchestrator.content.workspace import Workspace
from orchestrator.errors import Refused

# Seconds: so long does no run hold the lock of a store just to note a snapshot.
_MOMENT = 10.0


def take(
    workspace: Workspace, repository: Repository, origin: str = "sync", *, wait: float = 0.0
) -> Snapshot:
    """The snapshot of what the repository shows now, made if it is not there. Raises Refused when it shows nothing
    yet, and Busy after `wait` seconds, or those that another run needs to note a snapshot."""
    store = workspace.store(repository)
    current = store.current()
    if current is None:
        raise Refused(
            f"{repository.path} has no content yet",
            hint=f"orchestrator repository sync {repository.path}, or import it",
        )
    known = _of_generation(workspace, repository, current.number)
    if known is not None and current.number in store.pins():
        return known
    with store.lock(max(wait, _MOMENT)):
        current = store.current() or current
        return add(workspace, repository, current, origin)


def add(workspace: Workspace, repository: Repository, generation: Generation, origin: str) -> Snapshot:
    """The snapshot of a generation, published or not. To be called under the store's lock."""
    store = workspace.store(repository)
    store.pin(store.pins() | {generation.number})
    known = _of_generation(workspace, repository, generation.number)
    if known is not None:
        return known
    own, record = generation.inventory().own, generation.record
    made = Snapshot(
        repository.organization,
        repository.product,
        repository.label,
        generation.number,
        workspace.inventories.keep(own),
        len(own),
        record.packages,
        record.bytes,
        record.time,
        origin,
    )
    with workspace.catalog.changing(workspace.actor) as session:
        snapshots.add(session, made)
    _let_go(workspace, repository, store)
    return made


def _of_generation(workspace: Workspace, repository: Repository, number: int) -> Snapshot | None:
    with workspace.catalog.reading() as session:
        there = snapshots.all(session, repository)
    return next((each for each in there if each.number == number), None)


def _let_go(workspace: Workspace, repository: Repository, store: MirrorStore) -> None:
    """Forget the snapshots beyond the configured number that no view version refers to."""
    current = store.current()
    with workspace.catalog.changing(workspace.actor) as session:
        there, used = snapshots.all(session, repository), snapshots.used(session, repository)
        shown = {current.number} if current else set()
        kept = {each.number for each in there[: workspace.common.keep]} | used | shown
        gone = [each for each in there if each.number not in kept]
        for each in gone:
            snapshots.remove(session, repository, each.number)
    store.pin(kept & {each.number for each in there})
    _forget_lists(workspace, {each.inventory for each in gone})


def _forget_lists(workspace: Workspace, digests: set[str]) -> None:
    """Remove the lists of snapshots that are gone, but for those that an increment may still be built on: of what
    was sent, and of what was confirmed."""
    if not digests:
        return
    with workspace.catalog.reading() as session:
        digests -= snapshots.inventories(session)
        texts = [each.manifest for each in exports.all(session)]
        texts += [each.document for each in receipts.all(session)]
    for digest in digests:
        if not any(digest in text for text in texts):
            workspace.inventories.forget(digest)


def newest(workspace: Workspace, organization: str, path: str) -> Snapshot:
    """What a repository shows now, as a snapshot. Raises Refused when there is no such repository, or no content."""
    with workspace.catalog.reading() as session:
        repository = repositories.get(session, organization, path)
    return take(workspace, repository)
