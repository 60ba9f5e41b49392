# SPDX-License-Identifier: GPL-3.0-or-later
"""HTML and SVG made of values: every text is escaped, unless it is markup already. Pure."""

from collections.abc import Iterable
from html import escape

_VOID = frozenset(("meta", "link", "br", "hr"))


class Markup(str):
    """Text that is markup: made by `tag` and `join`, never of what others have written."""

    __slots__ = ()


Child = str | Iterable["Child"] | None
Attribute = str | float | None


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """`<name attributes>children</name>`. None is left out; `class_` means class, other underscores are hyphens."""
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_shown(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{words}>")
    return Markup(f"<{name}{words}>{join(children)}</{name}>")


def join(children: Iterable[Child]) -> Markup:
    return Markup("".join(map(_content, children)))


def _content(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    return escape(child) if isinstance(child, str) else join(child)


def _shown(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.3f}".rstrip("0").rstrip(".")
