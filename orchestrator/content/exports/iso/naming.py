# SPDX-License-Identifier: GPL-3.0-or-later
"""Names as the two directory trees of an image can have them: legal, and no two the same in a directory. Pure."""

import re

# Level 3: stem and extension together. Joliet allows 64, which an object's segment is longer than; 103 is what
# readers of Joliet have room for, and what others write too.
_SHORT, _EXTENSION, _JOLIET = 30, 16, 103
_LABEL, _JOLIET_LABEL = 32, 16
_NOT_D = re.compile(r"[^0-9A-Z_]")
_NOT_JOLIET = re.compile(r"[\x00-\x1f*/:;?\\\x7f\ud800-\udfff\U00010000-\U0010ffff]")


def short_name(name: str, *, directory: bool) -> tuple[str, str]:
    """Stem and extension in d-characters (0-9 A-Z _), 30 of them at most; perhaps not the only one of its kind."""
    stem, extension = name, ""
    if "." in name and not directory:
        stem, _, extension = name.rpartition(".")
    stem, extension = _d_characters(stem), _d_characters(extension)[:_EXTENSION]
    return stem[: _SHORT - len(extension)] or "_", extension


def joliet_name(name: str) -> tuple[str, str]:
    return _NOT_JOLIET.sub("_", name)[:_JOLIET], ""


def distinct(names: list[tuple[str, str]], most: int = _SHORT) -> list[tuple[str, str]]:
    """The names, stem and extension, where one is there already with a number in the place of the stem's end.
    `most` is the length of both together."""
    if len(set(names)) == len(names):
        return names
    taken: set[tuple[str, str]] = set()
    numbers: dict[tuple[str, str], int] = {}
    found = []
    for name in names:
        stem, extension = tried = name
        while tried in taken:
            number = numbers[name] = numbers.get(name, 0) + 1
            room = most - len(extension) - len(str(number))
            tried = (f"{stem[:room]}{number}", extension)
        taken.add(tried)
        found.append(tried)
    return found


def distinct_joliet(names: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return distinct(names, _JOLIET)


def volume_id(label: str) -> bytes:
    """The label of an image in d-characters: "web-3 1of2" is WEB_3_1OF2."""
    return _d_characters(label)[:_LABEL].encode().ljust(_LABEL)


def joliet_volume_id(label: str) -> bytes:
    return _NOT_JOLIET.sub("_", label)[:_JOLIET_LABEL].ljust(_JOLIET_LABEL).encode("utf-16-be")


def _d_characters(text: str) -> str:
    text = text.upper()
    return text if text.isascii() and (text.isalnum() or not text) else _NOT_D.sub("_", text)
