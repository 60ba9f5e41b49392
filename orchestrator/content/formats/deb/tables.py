# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the packages of an index are, by name and by what they provide: found by one regular expression.

For a large index that takes a fifth of a second, so its tables are kept beside the pool.
"""

import contextlib
import gc
import marshal
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from orchestrator.content.formats.deb.cache import keep, kept
from orchestrator.content.formats.deb.control import Buffer
from orchestrator.content.pool import Pool

_LARGE = 4 << 20
_FORM = "tables1"  # another one for other tables: old ones are never read by a version they are not of
_FIELD = re.compile(rb"\n(?:Package:[ \t]*([^\s]+)|Provides:([^\n]*(?:\n[ \t][^\n]*)*))")
_PROVIDED = re.compile(rb"([^\s,(:]+)[^,(]*(?:\(\s*=\s*([^)\s]+)\s*\))?")


@dataclass(frozen=True, slots=True)
class Tables:
    """`names`: offsets of the Package fields. `provided`: offsets of the Provides fields and the versions
    there, in turns."""

    names: dict[bytes, list[int]]
    provided: dict[bytes, list[int | bytes]]


def scan(data: Buffer) -> Tables:
    """Of an index; an offset is anywhere in the stanza."""
    tables = Tables({}, {})
    with without_collector():
        _note(_FIELD.match(b"\n" + data[: data.find(b"\n") + 1]), 0, tables)
        for match in _FIELD.finditer(data):
            _note(match, match.start() + 1, tables)
    return tables


def _note(match: re.Match[bytes] | None, offset: int, tables: Tables) -> None:
    if not match:
        return
    name, provides = match.groups()
    if name is not None:
        tables.names.setdefault(name, []).append(offset)
    else:
        for provided, version in _PROVIDED.findall(provides):
            tables.provided.setdefault(provided, []).extend((offset, version))


def read_tables(data: Buffer, key: str, pool: Pool) -> Tables:
    """The same, of what is kept for `key` (the index's SHA-256 in the pool) where there is something."""
    if len(data) < _LARGE:
        return scan(data)
    name = f"{key}-{_FORM}"
    held = kept(pool, name)
    if held is not None:
        with without_collector(), contextlib.suppress(EOFError, ValueError, TypeError):
            names, provided = marshal.loads(held)  # noqa: S302 # our own, and its checksum is right
            return Tables(names, provided)
    tables = scan(data)
    keep(pool, name, marshal.dumps((tables.names, tables.provided)))
    return tables


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Tens of thousands of tuples without a cycle are not worth a third of the time in the collector."""
    resume: Callable[[], None] = gc.enable if gc.isenabled() else gc.disable
    gc.disable()
    try:
        yield
    finally:
        resume()
