# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine tells while it works: data, for a progress display, plain lines, JSON and a run's journal."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Name(StrEnum):
    READING = "reading"  # repository, url: its entry file is asked for
    UNCHANGED = "unchanged"  # the upstream is what the mirror was made of
    RESOLVED = "resolved"  # packages, unresolved: of a closure
    FETCHING = "fetching"  # files, bytes: what is missing
    PROGRESS = "progress"  # files, bytes, files_total, bytes_total, rate (bytes/s): at most ten a second
    RETRYING = "retrying"  # url, attempt, delay, why
    LOST = "lost"  # what, why, url: one file inside the error budget
    CHECKING = "checking"  # files: their bytes are hashed
    CHANGED = "changed"  # the upstream changed while it was read, and is read again
    PUBLISHING = "publishing"  # generation
    PUBLISHED = "published"  # generation, path, packages, files, bytes
    NOTIFIED = "notified"  # argv, exit_code
    WARNING = "warning"  # text
    # Of the content server; the subject stands where a source does.
    SHOWN = "shown"  # view, version, environment, path, changed: what clients see
    # Exports. `export` is the id; what an export is of stands where a source does.
    PLANNING = "planning"  # kind, format: what it will hold is worked out
    EXPORTING = "exporting"  # export, objects, bytes, chunks, place; left: the chunks that are not done yet
    CHUNK = "chunk"  # export, number, chunks, file, bytes, sha256: one medium is whole
    EXPORTED = "exported"  # export, number, objects, bytes, chunks, place
    REMOVED = "removed"  # export, number, place, why: an export's files and record are gone
    # Imports; "import", an export, a medium or a repository stands where a source does.
    TAKING = "taking"  # objects, bytes: of what is missing this comes from the media
    IMPORTED = "imported"  # export, organization, state ("complete", "going on", "failed"), missing: objects
    DAMAGED = "damaged"  # path, why: a file of a medium, or (no path) the rest of it, was left


@dataclass(frozen=True, slots=True)
class Event:
    name: Name
    source: str
    fields: dict[str, Any] = field(default_factory=dict)


Watcher = Callable[[Event], None]


def nobody(event: Event) -> None:
    """A watcher that looks away."""
