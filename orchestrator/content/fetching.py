# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam between formats and the network: ask for an entry file, bring named files into the pool.

Formats speak of paths in a source's tree; the fetcher knows the addresses they come from (several where a
mirrorlist or metalink names several, tried in order) and what was already brought.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from orchestrator.content.model import FileRef, StoredFile, Validators
from orchestrator.content.pool import Pool


class Ending(StrEnum):
    """How a request ended. Which of them are worth a retry is the transfer's business, not the caller's."""

    DONE = "done"
    NOT_MODIFIED = "not modified"
    NOT_FOUND = "not found"  # 404 and 410 from every address
    FORBIDDEN = "refused"  # other 4xx: 401, 403, 407 ...
    WRONG_CONTENT = "wrong content"  # size or digest is not the expected one
    UNREACHABLE = "unreachable"  # 5xx, time-outs, broken connections, after all retries


@dataclass(frozen=True, slots=True)
class EntryReply:
    """An entry file. `data` is empty unless DONE; `why` is empty when DONE or NOT_MODIFIED."""

    ending: Ending
    url: str
    data: bytes = b""
    validators: Validators | None = None
    why: str = ""

    def __str__(self) -> str:
        return with_address(self.why or str(self.ending), self.url)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to bring in. `paths` are the places to ask, in order (by-hash first, then by name); the file is
    the same at all of them. `role` is given to the stored file, whose path is that of `file`."""

    file: FileRef
    paths: tuple[str, ...] = ()
    role: str = ""


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of one wanted file: `stored` when DONE, else why not and at which address."""

    wanted: Wanted
    ending: Ending
    stored: StoredFile | None = None
    why: str = ""
    url: str = ""

    def __str__(self) -> str:
        return with_address(self.why or str(self.ending), self.url or self.wanted.file.path)


def with_address(why: str, url: str) -> str:
    """What went wrong, and where; it says so by itself where several addresses were asked."""
    return why if url in why else f"{url}: {why}"


class Fetcher(Protocol):
    """Brings files of one source."""

    @property
    def pool(self) -> Pool: ...

    def entry(self, path: str, known: Validators | None, limit: int) -> EntryReply:
        """A small file of unknown digest, at most `limit` bytes; conditional when `known` is given."""

    def bring(self, wanted: Sequence[Wanted]) -> list[Brought]:
        """All of them, in parallel, in the order asked; what the pool has already is not fetched again.
        Never raises for what servers and networks do; raises OSError when the disk fails."""
