# SPDX-License-Identifier: GPL-3.0-or-later
"""From sources to an archive: each is read, freed of secrets, added; what cannot be had is noted, and never an end."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from orchestrator.upgrade.bundle.archive import Archive
from orchestrator.upgrade.bundle.redaction import Redactor
from orchestrator.upgrade.bundle.secret_documents import redact_json, redact_json_lines
from orchestrator.upgrade.bundle.sources import Content, Form, Source, why_not


@dataclass(frozen=True, slots=True)
class Member:
    """A file that is inside; sizes in bytes."""

    path: str
    what: str
    size: int
    removed: int
    left_out: int = 0
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    path: str
    what: str
    why: str


@dataclass(slots=True)
class Collection:
    members: list[Member] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    @property
    def removed(self) -> int:
        return sum(member.removed for member in self.members)

    def summary(self) -> str:
        """`47 files, 1 secret removed`."""
        numbers = ((len(self.members), "file"), (self.removed, "secret"))
        return (
            ", ".join(f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in numbers) + " removed"
        )


def collect(
    sources: Iterable[Source], redactor: Redactor, archive: Archive, tell: Callable[[str], None]
) -> Collection:
    """Add every source to `archive`; `tell` hears what is collected now. Raises OSError when the archive cannot be
    written."""
    found = Collection()
    names: set[str] = set()
    for source in sources:
        tell(source.path)
        path, in_path = _clean_path(source.path, redactor, names)
        try:
            content = source.read()
            data, removed = _clean(content, source.form, redactor)
        except Exception as error:  # noqa: BLE001 - a bundle is made where things go wrong, perhaps our own
            why = why_not(error)
        else:
            total = removed + in_path + content.removed
            archive.add(path, data, content.time)
            what = redactor.redact(source.what)[0]
            found.members.append(Member(path, what, len(data), total, content.left_out, content.remark))
            names.add(path)
            continue
        if not source.optional:
            found.missing.append(Missing(path, source.what, redactor.redact(why)[0]))
    return found


def _clean(content: Content, form: Form, redactor: Redactor) -> tuple[bytes, int]:
    text = content.data.decode("utf-8", "surrogateescape")
    match form:
        case Form.TEXT:
            clean, removed = redactor.redact(text)
        case Form.JSON:
            clean, removed = redact_json(text, redactor)
        case Form.JSON_LINES:
            clean, removed = redact_json_lines(text, redactor)
        case Form.PAGE:
            clean, removed = redactor.redact_known(text)
    return clean.encode("utf-8", "surrogateescape"), removed


def _clean_path(path: str, redactor: Redactor, taken: set[str]) -> tuple[str, int]:
    """A name without secrets that no other has, and that leads nowhere else."""
    parts = [redactor.redact(part) for part in path.split("/") if part not in ("", ".", "..")]
    name = "/".join(part.replace("/", "_").replace("\n", "_") for part, _ in parts)
    clean, number = name, 2
    while clean in taken:
        clean, number = f"{name}~{number}", number + 1
    return clean, sum(removed for _, removed in parts)
