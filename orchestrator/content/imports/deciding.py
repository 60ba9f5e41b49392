# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of each thing in an export when it is imported here. Pure: of the manifest and what is here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

from orchestrator.content.catalog.model import (
    DEFAULT_VIEW,
    LIBRARY,
    Repository,
)
from orchestrator.content.exports.manifest import (
    EnvironmentEntry,
    KeyEntry,
    Manifest,
    ProductEntry,
    RepositoryEntry,
    VersionEntry,
)
from orchestrator.content.imports.here import Here, Holdings
from orchestrator.content.imports.protection import Ruling, rule

ItemKind = Literal["organization", "product", "key", "repository", "view", "version", "environment"]


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Wish:
    """How to import. `create`: make what is missing (else it is refused). `allow_older`: also what is older than
    what is here. `organization`: into this one instead of the export's own."""

    create: bool = True
    allow_older: bool = False
    all_or_nothing: bool = False
    organization: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """`name` is what it is called here; `reason` says why it is refused, or what is special. Of a repository:
    `inventory`, when it was `made` by the sender, `sent_as` its path there, and whether it is to `switch`: whether
    clients of the library are to see it. Of a version and an environment: what it is to `show` (view, number)."""

    kind: ItemKind
    name: str
    action: Action
    reason: str = ""
    hint: str = ""
    inventory: str = ""
    made: str = ""
    sent_as: str = ""
    switch: bool = False
    show: tuple[tuple[str, int], ...] = ()

    @property
    def refused(self) -> bool:
        return self.action is Action.REFUSE

    @property
    def changes(self) -> bool:
        return self.action in (Action.CREATE, Action.UPDATE)

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"kind": self.kind, "name": self.name, "action": self.action.value}
        if self.kind == "repository":
            document |= {"inventory": self.inventory, "made": self.made, "sent_as": self.sent_as}
        return document | ({"reason": self.reason, "hint": self.hint} if self.reason else {})


def decide(
    manifest: Manifest, here: Here, wish: Wish, unreadable: Mapping[str, str] | None = None
) -> tuple[Item, ...]:
    """An item for everything in the export, in the order in which they are made. `unreadable` says of inventories
    what is wrong with them."""
    items = _without_use(manifest, tuple(_Decision(manifest, here, wish, unreadable or {}).items()))
    if all(item.refused for item in items if item.kind == "repository") and manifest.repositories:
        reason = "all repositories of the export are refused"
        return tuple(_refuse(item, reason) if item.changes else item for item in items)
    return items


