# SPDX-License-Identifier: GPL-3.0-or-later
"""The use case: export what was asked for, in the order that loses nothing.

Plan; refuse what is missing; look for room; lock; record; write; finish. Killed anywhere, the same call goes on:
the same content has the same id, and what was done of it is found by that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.content.catalog import exports, repositories
from orchestrator.content.catalog.exports import ExportRecord
from orchestrator.content.events import Name
from orchestrator.content.exports import pruning, records, room
from orchestrator.content.exports.lines import line_lock
from orchestrator.content.exports.outcome import ChunkOutcome, ExportOutcome, MissingOutcome, subject_text
from orchestrator.content.exports.planning import ExportPlan, plan_again, plan_export
from orchestrator.content.exports.request import ExportRequest
from orchestrator.content.exports.targets import Target, target_of
from orchestrator.content.publication.locks import pool_in_use
from orchestrator.content.workspace import Workspace
from orchestrator.errors import Problem, Refused, UsageError


def export(
    workspace: Workspace,
    request: ExportRequest,
    *,
    to: str = "",
    dry_run: bool = False,
    only_chunk: int = 0,
    fetch_missing: bool = False,
    wait_lock: float = 0.0,
    netrc: Path | None = None,
) -> ExportOutcome:
    ...
