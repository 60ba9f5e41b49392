# SPDX-License-Identifier: GPL-3.0-or-later
"""pydantic's errors in our words: the path as the user wrote it, what is wrong, the nearest known key.

What keys a mapping may have, and which parts of an error's location pydantic has put in (the branch of a
union, by its discriminator), is read from the model itself. A discriminator named `kind` is no key of its
own: its value is the key that the user wrote (`tcp: {...}`), and stays in the path.
"""

import difflib
import types
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.errors import Problem

# pydantic's words for the mistakes people make, in ours.
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "unknown key",
    "tuple_type": "takes a list",
    "dict_type": "takes a mapping of keys",
    "model_type": "takes a mapping of keys",
    "model_attributes_type": "takes a mapping of keys",
    "string_type": "takes text; put quotes around numbers, dates, yes and no",
}
# What pydantic calls the key of a mapping, as against its value.
_KEY = "[key]"
_WRITTEN_TAG = "kind"


def describe_errors(root: type[BaseModel], error: ValidationError) -> list[Problem]:
    """Each of the errors as a Problem whose `where` is the path as the user wrote it."""
    items = error.errors(include_url=False)
    places = {item["loc"][:length] for item in items for length in range(len(item["loc"]))}
    # An element in error does not count, and the list is too short then: that is no error of its own.
    return [
        _describe(root, item) for item in items if item["type"] != "too_short" or item["loc"] not in places
    ]


def _describe(root: type[BaseModel], item: ErrorDetails) -> Problem:
    location = item["loc"]
    where = show_path(_written(root, location))
    kind = item["type"]
    what = _WORDS.get(kind, item["msg"].removeprefix("Value error, "))
    if location and location[-1] == _KEY:
        return Problem(where, "is not a name: it takes letters, digits and _.@-, in quotes if it is a number")
    if kind == "extra_forbidden":
        return Problem(where, what, did_you_mean(str(location[-1]), _known_keys(root, location[:-1])))
    if kind == "union_tag_not_found":
        tags = _tags(_plain(_at(root, location)))
        what = f"{item['ctx']['discriminator']} is missing (one of {', '.join(tags)})"
    if kind == "union_tag_invalid":
        name = item["ctx"]["discriminator"].strip("'")
        what = f"unknown {name} {item['ctx']['tag']} (one of {item['ctx']['expected_tags']})"
    return Problem(where or "the file", what)


def show_path(parts: Iterable[str | int]) -> str:
    """`sources[2].keys[0]`"""
    where = ""
    for part in parts:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else part
    return where


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint with the nearest of the known words; empty when none is near."""
    nearest = difflib.get_close_matches(word, list(known), 1, 0.5)
    return f"did you mean {nearest[0]}?" if nearest else ""


def _written(root: type[BaseModel], location: Sequence[str | int]) -> list[str | int]:
    """`location` without what pydantic inserts."""
    found: list[str | int] = []
    hint: Any = root
    for part in location:
        if part == _KEY:
            continue
        branch = _branch(_plain(hint), part)
        if branch is None or branch[1] == _WRITTEN_TAG:
            found.append(part)
        hint = _inside(hint, part)
    return found


def _known_keys(root: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """The keys that the mapping at `location` may have."""
    model = _plain(_at(root, location))
    if not _is_model(model):
        return []
    return [field.alias or name for name, field in model.model_fields.items() if name != _WRITTEN_TAG]


def _at(root: type[BaseModel], location: Sequence[str | int]) -> Any:
    """The annotation of what lies at `location`; None where the model has nothing."""
    hint: Any = root
    for part in location:
        hint = hint if part == _KEY else _inside(hint, part)
    return hint


def _inside(hint: Any, part: str | int) -> Any:
    hint = _plain(hint)
    if (branch := _branch(hint, part)) is not None:
        return branch[0]
    if _is_model(hint):
        fields = {field.alias or name: field for name, field in hint.model_fields.items()}
        return fields[part].annotation if part in fields else None
    arguments = get_args(hint)
    if get_origin(hint) is dict:
        return arguments[1]
    return arguments[0] if get_origin(hint) in (tuple, list) else None


def _plain(hint: Any) -> Any:
    """`hint` without Annotated and without `| None`."""
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if _is_union(hint):
        rest = [argument for argument in get_args(hint) if argument is not types.NoneType]
        return _plain(rest[0]) if len(rest) == 1 else hint
    return hint


def _branch(hint: Any, tag: str | int) -> tuple[type[BaseModel], str] | None:
    """The model of the union `hint` that `tag` selects, and the name of its field that holds the tag."""
    for model in get_args(hint) if _is_union(hint) else ():
        for name, field in model.model_fields.items() if _is_model(model) else ():
            if get_origin(field.annotation) is Literal and tag in get_args(field.annotation):
                return model, name
    return None


def _tags(hint: Any) -> list[str]:
    """The tags of a union of models, in its order: each model's is the Literal field it requires."""
    return [
        str(get_args(field.annotation)[0])
        for model in get_args(hint)
        for field in model.model_fields.values()
        if field.is_required()
        and get_origin(field.annotation) is Literal
        and len(get_args(field.annotation)) == 1
    ]


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


def _is_model(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)
