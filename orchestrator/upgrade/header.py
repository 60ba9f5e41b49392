# SPDX-License-Identifier: GPL-3.0-or-later
"""The header of a step: `#key: value` lines in the first comment block of a script, or keys of a YAML step.

The form is that of the katello-upgrade scripts of 2012 (`#name:`, `#apply:`, `#description:`), extended.
A comment line with a space after the `#` is prose and never a header line. Pure.
"""

import difflib
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from orchestrator.config.quantities import parse_duration, parse_size
from orchestrator.errors import Problem

_LINE = re.compile(r"#([a-z][a-z-]*):[ \t]*(.*?)[ \t]*")
_SPACED = re.compile(r"#[ \t]+([a-z][a-z-]*):")
# What was meant for a header line and would pass for prose: #min_disk: ..., #Timeout: ..., #risk : ...
_ALMOST = re.compile(r"#([A-Za-z][A-Za-z_-]*)[ \t]*:.*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class RunRule(StrEnum):
    ONCE = "once"
    ALWAYS = "always"
    ON_CHANGE = "on-change"


@dataclass(frozen=True, slots=True)
class DiskNeed:
    """`size` bytes must be free on the file system of `path` before anything is stopped."""

    path: PurePosixPath
    size: int


@dataclass(frozen=True, slots=True)
class Retry:
    """Up to `times` further attempts after a failure, `delay` seconds apart."""

    times: int = 0
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Header:
    """What a step says of itself. Durations in seconds; None: not said."""

    name: str = ""
    description: str = ""
    apply: tuple[str, ...] = ()
    run: RunRule | None = None
    inputs: tuple[str, ...] = ()
    timeout: float | None = None
    retry: Retry = Retry()
    estimate: float | None = None
    min_disk: tuple[DiskNeed, ...] = ()
    interrupt_unsafe: bool = False
    rerun_ask: bool = False
    risk: str | None = None
    continue_on_failure: bool = False
    package_manager: bool = False


@dataclass(slots=True)
class _Builder:
    values: dict[str, Any] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _absolute_words(text: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(text))
    except ValueError:
        raise ValueError("has a quotation mark that is not closed") from None
    if not words or any(not word.startswith("/") for word in words):
        raise ValueError("takes absolute paths or globs")
    return words


def _run_rule(text: str) -> RunRule:
    try:
        return RunRule(text)
    except ValueError:
        raise ValueError("takes once, always or on-change") from None


def _retry(text: str) -> Retry:
    words = text.split()
    if not words or not words[0].isdecimal() or len(words) > 2:
        raise ValueError("takes a number of further attempts and a delay: 3 10s")
    return Retry(int(words[0]), parse_duration(words[1]) if words[1:] else 0.0)


def _min_disk(text: str) -> tuple[DiskNeed, ...]:
    words = text.rsplit(maxsplit=1)
    if len(words) != 2 or not words[0].startswith("/"):
        raise ValueError("takes an absolute path and a size: /var/lib/pgsql 10G")
    return (DiskNeed(PurePosixPath(words[0]), parse_size(words[1])),)


def _choice(yes: str, no: str) -> Callable[[str], bool]:
    def parse(text: str) -> bool:
        if text not in (yes, no):
            raise ValueError(f"takes {yes} or {no}")
        return text == yes

    return parse


def _text(text: str) -> str:
    line = " ".join(text.split())
    if not line:
        raise ValueError("is empty")
    if _CONTROL.search(line):
        raise ValueError("has control characters")
    return line


def _positive_duration(text: str) -> float:
    value = parse_duration(text)
    if value <= 0:
        raise ValueError("must be longer than nothing")
    return value


# key -> the attribute it fills, and its parser (ValueError: a message for the author).
FIELDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "name": ("name", _text),
    "description": ("description", _text),
    "apply": ("apply", _words),
    "run": ("run", _run_rule),
    "inputs": ("inputs", _absolute_words),
    "timeout": ("timeout", _positive_duration),
    "retry": ("retry", _retry),
    "estimate": ("estimate", parse_duration),
    "min-disk": ("min_disk", _min_disk),
    "interrupt": ("interrupt_unsafe", _choice("unsafe", "safe")),
    "rerun": ("rerun_ask", _choice("ask", "safe")),
    "risk": ("risk", _text),
    "on-failure": ("continue_on_failure", _choice("continue", "stop")),
    "package-manager": ("package_manager", _choice("yes", "no")),
}
REQUIRED = ("name", "description")
# Keys that may stand several times; their values add up.
REPEATABLE = ("min-disk", "inputs")


