# SPDX-License-Identifier: GPL-3.0-or-later
"""PULP_MANIFEST, the list of a directory's files as Pulp and Katello write and read it: a line for each file,
`path,sha256,size`. Commas in a path are its own; empty lines and those that begin with `#` mean nothing. Pure."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from orchestrator.content.model import KEY_FILE, safe_path
from orchestrator.errors import BadContent

ENTRY = "PULP_MANIFEST"
# Bytes of the largest list that is read: some hundred thousand files.
LIMIT = 64 << 20
_LINE = re.compile(r"(?P<path>[^,].*?)\s*,\s*(?P<sha256>[0-9a-fA-F]{64})\s*,\s*(?P<size>[0-9]{1,15})")


class Listed(NamedTuple):
    """`path` is relative to the directory of the list; `size` in bytes."""

    path: str
    sha256: str
    size: int


def parse(data: bytes, name: str) -> list[Listed]:
    """In the order of the lines; what stands twice, once. Raises BadContent, naming `name` and the line, for one
    that cannot be read, leads elsewhere, or contradicts another."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise BadContent(f"{name} is no list of files: it is not UTF-8") from None
    found: dict[str, Listed] = {}
    for number, line in enumerate(map(str.strip, text.split("\n")), 1):
        if not line or line.startswith("#"):
            continue
        try:
            listed = _read(line)
        except ValueError as error:
            raise BadContent(f"{name}, line {number}: {error}") from None
        if found.setdefault(listed.path, listed) != listed:
            raise BadContent(f"{name}, line {number}: {listed.path} stands twice, as two different files")
    return list(found.values())


def _read(line: str) -> Listed:
    """Raises ValueError."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"{line[:100]!r} is not `path,sha256,size`")
    path = match["path"]
    if safe_path(path) != path:
        raise ValueError(f"{path!r} is not a path in its normal form")
    if path in (ENTRY, KEY_FILE):
        raise ValueError(f"{path} cannot be one of the files: a mirror has its own there")
    return Listed(path, match["sha256"].lower(), int(match["size"]))


def write(files: Iterable[Listed]) -> bytes:
    """Sorted by path. Raises BadContent for a path that a reader would take for another."""
    lines = [f"{path},{sha256},{size}" for path, sha256, size in sorted(files)]
    for listed, line in zip(sorted(files), lines, strict=True):
        try:
            readable = _read(line.strip()) == listed and not line.startswith("#")
        except ValueError as error:
            raise BadContent(f"{listed.path!r} cannot stand in a {ENTRY}: {error}") from None
        if not readable or len(line.splitlines()) > 1:
            raise BadContent(f"{listed.path!r} cannot stand in a {ENTRY}: readers take it for something else")
    return "".join(f"{line}\n" for line in lines).encode()
