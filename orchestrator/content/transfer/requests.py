# SPDX-License-Identifier: GPL-3.0-or-later
"""What the transfer is asked for, what it answers, and what it tells on the way."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from orchestrator.content.fetching import Ending
from orchestrator.content.model import Digest, Validators
from orchestrator.content.source import Access


class Request(NamedTuple):
    """One file. `urls` are addresses of the same bytes, tried in order. `target` is where they are collected
    (`NAME.part`, with `NAME.json` beside it while it is half there); None: in memory, for small ones.
    `limit` is the most bytes it may have when `size` is unknown; `known` makes the request conditional.
    `access` is only for the host of `owner` (empty: of the first address), whoever else is asked."""

    urls: tuple[str, ...]
    target: Path | str | None = None
    size: int | None = None
    digest: Digest | None = None
    limit: int | None = None
    known: Validators | None = None
    access: Access = Access()
    owner: str = ""


class Result(NamedTuple):
    """How a request ended. `url` really answered last, after redirects, without user and password. When DONE
    the bytes are in `file` (the target, or a name of its own beside it: small files, and where another process
    was writing the target; it stands complete, not synced; a Path if the target was one) or in `data`. `attempts` counts addresses asked. `why` is empty when DONE."""

    ending: Ending
    url: str
    file: Path | str | None = None
    sha256: str = ""
    size: int = 0
    validators: Validators | None = None
    attempts: int = 0
    why: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a batch is. `bytes_total` counts the files of known size; `rate` is bytes/s received lately."""

    files: int
    files_total: int
    bytes: int
    bytes_total: int
    rate: float


@dataclass(frozen=True, slots=True)
class Retrying:
    """A file is asked for again, `delay` seconds from now; `attempt` counts from 1 (the first retry)."""

    url: str
    attempt: int
    delay: float
    why: str
