# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked for by name, and nothing more: files need nothing. Pure."""

import difflib
from collections.abc import Sequence

from orchestrator.content.formats import Member
from orchestrator.content.model import Because, Closure, Package, Reason, Unresolved, safe_path
from orchestrator.errors import Invalid


def closure(members: Sequence[Member], requirements: Sequence[str]) -> Closure:
    """As `Format.closure`: a name stands for the files of that path in every directory of the first member that
    has one."""
    chosen: dict[Package, Reason] = {}
    for member in members:
        if member.everything:
            for package in member.offer.packages():
                if package not in member.refused:
                    chosen[package] = Reason(Because.MASTER, "")
    unresolved = []
    for name in requirements:
        found = _first(members, _checked(name))
        for package in found:
            chosen.setdefault(package, Reason(Because.REQUESTED, name))
        if not found:
            unresolved.append(Unresolved(name, None, _nearest(members, name)))
    return Closure(chosen, tuple(unresolved))


def _checked(name: str) -> str:
    try:
        if safe_path(name) == name:
            return name
    except ValueError:
        pass
    raise Invalid(f"{name!r} is not the path of a file", hint="name it as the directory's list does")


def _first(members: Sequence[Member], name: str) -> list[Package]:
    for member in members:
        found = [package for package in member.offer.named(name) if package not in member.refused]
        if found:
            return found
    return []


def _nearest(members: Sequence[Member], name: str) -> str:
    names = dict.fromkeys(package.name for member in members for package in member.offer.packages())
    close = difflib.get_close_matches(name, names, 1)
    return f"there is {close[0]}" if close else ""
