# SPDX-License-Identifier: GPL-3.0-or-later
"""Loops: views composed of views, environments after environments. Pure."""

from collections.abc import Mapping, Sequence


def loop_through(label: str, parts: Mapping[str, Sequence[str]]) -> list[str]:
    """A way from `label` through its parts back to it; empty when there is none."""
    ways = [[label]]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        for part in parts.get(way[-1], ()):
            if part == label:
                return [*way, part]
            if part not in seen:
                seen.add(part)
                ways.append([*way, part])
    return []