def parse_header(text: str, where: str) -> tuple[Header, list[Problem]]:
    """The header in a script's `text`; `where` (the file) begins each problem's place."""
    pairs: list[tuple[str, str, str]] = []
    late: list[Problem] = []
    spaced, ended = "", False
    for number, line in enumerate(text.split("\n"), 1):
        if number == 1 and line.startswith("#!"):
            continue
        if not line.startswith("#"):
            if line.strip():
                break
            ended = bool(pairs)
            continue
        if ended:
            # A #risk: that nobody reads would be worse than an error.
            if (match := _LINE.fullmatch(line)) and match[1] in FIELDS:
                late.append(
                    Problem(f"{where}:{number}", f"{match[1]} stands after the header's end, an empty line")
                )
            continue
        if match := _LINE.fullmatch(line):
            pairs.append((f"{where}:{number}", match[1], match[2]))
        elif (match := _SPACED.match(line)) and match[1] in REQUIRED:
            spaced = f"header lines have no space after the #: #{match[1]}: ..."
        elif (match := _ALMOST.fullmatch(line)) and match[1].lower().replace("_", "-") in FIELDS:
            pairs.append((f"{where}:{number}", line[1:].partition(":")[0], ""))
    header, problems = _build(where, pairs, spaced)
    return header, [*problems, *late]


def header_from_mapping(mapping: Mapping[str, Any], where: str) -> tuple[Header, list[Problem]]:
    """The header in the keys of a YAML step (those that are header fields)."""
    pairs = []
    for key, value in mapping.items():
        several = value if isinstance(value, list) and key in (*REPEATABLE, "apply") else [value]
        pairs += [(where, str(key), _written(one)) for one in several]
    return _build(where, pairs, "")


def _written(value: Any) -> str:
    if isinstance(value, bool):  # as YAML reads yes and no
        return "yes" if value else "no"
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _build(
    where: str, pairs: Iterable[tuple[str, str, str]], missing_hint: str
) -> tuple[Header, list[Problem]]:
    builder = _Builder()
    for place, key, value in pairs:
        _take(builder, place, key, value)
    for key in REQUIRED:
        if key not in builder.seen:
            builder.problems.append(Problem(where, f"the header has no #{key}:", missing_hint))
    return Header(**builder.values), builder.problems


def _take(builder: _Builder, place: str, key: str, value: str) -> None:
    builder.seen.add(key)
    if key not in FIELDS:
        nearest = difflib.get_close_matches(key.lower().replace("_", "-"), FIELDS, 1, 0.6)
        hint = f"did you mean {nearest[0]}?" if nearest else "prose takes a space after the #"
        builder.problems.append(Problem(place, f"unknown header field {key}", hint))
        return
    attribute, parse = FIELDS[key]
    try:
        parsed = parse(value)
    except ValueError as error:
        builder.problems.append(Problem(place, f"{key} {error}"))
        return
    if attribute not in builder.values:
        builder.values[attribute] = parsed
    elif key in (*REPEATABLE, "apply"):
        builder.values[attribute] += parsed
    else:
        builder.problems.append(Problem(place, f"{key} stands twice"))


assert {attribute for attribute, _ in FIELDS.values()} == {f.name for f in fields(Header)}
