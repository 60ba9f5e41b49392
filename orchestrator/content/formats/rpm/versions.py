# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions and relations by rpm's rules (rpm's rpmvercmp, as rpm-version(7) tells it)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import Invalid

_SEGMENT = re.compile(r"~|\^|[0-9]+|[a-zA-Z]+")
# How the parts of a version stand to each other, the end among them.
_TILDE, _END, _CARET, _LETTERS, _DIGITS = range(5)
_DEEPEST = 30
_WRITTEN = {"<": "LT", "<=": "LE", "=": "EQ", "==": "EQ", ">=": "GE", ">": "GT"}
_SIGNS = {"LT": "<", "LE": "<=", "EQ": "=", "GE": ">=", "GT": ">"}
_RELATION = re.compile(
    r"(?P<name>(?:[^\s()<>=]|\((?![<>=])(?:[^\s()]|\([^\s()]*\))*\))+)"
    r"(?:\s*\(\s*(?P<inner>[<>=]{1,2})\s*(?P<wanted>[^\s()<>=]+)\s*\)"
    r"|\s*(?P<outer>[<>=]{1,2})\s*(?P<version>[^\s()<>=]+))?"
)


def segments(text: str) -> tuple[tuple[int, int, str], ...]:
    """What orders versions without epoch and release, and releases."""
    return (*(_segment(found[0]) for found in _SEGMENT.finditer(text)), (_END, 0, ""))


def _segment(text: str) -> tuple[int, int, str]:
    if text == "~":
        return _TILDE, 0, ""
    if text == "^":
        return _CARET, 0, ""
    if text[0].isdigit():
        digits = text.lstrip("0")  # as text: numbers of thousands of digits are no reason to fail
        return _DIGITS, len(digits), digits
    return _LETTERS, 0, text


def split(version: str) -> tuple[str, str, str]:
    """Epoch ("0" where there is none), version, release (empty where there is none)."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, release = rest.partition("-")
    return epoch or "0", upstream, release


def version_key(version: str) -> Any:
    """Orders `[epoch:]version[-release]`."""
    epoch, upstream, release = split(version)
    return segments(epoch), segments(upstream), segments(release)


@dataclass(frozen=True, slots=True)
class Relation:
    """`nginx >= 1.22`: `flags` as primary.xml writes them (EQ, LT, LE, GE, GT), or empty without a version."""

    name: str
    flags: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} {_SIGNS[self.flags]} {self.version}" if self.flags else self.name

    def meets(self, other: "Relation") -> bool:
        """Whether a version can satisfy both (a package that provides one satisfies who requires the other)."""
        if self.name != other.name:
            return False
        if not self.flags or not other.flags:
            return True
        order = self._compare(other)
        if order == 0:
            return any(sign in _OF[self.flags] and sign in _OF[other.flags] for sign in "<=>")
        lower, higher = (self, other) if order < 0 else (other, self)
        return ">" in _OF[lower.flags] or "<" in _OF[higher.flags]

    def _compare(self, other: "Relation") -> int:
        """By the release too only where both have one."""
        mine, theirs = split(self.version), split(other.version)
        places = 3 if mine[2] and theirs[2] else 2
        left = tuple(segments(part) for part in mine[:places])
        right = tuple(segments(part) for part in theirs[:places])
        return (left > right) - (left < right)


_OF = {"LT": "<", "LE": "<=", "EQ": "=", "GE": "=>", "GT": ">"}


def parse_relation(text: str) -> Relation:
    """`nginx`, `nginx >= 1.22`, `nginx (>= 1.22)`, `perl(Foo) = 1`, `/usr/bin/perl`. Raises Invalid."""
    match = _RELATION.fullmatch(text.strip())
    sign = (match["inner"] or match["outer"] or "") if match else ""
    if match is None or (sign and sign not in _WRITTEN):
        raise Invalid(
            f"{text!r} is not a requirement",
            hint="like nginx, nginx >= 1.22, nginx (>= 1.22), perl(Foo), /usr/bin/perl, (a or b), @group",
        )
    version = match["wanted"] or match["version"] or ""
    return Relation(match["name"], _WRITTEN[sign] if sign else "", version)


@dataclass(frozen=True, slots=True)
class Rich:
    """A boolean dependency: `operator` of and, or, if, unless, else, with, without."""

    operator: str
    parts: tuple["Rich | str", ...]


def parse_rich(text: str, depth: int = 0) -> Rich | str:
    """`(a and (b >= 1 or c))` as a tree; what is not in parentheses, cannot be read, or is nested absurdly deep,
    stays as it is."""
    if not (text.startswith("(") and text.endswith(")")) or depth > _DEEPEST:
        return text
    operator, parts, words = "", [], list[str]()
    for word in _words(text[1:-1]):
        if word in ("and", "or", "if", "unless", "else", "with", "without"):
            operator = operator or word
            parts.append(parse_rich(" ".join(words), depth + 1))
            words = []
        else:
            words.append(word)
    parts.append(parse_rich(" ".join(words), depth + 1))
    return Rich(operator, tuple(parts)) if operator else text


def _words(text: str) -> Iterator[str]:
    """Split at blanks outside of parentheses."""
    depth, word = 0, ""
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter.isspace() and depth <= 0:
            if word:
                yield word
            word = ""
        else:
            word += letter
    if word:
        yield word
