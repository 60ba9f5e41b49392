# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of an export, as data: for text, JSON, a run's journal."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from orchestrator.content.exports.manifest import ExportFormat, Subject
from orchestrator.errors import ExitCode

State = Literal["planned", "complete", "partial", "there already"]


@dataclass(frozen=True, slots=True)
class ChunkOutcome:
    """One medium. `objects` and `bytes` are what is in it, `size` the bytes of its file (of a tgz that is not made
    yet, at most so many), `sha256` its digest, or "" before it is made."""

    number: int
    file: str
    objects: int
    bytes: int
    size: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class MissingOutcome:
    """What of a repository's snapshot cannot be sent, because its bytes are not here."""

    repository: str
    snapshot: int
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExportOutcome:
    """`number` is that of the record (0: there is none), `place` a directory, a file, an address, or "-". `needed`
    and `free` are bytes at that place: -1 where nobody knows. `receipt` is the digest of the receipt that the
    receiver will give."""

    state: State
    export: str
    kind: Literal["complete", "increment"]
    format: ExportFormat
    subject: Subject
    destination: str
    objects: int
    bytes: int
    place: str
    number: int = 0
    chunks: tuple[ChunkOutcome, ...] = ()
    needed: int = -1
    free: int = -1
    refused: str = ""
    receipt: str = ""
    missing: tuple[MissingOutcome, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """A plan that could not be carried out is told as the export would be: refused."""
        return ExitCode.REFUSED if self.missing or self.refused else ExitCode.DONE

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "exit_code": int(self.exit_code)}


def subject_text(subject: Subject) -> str:
    """As people name it: "view web 3", "repository tools/base", "the library"."""
    if subject.kind == "library":
        return "the library"
    parts = (subject.kind, subject.name.replace(",", ", "), str(subject.version or ""))
    return " ".join(part for part in parts if part)
