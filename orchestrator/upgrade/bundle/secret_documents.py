# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in documents that are read as such: JSON stays JSON, and a key's whole value goes. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from orchestrator.upgrade.bundle.redaction import Redactor, secrets_in
from orchestrator.upgrade.bundle.secret_names import is_header, is_secret, names_file
from orchestrator.upgrade.bundle.secret_values import REMOVED, tells_nothing


def redact_json(text: str, redactor: Redactor) -> tuple[str, int]:
    """A document, or a text as any other where it is none; unchanged when it holds no secrets."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return redactor.redact(text)
    clean, removed = _clean(document, redactor)
    ending = "\n" if text.endswith("\n") else ""
    return (
        (json.dumps(clean, indent=1 if "\n " in text else None) + ending, removed) if removed else (text, 0)
    )


def redact_json_lines(text: str, redactor: Redactor) -> tuple[str, int]:
    lines = [redact_json(line, redactor) for line in text.splitlines(keepends=True)]
    return "".join(line for line, _ in lines), sum(removed for _, removed in lines)


def _clean(value: Any, redactor: Redactor, *, secret: bool = False) -> tuple[Any, int]:
    match value:
        case dict():
            return _clean_mapping(value, redactor)
        case list():
            flags = [False, *(_is_flag(item) for item in value[:-1])]
            items = [
                _clean(item, redactor, secret=secret or flag)
                for item, flag in zip(value, flags[: len(value)], strict=True)
            ]
            return [item for item, _ in items], sum(removed for _, removed in items)
        case None | bool():
            return value, 0
    if secret and not tells_nothing(str(value)):
        return REMOVED, 1
    return redactor.redact(value) if isinstance(value, str) else (value, 0)


def _clean_mapping(mapping: Mapping[str, Any], redactor: Redactor) -> tuple[dict[str, Any], int]:
    clean: dict[str, Any] = {}
    total = 0
    for key, value in mapping.items():
        name, in_name = redactor.redact(key)
        clean[name], removed = _clean(value, redactor, secret=_means_secret(key))
        total += in_name + removed
    return clean, total


def _means_secret(name: str) -> bool:
    return is_secret(name) or is_header(name)


def _is_flag(item: Any) -> bool:
    return isinstance(item, str) and item.startswith("-") and "=" not in item and is_secret(item)


@dataclass(frozen=True, slots=True)
class Found:
    """A secret that a document holds, or the path of a file that does."""

    text: str
    is_path: bool = False


def secrets_of(value: Any, name: str = "", *, secret: bool = False) -> Iterator[Found]:
    """All secrets of a configuration; `name`: the key that leads to `value`."""
    secret = secret or _means_secret(name)
    match value:
        case dict():
            for key, inner in value.items():
                yield from secrets_of(inner, str(key), secret=secret)
        case list() | tuple():
            for before, item in zip([None, *value], value, strict=False):
                yield from secrets_of(item, name, secret=secret or _is_flag(before))
        case None | bool():
            pass
        case _:
            yield from _secrets_of_text(str(value), name, secret=secret)


def _secrets_of_text(text: str, name: str, *, secret: bool) -> Iterator[Found]:
    if names_file(name):
        yield Found(text, is_path=True)
        return
    found = set(secrets_in(text))
    if secret and not tells_nothing(text):
        found.add(text)
        if is_header(name):
            found |= {part for word in text.split() for part in (word, word.partition("=")[2].strip(";"))}
    for value in sorted(found):
        yield Found(value)
        if "%" in value:
            yield Found(unquote(value))
