# SPDX-License-Identifier: GPL-3.0-or-later
"""What has come of an export becomes what this server has: rows, generations, snapshots, versions; and is shown.

Each deed looks first whether it was done already, so that a run that was cut off anywhere is ended by the next one.
A generation is made without being seen, its snapshot noted, then it is shown by one rename.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.content import inventories, removal, showing, snapshotting
from orchestrator.content.catalog import audit, environments, keys, organizations, products, snapshots
from orchestrator.content.catalog import repositories as repository_rows
from orchestrator.content.catalog import views as view_rows
from orchestrator.content.catalog.model import (
    LIBRARY,
    Environment,
    Key,
    Organization,
    Product,
    Repository,
    Snapshot,
    View,
    ViewVersion,
)
from orchestrator.content.events import Name
from orchestrator.content.exports.manifest import RepositoryEntry, VersionEntry
from orchestrator.content.formats.known import format_of
from orchestrator.content.generations import Generation, MirrorStore, Record
from orchestrator.content.imports.deciding import Action, Item
from orchestrator.content.imports.plan import ExportPlan
from orchestrator.content.workspace import Workspace
from orchestrator.errors import Refused

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

# What is to be seen: {"repository": path, "number": n}, or {"view": label, "number": n, "environment": label}.
Switch = dict[str, Any]


class Publisher:
    """Does what `planned` says, one item at a time. `wait`: seconds for other runs on a repository to end."""

    def __init__(self, workspace: Workspace, planned: ExportPlan, wait: float = 0.0) -> None:
        self._workspace, self._planned, self._wait = workspace, planned, wait
        self._manifest = planned.found.manifest
        self._here = {item.sent_as: item.name for item in planned.items if item.kind == "repository"}

    @property
    def _organization(self) -> str:
        return self._planned.organization

    def make_row(self, item: Item) -> None:
        """Of an organization, a product, a key or a view; nothing when it is there."""
        with self._workspace.catalog.changing(self._workspace.actor) as session:
            if item.kind == "organization":
                self._make_organization(session)
            elif item.kind == "product":
                self._make_product(session, item.sent_as, item.name)
            elif item.kind == "key":
                self._make_keys(session, [item.name])
            elif item.kind == "view":
                self._make_view(session, item.name, again=True)

    def _make_organization(self, session: "Session") -> None:
        if self._organization not in {each.label for each in organizations.all(session)}:
            name = self._manifest.organization_name
            organizations.create(session, Organization(self._organization, name))
            self._note(session, "organization.create", self._organization)

    def _make_product(self, session: "Session", sent_as: str, label: str) -> None:
        if label in {each.label for each in products.all(session, self._organization)}:
            return
        entry = next(each for each in self._manifest.products if each.label == sent_as)
        if entry.kind == "vendor":
            raise Refused(f"the vendor's product {label} is gone, and imports make none")
        products.create(session, Product(self._organization, label, name=entry.name))
        self._note(session, "product.create", f"{self._organization}/{label}")

    def _make_keys(self, session: "Session", names: Sequence[str]) -> list[str]:
        """The keys of these names that are here then, and are those of the export."""
        there = {each.name: each.armoured for each in keys.all(session, self._organization)}
        refused = {item.name for item in self._planned.items if item.kind == "key" and item.refused}
        found = []
        for entry in self._manifest.keys:
            if entry.name not in names or entry.name in refused:
                continue
            if entry.name not in there:
                keys.add(session, Key(self._organization, entry.name, entry.armoured))
                self._note(session, "key.add", f"{self._organization}/{entry.name}")
            found.append(entry.name)
        return found

    def _make_view(self, session: "Session", label: str, *, again: bool = False) -> None:
        """Of the repositories of its newest version in the export, as far as they are here; `again`: also when it
        is there."""
        is_there = label in {each.label for each in view_rows.all(session, self._organization)}
        if is_there and not again:
            return
        newest = max(
            (each for each in self._manifest.versions if each.view == label), key=lambda each: each.number
        )
        here = {each.path for each in repository_rows.all(session, self._organization)}
        paths = sorted({self._here[sent] for _, sent, _ in newest.contents} & here)
        view = View(self._organization, label, newest.name, tuple(paths))
        if is_there:
            view_rows.update(session, view)
        else:
            view_rows.create(session, view)
            self._note(session, "view.create", f"{self._organization}/{label}")

    def _note(self, session: "Session", action: str, subject: str, **details: Any) -> None:
        details["export"] = self._manifest.id
        audit.note(session, self._workspace.actor, action, subject, details)

    # --- repositories

    def bring(self, item: Item) -> Switch:
        """Make a repository have the snapshot that `item` says, unseen. All its objects are in the pool. Raises
        Busy, Refused, BadContent, OSError."""
        entry = self._entry(item)
        repository = self._repository(item, entry)
        store = self._workspace.store(repository)
        with store.lock(self._wait):
            snapshot = self._known(repository, store, item)
            if snapshot is None:
                generation = self._left_behind(repository, store, item) or self._make(store, item, entry)
                snapshot = snapshotting.add(self._workspace, repository, generation, "import")
                with self._workspace.catalog.changing(self._workspace.actor) as session:
                    subject = f"{self._organization}/{repository.path}"
                    self._note(session, "repository.import", subject, snapshot=snapshot.number)
        return {"repository": repository.path, "number": snapshot.number}

    def _entry(self, item: Item) -> RepositoryEntry:
        return next(
            each
            for each in self._manifest.repositories
            if (each.path, each.inventory) == (item.sent_as, item.inventory)
        )

    def _repository(self, item: Item, entry: RepositoryEntry) -> Repository:
        product, _, label = item.name.partition("/")
        if item.action is Action.CREATE:
            removal.clear_away(self._workspace)
        with self._workspace.catalog.changing(self._workspace.actor) as session:
            self._make_organization(session)
            self._make_product(session, entry.product, product)
            there = {
                each.path: each for each in repository_rows.all(session, self._organization, product)
            }.get(item.name)
            names = self._make_keys(session, entry.keys)
            if there is None:
                there = Repository(self._organization, product, label, entry.type, name=entry.name)
                repository_rows.create(session, there)
                self._note(session, "repository.create", f"{self._organization}/{item.name}")
            if not there.upstream and names:  # one that nothing but imports fills
                keys.set_of_repository(session, there, names)
        return there

    def _known(self, repository: Repository, store: MirrorStore, item: Item) -> Snapshot | None:
        """The snapshot, when it is there; one that is to be seen has to be the newest."""
        with self._workspace.catalog.reading() as session:
            if item.switch:
                found = snapshots.newest(session, repository)
            else:
                found = snapshots.with_inventory(session, repository, item.inventory)
        if found is None or found.inventory != item.inventory:
            return None
        return found if found.number in {each.number for each in store.generations()} else None

    def _left_behind(self, repository: Repository, store: MirrorStore, item: Item) -> Generation | None:
        """What a run made that was cut off before it could note the snapshot."""
        with self._workspace.catalog.reading() as session:
            noted = {each.number for each in snapshots.all(session, repository)}
        for generation in reversed(store.generations()):
            if generation.number in noted or generation.record.fingerprint != item.inventory:
                continue
            listed = inventories.list_bytes(generation.inventory().own)
            if inventories.digest_of(listed) == item.inventory:
                return generation
        return None

    def _make(self, store: MirrorStore, item: Item, entry: RepositoryEntry) -> Generation:
        record = Record(
            store.name,
            entry.type,
            entry.mode,
            fingerprint=item.inventory,
            packages=entry.packages,
            upstream=tuple((suite, "", "") for suite in entry.suites),
        )
        self._workspace.tell(Name.PUBLISHING, item.name, generation=0)
        return store.publish(
            self._planned.found.inventory(item.inventory),
            record,
            names_that_last=lasting(entry.type),
            keep=self._workspace.common.keep,
            switch=False,
        )

    # --- view versions and environments

    def add_version(self, item: Item) -> Switch | None:
        """Note a version of a view, of snapshots that are here; what is to be seen of it. Raises Refused."""
        entry = self._version_entry(item)
        with self._workspace.catalog.changing(self._workspace.actor) as session:
            self._make_view(session, entry.view)
            there = {each.number for each in view_rows.versions(session, self._organization, entry.view)}
            if entry.number not in there:
                contents = tuple(sorted(self._contents(session, entry)))
                made = ViewVersion(
                    self._organization, entry.view, entry.number, entry.made, contents, entry.description
                )
                view_rows.add_version(session, made)
                self._note(session, "view.import", f"{self._organization}/{entry.view} {entry.number}")
        if not item.show:
            return None
        return {"view": entry.view, "number": entry.number, "environment": LIBRARY}

    def _version_entry(self, item: Item) -> VersionEntry:
        return next(each for each in self._manifest.versions if f"{each.view} {each.number}" == item.name)

    def _contents(self, session: "Session", entry: VersionEntry) -> Iterator[tuple[str, Snapshot]]:
        for path, sent, inventory in entry.contents:
            repository = repository_rows.get(session, self._organization, self._here[sent])
            snapshot = snapshots.with_inventory(session, repository, inventory)
            if snapshot is None:
                raise Refused(f"{repository.path} does not have the snapshot that the version shows")
            yield path, snapshot

    def make_environment(self, item: Item) -> list[Switch]:
        """An environment, if it is missing, and what is to be seen in it."""
        entry = next(each for each in self._manifest.environments if each.label == item.name)
        with self._workspace.catalog.changing(self._workspace.actor) as session:
            there = {each.label for each in environments.all(session, self._organization)}
            if entry.label not in there:
                after = entry.after if entry.after in there else LIBRARY
                made = Environment(self._organization, entry.label, entry.name, after)
                environments.create(session, made)
                self._note(session, "environment.create", f"{self._organization}/{entry.label}")
        return [{"view": view, "number": number, "environment": entry.label} for view, number in item.show]


def lasting(type_: str) -> Callable[[str], bool]:
    """Which files of a tree may outlive their generation there."""
    return (lambda _: False) if type_ == "file" else format_of(type_).names_that_last


def switch(workspace: Workspace, organization: str, what: Switch, *, wait: float = 0.0) -> None:
    """Let clients see something, by one rename; nothing when they do. Raises Busy, Refused, OSError."""
    if "view" in what:
        with workspace.catalog.reading() as session:
            version = view_rows.version(session, organization, what["view"], what["number"])
        showing.show(workspace, version, what["environment"])
        return
    with workspace.catalog.reading() as session:
        repository = repository_rows.get(session, organization, what["repository"])
    with workspace.store(repository).lock(wait):
        switch_locked(workspace, repository, what["number"])


def switch_locked(workspace: Workspace, repository: Repository, number: int) -> None:
    """Under the lock of its store."""
    store = workspace.store(repository)
    current = store.current()
    if current is not None and current.number == number:
        return
    shown = store.rollback(number, names_that_last=lasting(repository.type))
    record = shown.record
    workspace.tell(
        Name.PUBLISHED,
        repository.path,
        generation=number,
        path=str(store.published),
        packages=record.packages,
        files=record.files,
        bytes=record.bytes,
        lost=[],
    )


def switch_all(
    workspace: Workspace, organization: str, switches: Sequence[Switch], note: Callable[[], None]
) -> None:
    """Let clients see all of `switches`: nothing is changed before every repository is locked and has what is to be
    seen, and `note` has noted it durably. Raises Busy, Refused, OSError."""
    with workspace.catalog.reading() as session:
        there = {
            each["repository"]: repository_rows.get(session, organization, each["repository"])
            for each in switches
            if "repository" in each
        }
    with contextlib.ExitStack() as stack:
        for repository in there.values():
            stack.enter_context(workspace.store(repository).lock(60.0))
        for each in switches:
            if "repository" in each:
                workspace.store(there[each["repository"]]).generation(each["number"])
        note()
        for each in switches:
            if "repository" in each:
                switch_locked(workspace, there[each["repository"]], each["number"])
            else:
                switch(workspace, organization, each)
