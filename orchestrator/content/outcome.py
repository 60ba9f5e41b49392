# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of one source of a clone: data that terminal, JSON, notification and exit code all read."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from orchestrator.content.model import Lost, Unresolved
from orchestrator.content.planning import Plan
from orchestrator.errors import ExitCode, OrchestratorError


class Status(StrEnum):
    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    PLANNED = "planned"  # a dry run
    FAILED = "failed"  # the old generation stays


@dataclass(frozen=True, slots=True)
class Outcome:
    """`generation` is the one that clients see now (0: none). Sizes in bytes. `error` says why it FAILED."""

    source: str
    status: Status
    generation: int = 0
    path: str = ""
    packages: int = 0
    bytes: int = 0
    fetched_files: int = 0
    fetched_bytes: int = 0
    removed_files: int = 0
    removed_bytes: int = 0
    lost: tuple[Lost, ...] = ()
    unresolved: tuple[Unresolved, ...] = ()
    error: OrchestratorError | None = None
    plan: Plan | None = None

    @property
    def made_anew(self) -> bool:
        return self.status is Status.PUBLISHED

    @property
    def exit_code(self) -> ExitCode:
        if self.error is not None:
            return self.error.exit_code
        return ExitCode.LOSSES if self.lost else ExitCode.DONE

    def to_json(self) -> dict[str, Any]:
        """The document of `--output json` and of `notify`."""
        document: dict[str, Any] = {
            "source": self.source,
            "status": self.status.value,
            "exit_code": int(self.exit_code),
            "generation": self.generation,
            "path": self.path,
            "packages": self.packages,
            "bytes": self.bytes,
            "fetched": {"files": self.fetched_files, "bytes": self.fetched_bytes},
            "removed": {"files": self.removed_files, "bytes": self.removed_bytes},
            "lost": [{"what": lost.what, "why": lost.why, "url": lost.url} for lost in self.lost],
            "unresolved": [unresolved.to_json() for unresolved in self.unresolved],
        }
        if self.error is not None:
            document["error"] = {
                "message": self.error.message,
                "hint": self.error.hint,
                "problems": [{"where": p.where, "what": p.what, "hint": p.hint} for p in self.error.problems],
            }
        return document


def exit_code_of(outcomes: Iterable[Outcome]) -> ExitCode:
    """Of all together: of the failures, when they agree on one, else 1; losses; done."""
    codes = [outcome.exit_code for outcome in outcomes]
    failures = {code for code in codes if code not in (ExitCode.DONE, ExitCode.LOSSES)}
    if ExitCode.INTERRUPTED in failures:
        return ExitCode.INTERRUPTED
    if failures:
        return failures.pop() if len(failures) == 1 else ExitCode.STEP_FAILED
    return ExitCode.LOSSES if ExitCode.LOSSES in codes else ExitCode.DONE
