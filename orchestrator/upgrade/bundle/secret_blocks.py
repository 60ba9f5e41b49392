# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of more than one line: private keys, values of YAML that stand below their key, flags whose value is on the
next line. Pure."""

import re
from collections.abc import Callable, Sequence

from orchestrator.upgrade.bundle.secret_names import is_secret
from orchestrator.upgrade.bundle.secret_values import REMOVED

_KIND = r"[A-Z0-9 ]{0,40}(?:PRIVATE|SECRET|ENCRYPTED)[A-Z0-9 ]{0,20}KEY[A-Z ]{0,10}"
_BEGIN = re.compile(rf"-{{4,5}} ?BEGIN {_KIND}-{{4,5}}")
_END = re.compile(rf"-{{4,5}} ?END {_KIND}-{{4,5}}")
# A line of a key ends with its Base64: of some length, or alone, or of characters that words do not have.
_LONG_KEY_LINE = re.compile(r"(?:^|[\s\"'|])[A-Za-z0-9+/]{32,100}=*\s*$")
_KEY_LINE = re.compile(
    rf"{_LONG_KEY_LINE.pattern}|^\s*[\"'|]?\s*[A-Za-z0-9+/=]*\\?[\"']?,?\s*$|"
    r"(?:^|[\s\"'|])(?=\S*[0-9+/=]|\S+[A-Z])[A-Za-z0-9+/=]{1,100}\s*$|\b(?:Proc-Type|DEK-Info|Version|Comment): "
)
_YAML_KEY = re.compile(
    r"(?P<indent>\s*(?:-\s+)?)[\"']?(?P<name>[\w.-]{1,80})[\"']?\s*:\s*(?:[|>][+-]?\d?[+-]?)?\s*(?:#.*)?$"
)
_ITEM = re.compile(r"(?P<head>\s*(?:-\s+)?)(?P<text>.*)$")
_MAPPING = re.compile(r"[\"']?[\w.-]+[\"']?\s*:(?:\s|$)")
_FLAG = re.compile(r"(?P<name>--?[A-Za-z][\w-]{1,60})[\"']?,?\s*\\?\s*$")


class Blocks:
    """Takes whole blocks out of lines; remembers, from one piece of a text to the next, which it is in."""

    def __init__(self) -> None:
        self._in_key = False
        self._after_flag = False
        # Of the YAML key whose value the next lines are.
        self._below: int | None = None

    def remove(self, lines: Sequence[str], count: Callable[[], None]) -> list[str]:
        """`lines` without these secrets; `count` is called for each."""
        kept: list[str] = []
        for line in lines:
            rest = self._in_a_key(line) if self._in_key else line
            if not self._in_key:
                rest = self._values_below(self._keys(rest, kept, count), count)
                self._look_ahead(rest)
            if rest:
                kept.append(rest)
        return kept

    def _in_a_key(self, line: str) -> str:
        """What is left of a line behind a key's end; empty within it."""
        if end := _END.search(line):
            self._in_key = False
            return line[end.end() :].lstrip() and line[end.end() :]
        self._in_key = bool(_KEY_LINE.search(line))
        return "" if self._in_key else line

    def _keys(self, line: str, kept: list[str], count: Callable[[], None]) -> str:
        if "-----" not in line and "---- " not in line:
            return line
        if (end := _END.search(line)) and not _BEGIN.search(
            line, 0, end.start()
        ):  # its beginning was cut off
            if len(kept) > 1 and _KEY_LINE.search(kept[-1]) and _LONG_KEY_LINE.search(kept[-2]):
                kept.pop()
            while kept and _LONG_KEY_LINE.search(kept[-1]):
                kept.pop()
            count()
            line = REMOVED + line[end.end() :]
        while begin := _BEGIN.search(line):
            count()
            closing = _END.search(line, begin.end())
            self._in_key = closing is None
            line = line[: begin.start()] + REMOVED + (line[closing.end() :] if closing else "\n")
        return line

    def _values_below(self, line: str, count: Callable[[], None]) -> str:
        if self._below is None and not self._after_flag:
            return line
        item = _ITEM.match(line)
        assert item is not None
        text = item["text"].rstrip()
        if not text or not self._is_value(len(item["head"]), text) or text.strip("\"',\\ ") == REMOVED:
            return line
        count()
        return f"{item['head']}{REMOVED}\n"

    def _is_value(self, indent: int, text: str) -> bool:
        """Whether a line that begins with `text` is what the lines above it have named."""
        if self._after_flag:
            self._after_flag = False
            return not text.lstrip("\"'").startswith("-")
        if self._below is None or indent <= self._below or _MAPPING.match(text):
            self._below = None
            return False
        return True

    def _look_ahead(self, line: str) -> None:
        flag = _FLAG.search(line[-120:])
        self._after_flag = bool(flag and is_secret(flag["name"]))
        key = _YAML_KEY.match(line)
        if key and is_secret(key["name"]):
            self._below = len(key["indent"])
