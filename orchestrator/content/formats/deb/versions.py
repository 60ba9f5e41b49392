# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's order of versions (deb-version(7)), as keys that compare the way the versions do.

A key is the epoch, then the upstream version and the revision, each as pieces that take turns: what is no
digit, then a number. Characters are moved so that `~` comes before the end, the end before letters, letters
before everything else; a number is led by its length. So two strings are compared by C code, once made.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from operator import eq, ge, gt, le, lt
from typing import Literal, NamedTuple, cast

Operator = Literal["", "<<", "<=", "=", ">=", ">>"]

_END = "\x02"
_ORDER = {code: code + 256 for code in range(256) if not chr(code).isalpha() or code > 127} | {ord("~"): 1}
_COMPARE: dict[Operator, Callable[["VersionKey", "VersionKey"], bool]] = {
    "<<": lt,
    "<=": le,
    "=": eq,
    ">=": ge,
    ">>": gt,
}
_PIECES = re.compile(r"([^0-9]*)([0-9]*)")


class VersionKey(NamedTuple):
    epoch: int
    rest: str


@lru_cache(maxsize=1 << 17)
def version_key(version: str) -> VersionKey:
    """Keys are equal where the versions are: "1.0" and "0:1.0-0"."""
    epoch, colon, rest = version.strip().partition(":")
    if not colon or not epoch.isdecimal():
        epoch, rest = "0", version.strip()
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return VersionKey(int(epoch[:18]), _encode(upstream) + _encode(revision))


def _encode(part: str) -> str:
    pieces: list[str] = []
    for text, digits in _PIECES.findall(part):
        if not text and not digits:
            break
        number = digits.lstrip("0")
        pieces += (text.translate(_ORDER), _END, chr(3 + min(len(number), 0xD000)), number)
    # A part without anything is the number 0, as is a revision that is not there.
    return "".join(pieces or (_END, chr(3))) + _END


def satisfies(version: str, operator: Operator, wanted: str) -> bool:
    """Whether `version` is as a relation wants it; every version is when the operator is empty."""
    if not operator:
        return True
    return _COMPARE[operator](version_key(version), version_key(wanted))


def operator(text: str) -> Operator:
    """The operator that `text` means. Raises ValueError. The old `<` and `>` mean `<=` and `>=`."""
    text = {"<": "<=", ">": ">=", "==": "="}.get(text, text)
    if text not in ("", "<<", "<=", "=", ">=", ">>"):
        raise ValueError(f"{text!r} compares no versions")
    return cast(Operator, text)
