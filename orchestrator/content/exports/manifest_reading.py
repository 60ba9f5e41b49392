# SPDX-License-Identifier: GPL-3.0-or-later
"""Values out of anybody's JSON, by the types that their fields are declared with. Pure.

Each value is of just its type, all the way down; keys that a type does not know are passed over, and those that
are missing have its defaults.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

# What a catalog's integers, and file sizes, can be.
_LARGEST = (1 << 63) - 1


def read_value(type_: Any, value: Any, where: str) -> Any:
    """`value` as a `type_`: str, int, a Literal, a tuple, a Mapping, a dataclass, or one of these or None. Raises
    ValueError, saying `where`."""
    if type_ is str:
        return _text(value, where)
    if type_ is int:
        return _number(value, where)
    if is_dataclass(type_):
        return _record(type_, value, where)
    readers = {tuple: _tuple, Literal: _choice, UnionType: _optional, Mapping: _mapping}
    return readers[get_origin(type_)](get_args(type_), value, where)


def _text(value: Any, where: str) -> str:
    """Raises ValueError also for what is no Unicode text, and for NUL, which databases do not take."""
    if not isinstance(value, str):
        raise ValueError(f"{where} is no text")
    if "\0" in value or not value.isascii():
        value.encode()
        if "\0" in value:
            raise ValueError(f"{where} is no text: it has a NUL")
    return value


def _number(value: Any, where: str) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise ValueError(f"{where} is no number")
    return value


def _tuple(arguments: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ValueError(f"{where} is no list")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(read_value(arguments[0], each, where) for each in value)
    if len(value) != len(arguments):
        raise ValueError(f"{where} is no list of {len(arguments)}")
    return tuple(read_value(type_, each, where) for type_, each in zip(arguments, value, strict=True))


def _choice(arguments: tuple[Any, ...], value: Any, where: str) -> str:
    if not isinstance(value, str) or value not in arguments:
        raise ValueError(f"{where} is none of {', '.join(arguments)}")
    return value


def _optional(arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    (inner,) = (each for each in arguments if each is not NoneType)
    return None if value is None else read_value(inner, value, where)


def _mapping(arguments: tuple[Any, ...], value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is no mapping")
    return {_text(key, where): read_value(arguments[1], each, where) for key, each in value.items()}


def _record(type_: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is no mapping")
    found = {}
    for each in fields(type_):
        if each.name in value:
            found[each.name] = read_value(each.type, value[each.name], f"{each.name} of {type_.__name__}")
        elif each.default is MISSING and each.default_factory is MISSING:
            raise ValueError(f"{where} has no {each.name}")
    return type_(**found)
