# SPDX-License-Identifier: GPL-3.0-or-later
"""The content server's outcomes in words. Pure."""

from orchestrator.cli.wording import Line
from orchestrator.content.declaration.state import Action, Change
from orchestrator.content.showing import Shown

_MARKS = {Action.CREATE: ("+", "good"), Action.UPDATE: ("~", ""), Action.DELETE: ("-", "bad")}


def shown_line(shown: Shown) -> Line:
    """What clients see now."""
    what = f"{shown.version.view} version {shown.version.number}"
    repositories = len(shown.version.contents)
    held = f"{repositories} repository" if repositories == 1 else f"{repositories} repositories"
    if shown.made:
        return Line(f"{what} ({held}) is published, and shown in {shown.environment}.", "good")
    if shown.changed:
        return Line(f"{what} ({held}) is shown in {shown.environment}.", "good")
    return Line(f"{what} is shown in {shown.environment} already: nothing has changed.")


def change_lines(change: Change) -> list[Line]:
    """One change, with what is different under it."""
    mark, style = _MARKS[change.action]
    lines = [Line(f"{mark} {change.kind} {change.name}", style)]
    lines += [Line(f"    {name}: {old or '-'} -> {new or '-'}") for name, old, new in change.fields]
    return lines
