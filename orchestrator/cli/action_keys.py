# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters of an action in a step's file: read by key, each with a message for the step's author. Pure.

Readers take a value as YAML gave it, and raise ValueError.
"""

import difflib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Reader = Callable[[Any], Any]


def a_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("takes true or false")
    return value


def a_word(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("takes a text; put quotes around yes, no, dates and numbers")
    return value


def some_words(value: Any) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items:
        raise ValueError("takes a text, or a list of texts")
    return tuple(map(a_word, items))


def a_path(value: Any) -> Path:
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError("takes an absolute path")
    return Path(value)


def some_paths(value: Any) -> tuple[Path, ...]:
    return tuple(map(a_path, value if isinstance(value, list) and value else [value]))


def a_number(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ValueError("takes a number, from 1 on")
    return value


def read_keys(value: Any, readers: Mapping[str, Reader], bare: str) -> dict[str, Any]:
    """The parameters in `value`, which may be that of the key `bare` alone, or nothing. Raises ValueError."""
    if value is None:
        value = {}
    if not isinstance(value, dict):
        value = {bare: value}
    fields = {}
    for key, raw in value.items():
        if key not in readers:
            nearest = difflib.get_close_matches(str(key), readers, 1, 0.5)
            known = f"did you mean {nearest[0]}?" if nearest else "known: " + ", ".join(readers)
            raise ValueError(f"unknown key {key} ({known})")
        try:
            fields[key] = readers[key](raw)
        except ValueError as error:
            raise ValueError(f"{key} {error}") from None
    return fields
