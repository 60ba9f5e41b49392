# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of two product versions is newer, by Debian's rules (deb-version(7)): digits count as numbers,
`~` sorts before everything, even the end. They order the versions of rpm packages the same way in
practice. Pure.
"""

import re
from functools import cmp_to_key
from itertools import zip_longest

_PARTS = re.compile(r"(\D*)(\d*)", re.ASCII)


def compare_versions(left: str, right: str) -> int:
    """Negative, zero or positive as `left` is older than, equal to or newer than `right`."""
    left_epoch, left_rest = _epoch(left)
    right_epoch, right_rest = _epoch(right)
    if left_epoch != right_epoch:
        return left_epoch - right_epoch
    for mine, other in zip(
        _upstream_and_revision(left_rest), _upstream_and_revision(right_rest), strict=True
    ):
        if difference := _compare(mine, other):
            return difference
    return 0


def _compare(left: str, right: str) -> int:
    for mine, other in zip_longest(_parts(left), _parts(right), fillvalue=_END):
        if mine != other:
            return -1 if mine < other else 1
    return 0


def newest(versions: list[str]) -> str | None:
    return max(versions, key=cmp_to_key(compare_versions), default=None)


def _epoch(version: str) -> tuple[int, str]:
    head, colon, rest = version.strip().partition(":")
    return (int(head), rest) if colon and head.isascii() and head.isdigit() else (0, version.strip())


def _upstream_and_revision(version: str) -> tuple[str, str]:
    """The revision is what follows the last hyphen; without one it is empty, which is the same as 0."""
    upstream, hyphen, revision = version.rpartition("-")
    return (upstream, revision) if hyphen else (version, "")


def _parts(version: str) -> list[tuple[list[int], int]]:
    """Alternating text and numbers."""
    return [(_weights(text), int(number or 0)) for text, number in _PARTS.findall(version)]


def _weights(text: str) -> list[int]:
    # ~ before the end of the text, the end before letters, letters before everything else.
    return [-1 if c == "~" else ord(c) if c.isalpha() else ord(c) + 256 for c in text] + [0]


# What follows the end: nothing, and the number 0.
_END = (_weights(""), 0)
