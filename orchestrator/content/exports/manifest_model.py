# SPDX-License-Identifier: GPL-3.0-or-later
"""What a manifest says, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

MAJOR, MINOR = 1, 0

SubjectKind = Literal["repository", "product", "view", "environment", "library"]
ExportFormat = Literal["dir", "tgz", "tar", "iso"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What was asked for. `name` is "product/repository", a label, or "" for the library; several sorted, with
    commas between them. `version` of a single view."""

    kind: SubjectKind
    organization: str
    name: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Base:
    """What an increment is built on: `export` the id of an earlier one, `receipt` the digest of the receiver's, or
    the moment `since` (ISO 8601); `until` is the other end of a window."""

    export: str = ""
    receipt: str = ""
    since: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class ProductEntry:
    label: str
    kind: Literal["vendor", "custom"]
    name: str = ""
    vendor: str = ""
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class RepositoryEntry:
    """One snapshot of one repository. `inventory` is the digest of the list of its files, `base` that of what the
    receiver is thought to have ("" for nothing), `mode` "verbatim" or "rebuilt", `suites` what clients name
    ("stable main", "."), `trees` where a `dir` export has it, `keys` the names of certificates."""

    product: str
    label: str
    type: Literal["deb", "rpm", "file"]
    inventory: str
    files: int
    packages: int
    bytes: int
    made: str
    base: str = ""
    name: str = ""
    mode: str = "verbatim"
    suites: tuple[str, ...] = ()
    trees: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"{self.product}/{self.label}"


@dataclass(frozen=True, slots=True)
class VersionEntry:
    """A view version. `contents`: path in the view, repository ("product/label") and inventory of each."""

    view: str
    number: int
    made: str
    contents: tuple[tuple[str, str, str], ...]
    name: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class EnvironmentEntry:
    label: str
    after: str
    shows: Mapping[str, int]
    name: str = ""


@dataclass(frozen=True, slots=True)
class KeyEntry:
    name: str
    armoured: str


@dataclass(frozen=True, slots=True)
class ChunkEntry:
    """`index` is the digest of chunks/<nnnn>.index, `objects` and `bytes` what that adds up to, `repositories` the
    paths of those that need something of it."""

    number: int
    index: str
    objects: int
    bytes: int
    repositories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """`created` is the time of the newest snapshot in it, not of the export: the same content is the same export.
    `signer` is the identity of the key that signs it. `objects` and `bytes` are what has to be sent. `chunk_size`:
    the most that a medium was to hold, 0 for no limit."""

    kind: Literal["complete", "increment"]
    format: ExportFormat
    subject: Subject
    created: str
    repositories: tuple[RepositoryEntry, ...]
    products: tuple[ProductEntry, ...]
    versions: tuple[VersionEntry, ...] = ()
    environments: tuple[EnvironmentEntry, ...] = ()
    keys: tuple[KeyEntry, ...] = ()
    chunks: tuple[ChunkEntry, ...] = ()
    destination: str = ""
    base: Base | None = None
    signer: str = ""
    objects: int = 0
    bytes: int = 0
    program: str = ""
    organization_name: str = ""
    chunk_size: int = 0
    version: str = f"{MAJOR}.{MINOR}"
    id: str = field(default="", compare=False)
