# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of an import: data that terminal, JSON, the catalog's record and the exit status all read."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from orchestrator.content.imports.deciding import Item
from orchestrator.content.imports.objects import NOTHING, Lack
from orchestrator.content.imports.plan import ExportPlan
from orchestrator.content.imports.survey import MediumReport
from orchestrator.errors import ExitCode, OrchestratorError

State = Literal["complete", "going on", "failed"]


class Fate(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    WAITING = "waiting"  # for objects that are missing, or with --all-or-nothing for others
    FAILED = "failed"  # what was served before still is


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """`snapshot` is the number of a repository's, `error` says why it failed."""

    item: Item
    fate: Fate
    snapshot: int = 0
    error: OrchestratorError | None = None

    @property
    def changed(self) -> bool:
        return self.fate in (Fate.CREATED, Fate.UPDATED)

    def to_json(self) -> dict[str, Any]:
        document = self.item.to_json()
        del document["action"]
        document["fate"] = self.fate.value
        if self.snapshot:
            document["snapshot"] = self.snapshot
        if self.error is not None:
            document["error"] = {"message": self.error.message, "hint": self.error.hint}
        return document


@dataclass(frozen=True, slots=True)
class Damaged:
    """A file of a medium that is not what it must be: it was left, and counts as missing."""

    medium: str
    path: str
    why: str

    def to_json(self) -> dict[str, str]:
        return {"medium": self.medium, "path": self.path, "why": self.why}


@dataclass(frozen=True, slots=True)
class ExportOutcome:
    """`missing` is what has to come for the import to be complete."""

    planned: ExportPlan
    state: State
    items: tuple[ItemOutcome, ...]
    missing: Lack = NOTHING

    @property
    def exit_code(self) -> ExitCode:
        errors = {each.error.exit_code for each in self.items if each.error is not None}
        if errors:
            return errors.pop() if len(errors) == 1 else ExitCode.STEP_FAILED
        if any(each.fate is Fate.REFUSED for each in self.items):
            return ExitCode.REFUSED
        return ExitCode.LOSSES if self.state == "going on" else ExitCode.DONE

    def to_json(self) -> dict[str, Any]:
        planned = self.planned.to_json()
        return {
            "export": self.planned.id,
            "organization": self.planned.organization,
            "state": self.state,
            "kind": planned["kind"],
            "subject": planned["subject"],
            "created": planned["created"],
            "signer": planned["signer"],
            "chunks": planned["chunks"],
            "items": [each.to_json() for each in self.items],
            "missing": self.missing.to_json(),
        }


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """`objects` and `bytes` were taken from the media."""

    exports: tuple[ExportOutcome, ...]
    media: tuple[MediumReport, ...]
    damaged: tuple[Damaged, ...] = ()
    objects: int = 0
    bytes: int = 0

    @property
    def exit_code(self) -> ExitCode:
        """Of all together: of the failures, when they agree on one, else 1; 3 while objects are missing."""
        codes = [each.exit_code for each in self.exports]
        codes += [report.error.exit_code for report in self.media if report.error and not report.export]
        failures = {code for code in codes if code not in (ExitCode.DONE, ExitCode.LOSSES)}
        if failures:
            return failures.pop() if len(failures) == 1 else ExitCode.STEP_FAILED
        return ExitCode.LOSSES if ExitCode.LOSSES in codes else ExitCode.DONE

    def to_json(self) -> dict[str, Any]:
        return {
            "exit_code": int(self.exit_code),
            "exports": [each.to_json() for each in self.exports],
            "media": [each.to_json() for each in self.media],
            "damaged": [each.to_json() for each in self.damaged],
            "objects": self.objects,
            "bytes": self.bytes,
        }
