# SPDX-License-Identifier: GPL-3.0-or-later
"""How an export is to be carried out, beside what it is of."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Wish:
    """`to` a directory, an http(s) address, or "-" (standard output) instead of below the exports root. `only_chunk`
    makes that chunk alone (0: all). With `dry_run` nothing changes, and the outcome says what would be refused. Files
    whose bytes are not here are brought in with `fetch_missing`, else refused. Another run on the same line is waited
    for `wait_lock` seconds. `netrc` is a file that says who we are to the server of an address."""

    to: str = ""
    only_chunk: int = 0
    dry_run: bool = False
    fetch_missing: bool = False
    wait_lock: float = 0.0
    netrc: Path | None = None
