# SPDX-License-Identifier: GPL-3.0-or-later
"""The order among services that `after` gives. Pure."""

from collections.abc import Iterable, Mapping, Sequence


def find_loop(after: Mapping[str, Sequence[str]]) -> list[str]:
    """Names that wait for each other, first and last the same; empty when there is no loop."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for other in after.get(name, ()):
            if loop := walk(other, [*path, name]):
                return loop
        done.add(name)
        return []

    for name in after:
        if loop := walk(name, []):
            return loop
    return []


def prerequisites(names: Iterable[str], after: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """For each of `names`, those of `names` that must be ready before it starts (also through others)."""
    chosen = set(names)

    def reach(name: str, seen: set[str]) -> set[str]:
        for other in after.get(name, ()):
            if other not in seen:
                seen.add(other)
                reach(other, seen)
        return seen

    return {name: reach(name, set()) & chosen - {name} for name in chosen}


def reversed_prerequisites(required: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The same relation for stopping: a service stops only after all that need it have stopped."""
    return {name: {other for other, needs in required.items() if name in needs} for name in required}


def next_ones(waiting: Iterable[str], finished: set[str], required: Mapping[str, set[str]]) -> list[str]:
    """Those of `waiting` whose prerequisites are all `finished`, by name."""
    return sorted(name for name in waiting if required[name] <= finished)
