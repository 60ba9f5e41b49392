# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the value of a named secret stands in a line: after `=`, `:`, `--password`, in quotes of any depth. Pure.

A line is a shell command, a unit, YAML, JSON, or a program's own words; nobody says which. What is taken for a
secret and is none costs a few words; so a value goes rather too far than not far enough.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.upgrade.bundle.secret_names import HINT, is_header, is_secret, is_spoken

REMOVED = "[removed]"
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
_LONGEST_NAME = 80
_QUOTE = re.compile(r"(\\*)([\"'])")
_SEPARATOR = re.compile(
    r"(?P<closing>\\*[\"'])?\]?(?P<before>\s{0,20})(?P<sign>=>|:=|==|=|:(?!//))(?P<after>\s{0,20})"
)
_NEXT_WORD = re.compile(r"(?:\s+|\\*[\"'],\s*)(?=[^\s])")
_WORD = re.compile(r"(?:(?![&;,]\s*[\w.-]+[=:]|[;,]\s)[^\s\"'])+")
_BEGINS_LINE = re.compile(r"\s*(?:[#;]\s*)?(?:export\s+|set\s+|-\s+)?[\"']?$")
_LAST_QUOTE = re.compile(r"(\\*)([\"'])\Z")
_QUOTES = {quote: re.compile(rf"\\*{quote}") for quote in ("'", '"')}
_GOES_ON = re.compile(r"(?:\\.)*(?P<quote>[\"'])|(?P<word>(?:\\.|\w)+)")
_END_OF_ITEM = re.compile(r"[,}\n]")
# How far back is looked for what a name stands in.
_NEAR = 4096
# Values that tell nothing.
_EMPTY = re.compile(
    r"(?:|true|false|yes|no|on|off|none|null|nil|undefined|not set|~|\[removed\]?|\*+|[xX]{3,}|\.{3}|\$\{[\w:-]*\}|\{\{[^{}]*\}\}|"
    r"(?:/(?:etc|var|opt|usr|home|root|run|srv|tmp|mnt|media|lib|dev|proc|sys)(?:/[\w.@%+-]+)+/?))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` of a line are a secret; `instead` is put there."""

    start: int
    end: int
    instead: str = REMOVED


def named_values(line: str) -> Iterator[Span]:
    """The values of all secrets that the line names, in order, none within another."""
    done = 0
    for hint in HINT.finditer(line):
        if hint.start() < done:
            continue
        start, end = _name_around(line, hint)
        name = line[start:end]
        done = end
        if not is_secret(name):
            continue
        span = _value(line, start, end)
        if span and not tells_nothing(line[span.start : span.end]):
            done = span.end
            yield span


def tells_nothing(value: str) -> bool:
    """Whether it cannot be a secret: a truth value, a path, a mark that one was there."""
    bare = value.strip("\"'\\ ")
    return any(_EMPTY.fullmatch(text) for text in (bare, bare.rstrip("\"'\\ ,;)]}")))


def _name_around(line: str, hint: "re.Match[str]") -> tuple[int, int]:
    start, end = hint.span()
    while start > 0 and line[start - 1] in _NAME_CHARACTERS and end - start < _LONGEST_NAME:
        start -= 1
    while end < len(line) and line[end] in _NAME_CHARACTERS and end - start < 2 * _LONGEST_NAME:
        end += 1
    return start, end


def _value(line: str, start: int, end: int) -> Span | None:
    if start and line[start - 1] == "<" and line[end : end + 1] == ">":  # <password>
        closing = line.find("<", end)
        return Span(end + 1, closing if closing >= 0 else len(line))
    if separator := _SEPARATOR.match(line, end):
        return _after_sign(line, start, end, separator)
    return _after_blank(line, start, end)


def _after_sign(line: str, start: int, end: int, separator: "re.Match[str]") -> Span | None:
    begin = separator.end()
    if quote := _QUOTE.match(line, begin):
        return Span(quote.end(), _end_of_quoted(line, quote))
    before = _quote_before(line, start)
    if before and not separator["closing"]:  # "password=a b"
        return Span(begin, _end_of_quoted(line, before))
    if separator["sign"] in (":", "=>") and (separator["closing"] or _in_flow(line, start)):
        return _in_mapping(
            line, begin, quoted=bool(separator["closing"])
        )  # "password": 123, or {password: a b}
    if _goes_to_the_end(line, start, end, separator):
        return Span(begin, _end_of_text(line, start, begin))
    return _one_word(line, begin)


def _goes_to_the_end(line: str, start: int, end: int, separator: "re.Match[str]") -> bool:
    name = line[start:end]
    if is_header(name):
        return True
    first = line[start] != "-" and bool(_BEGINS_LINE.match(line[max(0, start - 80) : start]))
    if separator["sign"] == ":":
        return first or (is_spoken(name) and bool(separator["after"]))
    return first and separator["sign"] == "="


def _quote_before(line: str, start: int) -> "re.Match[str] | None":
    begin = start
    while begin > 0 and line[begin - 1] in "\\\"'" and start - begin < 16:
        begin -= 1
    return _LAST_QUOTE.search(line, begin, start)


def _end_of_quoted(line: str, opening: "re.Match[str]") -> int:
    """Where the string ends that `opening` begins. Shells and YAML may go on behind its quote: 'it'\\''s', 'it''s'."""
    escapes, quote, at = len(opening[1]), opening[2], opening.end()
    while closing := _closing(line, at, escapes, quote):
        after = closing.end()
        goes_on = None if escapes else _GOES_ON.match(line, after)
        if goes_on is None or _is_outer(line, opening.start(), quote, goes_on[0]):
            return after - 1 - escapes
        at = goes_on.end()
        if goes_on["word"] is not None:
            return at
        quote = goes_on["quote"]
    return len(line)


def _is_outer(line: str, start: int, quote: str, following: str) -> bool:
    """Whether what follows a closing quote ends a string around this one."""
    return following not in (quote, "") and _stands_in(line, start, following)


def _stands_in(line: str, start: int, quote: str) -> bool:
    """Whether `start` is between two of these quotes, as far as can be told."""
    return bool(line.count(quote, max(0, start - _NEAR), start) % 2)


def _closing(line: str, at: int, escapes: int, quote: str) -> "re.Match[str] | None":
    """The next quote that ends a string which began with `escapes` backslashes before its quote."""
    step = 2 * (escapes + 1)
    for found in _QUOTES[quote].finditer(line, at):
        if (len(found[0]) - 1) % step == escapes:
            return found
    return None


def _in_flow(line: str, start: int) -> bool:
    opened = line.rfind("{", max(0, start - _NEAR), start)
    return opened >= 0 and "}" not in line[opened:start] and line[opened - 1 : opened] != "$"


def _in_mapping(line: str, begin: int, *, quoted: bool) -> Span | None:
    if line.startswith(("{", REMOVED), begin):  # what is in it has names of its own
        return None
    instead = f'"{REMOVED}"' if quoted else REMOVED
    if line[begin : begin + 1] == "[":
        end = line.find("]", begin)
        return Span(begin + 1, end if end > 0 else len(line), instead)
    after = _END_OF_ITEM.search(line, begin)
    return Span(begin, after.start() if after else len(line), instead)


def _end_of_text(line: str, start: int, begin: int) -> int:
    """The end of the line, or of the string in it that the name stands in."""
    if _stands_in(line, start, '"') and (end := line.find('"', begin)) >= 0:
        while end > begin and line[end - 1] == "\\":
            end -= 1
        return end
    return len(line)


def _one_word(line: str, begin: int) -> Span | None:
    found = _WORD.match(line, begin)
    return Span(begin, found.end()) if found else None


def _after_blank(line: str, start: int, end: int) -> Span | None:
    """`--password VALUE`, `"--password", "VALUE"`, and SQL's PASSWORD 'VALUE'."""
    blank = _NEXT_WORD.match(line, end)
    flag = line[start] == "-"
    if blank is None or not (flag or blank[0].isspace()):
        return None
    begin = blank.end()
    if quote := _QUOTE.match(line, begin):
        return Span(quote.end(), _end_of_quoted(line, quote))
    return _one_word(line, begin) if flag and line[begin] != "-" else None
