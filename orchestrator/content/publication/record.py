# SPDX-License-Identifier: GPL-3.0-or-later
"""What a generation was made of, and the verified metadata that is held: values, and their JSON. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.content.model import Metadata, StoredFile, Validators

_RECORD_FORMAT = 1
_HELD_FORMAT = 1


class NewerFormat(ValueError):
    """A later version of the program wrote this."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a tree was made of. The publication fills in what is below the line.

    `mode` is "verbatim" or "rebuilt", `fingerprint` the digest of everything that decided the tree. `lost` has
    what could not be brought in and why, `unresolved` the relations that nothing satisfies, `upstream`
    repository, address and SHA-256 of each entry file.
    """

    source: str
    type: str
    mode: str
    fingerprint: str = ""
    packages: int = 0
    lost: tuple[tuple[str, str], ...] = ()
    unresolved: tuple[str, ...] = ()
    upstream: tuple[tuple[str, str, str], ...] = ()
    # --- number of the generation; when it was made; files and bytes of its own (each content once); the
    # generation that was published before, 0 for none
    number: int = 0
    time: str = ""
    files: int = 0
    bytes: int = 0
    previous: int = 0


def record_to_json(record: Record) -> dict[str, Any]:
    return {"format": _RECORD_FORMAT, **asdict(record)}


def record_from_json(document: Any) -> Record:
    """Raises NewerFormat, or ValueError when it is not the JSON of a record."""
    if not isinstance(document, dict) or not isinstance(document.get("format"), int):
        raise ValueError("not a record")
    if document["format"] > _RECORD_FORMAT:
        raise NewerFormat
    fields = {name: document[name] for name in Record.__slots__ if name in document}
    try:
        fields["lost"] = tuple((str(what), str(why)) for what, why in document["lost"])
        fields["unresolved"] = tuple(str(relation) for relation in document["unresolved"])
        fields["upstream"] = tuple((str(r), str(u), str(s)) for r, u, s in document["upstream"])
        record = Record(**fields)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a record: {error}") from None
    if any(not isinstance(getattr(record, name), int) for name in ("number", "files", "bytes", "packages")):
        raise ValueError("not a record: a number is none")
    return record


def held_to_json(metadata: Sequence[Metadata], asked: str = "") -> dict[str, Any]:
    """`asked`: where it came from, as the source says that."""
    return {
        "format": _HELD_FORMAT,
        "asked": asked,
        "repositories": [
            {
                "repository": each.repository,
                "entry": [list(file) for file in each.entry],
                "indexes": [list(file) for file in each.indexes],
                "validators": list(each.validators),
                "url": each.url,
                "date": each.date,
                "valid_until": each.valid_until,
                "signers": list(each.signers),
                "selection": each.selection,
            }
            for each in metadata
        ],
    }


def held_from_json(document: Any) -> tuple[Metadata, ...]:
    """Empty when the document is of another format, or damaged: then everything is asked for anew."""
    try:
        if document["format"] != _HELD_FORMAT:
            return ()
        return tuple(_metadata(each) for each in document["repositories"])
    except (KeyError, TypeError, ValueError):
        return ()


def _metadata(fields: dict[str, Any]) -> Metadata:
    return Metadata(
        repository=str(fields["repository"]),
        entry=tuple(_file(each) for each in fields["entry"]),
        indexes=tuple(_file(each) for each in fields["indexes"]),
        validators=Validators(*fields["validators"]),
        url=str(fields["url"]),
        date=_time(fields["date"]),
        valid_until=_time(fields["valid_until"]),
        signers=tuple(str(signer) for signer in fields["signers"]),
        selection=str(fields["selection"]),
    )


def _file(fields: list[Any]) -> StoredFile:
    path, size, sha256, role = fields
    return StoredFile(str(path), int(size), str(sha256), str(role))


def _time(value: Any) -> float | None:
    return None if value is None else float(value)
