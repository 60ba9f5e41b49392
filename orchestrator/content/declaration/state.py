# SPDX-License-Identifier: GPL-3.0-or-later
"""A state of the catalog, declared or found, and the steps from the one to the other. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from orchestrator.content.catalog.model import (
    LIBRARY,
    Environment,
    Key,
    Organization,
    Product,
    Repository,
    View,
)
from orchestrator.content.upstreams import told

Item = Organization | Product | Key | Repository | View | Environment

# In the order in which they are made; they go in the opposite one.
KINDS: tuple[type[Item], ...] = (Organization, Product, Key, Repository, View, Environment)
# What no file says: where versions are shown, and overrides that `set-source` made.
_NOT_DECLARED = ("shows",)
_KEPT_UNLESS_SAID = ("source_url",)


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class State:
    """`items` by kind and name; `keys` the names of the keys that verify each repository ("org/product/label")."""

    items: Mapping[tuple[str, str], Item]
    keys: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Change:
    """`fields`: name, what is, what is to be (for people). `item` is what is to be, or for DELETE what is."""

    action: Action
    kind: str
    name: str
    item: Item
    fields: tuple[tuple[str, str, str], ...] = ()
    keys: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "action": self.action.value,
            "kind": self.kind,
            "name": self.name,
            "fields": {name: {"is": old, "to be": new} for name, old, new in self.fields},
        }


def kind_of(item: Item) -> str:
    return type(item).__name__.lower()


def name_of(item: Item) -> str:
    """As people name it, its organization first."""
    if isinstance(item, Organization):
        return item.label
    if isinstance(item, Repository):
        return f"{item.organization}/{item.path}"
    return f"{item.organization}/{item.name if isinstance(item, Key) else item.label}"


def state_of(items: Iterable[Item], keys: Mapping[str, tuple[str, ...]]) -> State:
    return State({(kind_of(item), name_of(item)): item for item in items}, keys)


def difference(declared: State, found: State, *, prune: bool = False) -> list[Change]:
    """What brings `found` to `declared`, in an order in which it can be done. What no file declares stays, or with
    `prune` goes, within the organizations that are declared; the library always stays."""
    changes = [change for kind in KINDS for change in _of_kind(kind.__name__.lower(), declared, found)]
    return changes + (_superfluous(declared, found) if prune else [])


def _of_kind(kind: str, declared: State, found: State) -> list[Change]:
    items = [item for (k, _), item in declared.items.items() if k == kind]
    changes = []
    for item in _components_first(items):
        name = name_of(item)
        there, keys = found.items.get((kind, name)), declared.keys.get(name)
        if there is None and isinstance(item, Environment) and item.label == LIBRARY:
            continue  # it comes with its organization
        if there is None:
            changes.append(Change(Action.CREATE, kind, name, item, keys=keys))
            continue
        wanted = _with_what_stays(item, there)
        changed = differing(there, wanted)
        if isinstance(item, Repository) and keys is not None and set(keys) != set(found.keys.get(name, ())):
            changed += (("keys", ", ".join(found.keys.get(name, ())), ", ".join(keys)),)
        if changed:
            changes.append(Change(Action.UPDATE, kind, name, wanted, changed, keys))
    return changes


def _with_what_stays(item: Item, there: Item) -> Item:
    names = {each.name for each in fields(item)}
    kept = {name: getattr(there, name) for name in _NOT_DECLARED if name in names}
    kept |= {
        name: getattr(there, name) for name in _KEPT_UNLESS_SAID if name in names and not getattr(item, name)
    }
    return replace(item, **kept)


def differing(old: Item, new: Item) -> tuple[tuple[str, str, str], ...]:
    """The fields in which they differ: name, what was, what is (for people)."""
    pairs = [(each.name, getattr(old, each.name), getattr(new, each.name)) for each in fields(new)]
    return tuple(
        (name, _shown(name, was), _shown(name, is_)) for name, was, is_ in pairs if _plain(was) != _plain(is_)
    )


def _plain(value: Any) -> Any:
    """As JSON would have it: a tuple and a list say the same."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _shown(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        value = told(value) if name == "upstream" else value
        return ", ".join(f"{key}: {_shown(key, each)}" for key, each in sorted(value.items()))
    if isinstance(value, list | tuple):
        return " ".join(_shown("", each) for each in value)
    if isinstance(value, str) and value.startswith("-----BEGIN"):
        return f"a key of {len(value)} characters"
    return str(value)


def _components_first(items: list[Item]) -> list[Item]:
    """Views after those that they are composed of, environments after those that they take from."""
    by_label = {(kind_of(item), name_of(item)): item for item in items}

    def needs(item: Item) -> Iterable[tuple[str, str]]:
        if isinstance(item, View):
            return [("view", f"{item.organization}/{part}") for part in item.views]
        if isinstance(item, Environment) and item.after:
            return [("environment", f"{item.organization}/{item.after}")]
        return ()

    return _sorted(items, lambda item: [by_label[key] for key in needs(item) if key in by_label])


def _sorted(items: list[Item], needs: Callable[[Item], Iterable[Item]]) -> list[Item]:
    """Each after what it needs. Loops are broken somewhere: the catalog refuses them."""
    done: dict[int, Item] = {}
    going: set[int] = set()

    def visit(item: Item) -> None:
        if id(item) in done or id(item) in going:
            return
        going.add(id(item))
        for other in needs(item):
            visit(other)
        done[id(item)] = item

    for item in items:
        visit(item)
    return list(done.values())


def _superfluous(declared: State, found: State) -> list[Change]:
    organizations = {item.label for item in declared.items.values() if isinstance(item, Organization)}
    mirrors = [item for item in found.items.values() if isinstance(item, Repository) and item.mirror]
    # What mirrors.yaml says stays, with what it is in.
    staying = {name_of(item) for item in mirrors} | {
        f"{item.organization}/{item.product}" for item in mirrors
    }
    changes = []
    for kind in reversed(KINDS):
        there = [item for (k, _), item in found.items.items() if k == kind.__name__.lower()]
        for item in reversed(_components_first(there)):
            name = name_of(item)
            if isinstance(item, Organization) or (kind_of(item), name) in declared.items:
                continue
            if isinstance(item, Environment) and item.label == LIBRARY:
                continue
            if isinstance(item, Product | Repository) and name in staying:
                continue
            if item.organization in organizations:
                changes.append(Change(Action.DELETE, kind_of(item), name, item))
    return changes