def _without_use(manifest: Manifest, items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Snapshots that are sent for view versions, none of which goes in, go in neither."""
    refused = {item.name for item in items if item.kind == "version" and item.refused}
    if not refused:
        return items
    good = [each for each in manifest.versions if f"{each.view} {each.number}" not in refused]
    held = {(path, inventory) for each in good for _, path, inventory in each.contents}
    reason = "the view versions that hold it are refused"
    return tuple(
        _refuse(item, reason)
        if item.kind == "repository" and item.changes and (item.sent_as, item.inventory) not in held
        else item
        for item in items
    )


class _Decision:
    def __init__(self, manifest: Manifest, here: Here, wish: Wish, unreadable: Mapping[str, str]) -> None:
        self.manifest, self.here, self.wish, self.unreadable = manifest, here, wish, unreadable
        self.rulings = {each.label: self._rule(each) for each in manifest.products}
        self.switches = manifest.subject.kind in ("repository", "product", "library")
        self.refused: dict[str, str] = {}  # repositories of the sender, as they are called here
        self.refused_versions: set[tuple[str, int]] = set()

    def items(self) -> Iterator[Item]:
        yield self._organization()
        for product in self.manifest.products:
            yield self._product(product)
        for key in self.manifest.keys:
            yield self._key(key)
        yield from self._content_items()
        for view in dict.fromkeys(version.view for version in self.manifest.versions):
            yield self._view(view)
        if self.manifest.subject.kind == "environment":
            for environment in self.manifest.environments:
                yield self._environment(environment)

    def _here(self, command: str) -> str:
        """A command (other hints are left as they are) that is about the organization of the import."""
        if self.here.usual or not command.startswith("orchestrator "):
            return command
        whose = self.here.organization
        first = "" if self.here.exists else f"orchestrator organization create {whose} && "
        return f"{first}{command} --organization {whose}"

    def _content_items(self) -> Iterator[Item]:
        """Each version directly after the last of its snapshots: what it holds stays, whatever else comes."""
        waiting = sorted(self.manifest.versions, key=lambda each: (each.number, each.view))
        there: set[tuple[str, str]] = set()
        for entry in in_order_of_making(self.manifest):
            yield self._noted(entry, self._repository(entry))
            there.add((entry.path, entry.inventory))
            ready = [each for each in waiting if {held[1:] for held in each.contents} <= there]
            waiting = [each for each in waiting if each not in ready]
            yield from map(self._noted_version, ready)
        yield from map(self._noted_version, waiting)

    def _noted(self, entry: RepositoryEntry, item: Item) -> Item:
        if item.refused:
            self.refused[entry.path] = item.name
        return item

    def _noted_version(self, version: VersionEntry) -> Item:
        item = self._version(version)
        if item.refused:
            self.refused_versions.add((version.view, version.number))
        return item

    def _may_create(self, item: Item, what: str) -> Item:
        if self.wish.create:
            return item
        return _refuse(item, f"{what} is not here, and nothing is to be made", "leave --no-create away")

    def _organization(self) -> Item:
        item = Item("organization", self.here.organization, Action.CREATE)
        if self.here.exists:
            return replace(item, action=Action.UNCHANGED)
        return self._may_create(item, f"the organization {item.name}")

    def _rule(self, entry: ProductEntry) -> Ruling:
        return rule(entry, self.here.products)

    def _product(self, entry: ProductEntry) -> Item:
        ruling = self.rulings[entry.label]
        item = Item("product", ruling.label or entry.label, Action.UNCHANGED, sent_as=entry.label)
        if ruling.refused:
            return _refuse(item, ruling.refused, self._here(ruling.hint))
        if ruling.missing:
            return self._may_create(replace(item, action=Action.CREATE), f"the product {item.name}")
        return item

    def _key(self, entry: KeyEntry) -> Item:
        item = Item("key", entry.name, Action.UNCHANGED)
        there = self.here.keys.get(entry.name)
        if there is None:
            return self._may_create(replace(item, action=Action.CREATE), f"the key {entry.name}")
        if there.strip() != entry.armoured.strip():
            reason = "there is another key of this name here, which stays"
            return _refuse(item, reason, "replace the one here where it is declared, and import again")
        return item

    def _repository(self, entry: RepositoryEntry) -> Item:
        ruling = self.rulings[entry.product]
        path = f"{ruling.label or entry.product}/{entry.label}"
        there = self.here.repositories.get(path)
        holdings = self.here.holdings.get(path, Holdings())
        item = Item(
            "repository",
            path,
            Action.UPDATE,
            inventory=entry.inventory,
            made=entry.made,
            sent_as=entry.path,
            switch=self.switches or holdings.is_behind(entry.made),
        )
        if ruling.refused:
            return _refuse(item, "its product is refused")
        if entry.inventory in self.unreadable:
            return _refuse(item, self.unreadable[entry.inventory])
        if there is None:
            return self._new_repository(item, entry)
        return self._of_one_that_is_here(item, entry, there, holdings)

    def _of_one_that_is_here(
        self, item: Item, entry: RepositoryEntry, there: Repository, holdings: Holdings
    ) -> Item:
        if there.type != entry.type:
            return _refuse(
                item,
                f"it is of the type {there.type} here, and {entry.type} in the export",
                "give the repository here another label, or import into another organization",
            )
        detour = self.here.detours.get(item.name, "")
        if detour:
            undo = f"orchestrator repository set-source --undo {item.name}"
            return _refuse(item, detour, self._here(undo))
        return self._content(item, holdings)

    def _new_repository(self, item: Item, entry: RepositoryEntry) -> Item:
        if self._kind_of(entry.product) == "vendor":
            return _refuse(
                item,
                "imports make no repository of a vendor's product",
                self._here(f"orchestrator repository create {item.name} --type {entry.type}"),
            )
        return self._may_create(replace(item, action=Action.CREATE), f"the repository {item.name}")

    def _kind_of(self, product: str) -> str:
        return next(each.kind for each in self.manifest.products if each.label == product)

    def _content(self, item: Item, holdings: Holdings) -> Item:
        """What to do with the content of a repository that is here."""
        unchanged = replace(item, action=Action.UNCHANGED)
        if not item.switch:
            return unchanged if item.inventory in holdings.all else item
        if item.inventory == holdings.newest:
            return unchanged if holdings.shown == item.inventory else item
        is_older = bool(holdings.made) and item.made < holdings.made
        if not is_older or self.wish.allow_older:
            return item
        shown = 23 if item.made[:16] == holdings.made[:16] else 16  # no more than tells them apart
        newer = f"what is here is newer: of {holdings.made[:shown]}, and this is of {item.made[:shown]}"
        if self.manifest.id in self.here.imported and item.inventory in holdings.all:
            return replace(unchanged, reason=newer)
        return _refuse(item, newer, "to go back to it: --allow-older")

    def _view(self, label: str) -> Item:
        item = Item("view", label, Action.UNCHANGED)
        if label == DEFAULT_VIEW:
            return _refuse(item, f"{label} is what the library shows of every repository, not a view")
        there = self.here.views.get(label)
        if there is None:
            newest = max((v for v in self.manifest.versions if v.view == label), key=lambda each: each.number)
            if bad := self._refused_in(newest):
                return _refuse(item, f"it holds {bad}, which is refused")
            return self._may_create(replace(item, action=Action.CREATE), f"the view {label}")
        if there.views:
            reason = "it is composed of other views here: its versions are made of theirs"
            return _refuse(item, reason, "give the view here another label, and import again")
        return item

    def _version(self, entry: VersionEntry) -> Item:
        name = f"{entry.view} {entry.number}"
        item = Item("version", name, Action.CREATE, show=((entry.view, entry.number),))
        if bad := self._refused_in(entry):
            return _refuse(item, f"it holds {bad}, which is refused")
        view = self._view(entry.view)
        if view.refused:
            return _refuse(item, f"the view {entry.view} is refused", view.hint)
        there = self.here.versions.get((entry.view, entry.number))
        if there is not None:
            if dict(there) != {path: inventory for path, _, inventory in entry.contents}:
                return _refuse(
                    item,
                    f"version {entry.number} of {entry.view} is here with other content",
                    "give the view here another label, or import into another organization",
                )
            item = replace(item, action=Action.UNCHANGED)
        return self._shown_in_library(item, entry)

    def _refused_in(self, entry: VersionEntry) -> str:
        """The repositories in a version that are refused, as they are called here."""
        found = {self.refused[sent] for _, sent, _ in entry.contents if sent in self.refused}
        return ", ".join(sorted(found))

    def _shown_in_library(self, item: Item, entry: VersionEntry) -> Item:
        """The newest of the view's versions in the export goes into the library, unless there is a newer one."""
        newest = max(each.number for each in self.manifest.versions if each.view == entry.view)
        library = self.here.environments.get(LIBRARY)
        shown = library.shows.get(entry.view, 0) if library else 0
        if entry.number != newest:
            return replace(item, show=())
        if shown > entry.number and not self.wish.allow_older:
            return replace(item, show=(), reason=f"the library goes on to show version {shown}")
        if shown != entry.number and item.action is Action.UNCHANGED:
            return replace(item, action=Action.UPDATE)
        return item if shown != entry.number else replace(item, show=())

    def _environment(self, entry: EnvironmentEntry) -> Item:
        """An environment shows what the sender's does, in whatever order that was promoted."""
        there = self.here.environments.get(entry.label)
        shows = tuple(sorted(entry.shows.items()))
        item = Item("environment", entry.label, Action.UPDATE, show=shows)
        bad = [f"{view} {number}" for view, number in shows if (view, number) in self.refused_versions]
        if bad:
            return _refuse(item, f"version {bad[0]} is refused")
        if there is None:
            return self._may_create(replace(item, action=Action.CREATE), f"the environment {entry.label}")
        if all(there.shows.get(view) == number for view, number in shows):
            return replace(item, action=Action.UNCHANGED, show=())
        return item


def _refuse(item: Item, reason: str, hint: str = "") -> Item:
    return replace(item, action=Action.REFUSE, reason=reason, hint=hint)


def in_order_of_making(manifest: Manifest) -> list[RepositoryEntry]:
    """The snapshots of the older view versions first, so that each version can be noted before the next ones are
    made; of one repository the older first, so that the newest is what is shown in the end."""
    first: dict[tuple[str, str], int] = {}
    for version in manifest.versions:
        for _, path, inventory in version.contents:
            number = first.get((path, inventory), version.number)
            first[path, inventory] = min(number, version.number)
    return sorted(
        manifest.repositories,
        key=lambda each: (first.get((each.path, each.inventory), 0), each.path, each.made, each.inventory),
    )
