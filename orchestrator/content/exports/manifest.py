# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest: what an export holds, as a value; its canonical JSON, and the reading of anybody's. Pure.

A manifest is read when its major version is ours: unknown keys are those of a later minor version and mean
nothing to us, missing ones those of an earlier and have their defaults. No row or key of any database is in it.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, NamedTuple

from orchestrator.content.catalog.model import check_label
from orchestrator.content.model import safe_path
from orchestrator.errors import BadContent, OrchestratorError, Refused

FORMAT, MAJOR, MINOR = "orchestrator-export", 1, 0
MANIFEST, SIGNATURE, README, SUMS = "manifest.json", "manifest.sig", "README.txt", "SHA256SUMS"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[0-9a-f]{32}")

SubjectKind = Literal["repository", "product", "view", "environment", "library"]
ExportFormat = Literal["dir", "tgz", "tar", "iso"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What was asked for. `name` is "product/repository", a label, or "" for the library; `version` of a view."""

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
    `signer` is the identity of the key that signs it. `objects` and `bytes` are what has to be sent."""

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
    version: str = f"{MAJOR}.{MINOR}"
    id: str = field(default="", compare=False)


class Piece(NamedTuple):
    """An object, or the `length` bytes from `start` on of one that was cut."""

    sha256: str
    size: int  # of the whole object
    start: int
    length: int

    @property
    def is_whole(self) -> bool:
        return self.length == self.size

    @property
    def place(self) -> str:
        """Its path on a medium."""
        name = f"objects/{self.sha256[:2]}/{self.sha256}"
        return name if self.is_whole else f"{name}.{self.start}"


def index_bytes(number: int, of: int, pieces: Sequence[Piece]) -> bytes:
    """chunks/<nnnn>.index: a line for each piece in the order of the medium, `<sha256> <size>` or
    `<sha256> <size> <start> <length>`."""
    lines = [f"# chunk {number} of {of}"]
    for piece in pieces:
        whole = f"{piece.sha256} {piece.size}"
        lines.append(whole if piece.is_whole else f"{whole} {piece.start} {piece.length}")
    return "\n".join([*lines, ""]).encode()


def read_index(data: bytes, name: str) -> list[Piece]:
    """Raises BadContent, naming `name`."""
    try:
        head, *lines = data.decode("ascii").split("\n")
        if not head.startswith("# chunk ") or not lines or lines.pop():
            raise ValueError
        return [_piece(line.split(" ")) for line in lines]
    except ValueError:
        raise BadContent(f"{name} is no index of a chunk, or damaged") from None


def _piece(words: list[str]) -> Piece:
    sha256, size, *segment = words
    if not _SHA256.fullmatch(sha256) or len(segment) not in (0, 2):
        raise ValueError
    start, length = (int(word) for word in segment) if segment else (0, int(size))
    if not 0 <= start <= start + length <= int(size):
        raise ValueError
    return Piece(sha256, int(size), start, length)


def index_place(number: int) -> str:
    return f"chunks/{number:04d}.index"


def inventory_place(digest: str) -> str:
    return f"inventories/{digest}"


def with_id(manifest: Manifest) -> Manifest:
    """With the id that its content gives it."""
    return replace(manifest, id=_id_of({"format_name": FORMAT, **asdict(manifest)}))


def _id_of(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical({**document, "id": ""})).hexdigest()[:32]


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def to_bytes(manifest: Manifest) -> bytes:
    """Canonical: sorted keys, no spaces, ASCII, one newline at the end."""
    return _canonical({"format_name": FORMAT, **asdict(manifest)})


def from_bytes(data: bytes, name: str) -> Manifest:
    """Raises BadContent, naming `name`, for what is no manifest or contradicts itself, and Refused for one of
    another major version."""
    try:
        document = json.loads(data)
    except ValueError:
        raise BadContent(f"{name} is no manifest: not JSON") from None
    if not isinstance(document, dict) or document.get("format_name") != FORMAT:
        raise BadContent(f"{name} is not the manifest of an export")
    _check_version(str(document.get("version")), name)
    try:
        manifest = _manifest(document)
    except (TypeError, ValueError, KeyError, AttributeError, OrchestratorError) as error:
        raise BadContent(f"{name} is no whole manifest: {error}") from None
    if manifest.id != _id_of(document):
        raise BadContent(f"{name} was changed: its id is not that of its content")
    return manifest


def _check_version(version: str, name: str) -> None:
    found = re.fullmatch(r"(\d{1,6})\.(\d{1,6})", version)
    if not found:
        raise BadContent(f"{name} does not say of which version it is")
    if int(found[1]) != MAJOR:
        raise Refused(
            f"{name} is of version {version}, and this program reads {MAJOR}.x",
            hint="export it anew with a version of the program that writes that, or import it with a newer one",
        )


def _manifest(document: Mapping[str, Any]) -> Manifest:
    manifest = _read(Manifest, document)
    manifest = replace(
        manifest,
        subject=_read(Subject, document["subject"]),
        base=_read(Base, document["base"]) if document.get("base") else None,
        repositories=_all(RepositoryEntry, document["repositories"]),
        products=_all(ProductEntry, document["products"]),
        versions=_all(VersionEntry, document.get("versions", ())),
        environments=_all(EnvironmentEntry, document.get("environments", ())),
        keys=_all(KeyEntry, document.get("keys", ())),
        chunks=_all(ChunkEntry, document.get("chunks", ())),
    )
    _check(manifest)
    return manifest


def _all(type_: type[Any], documents: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
    if not isinstance(documents, list | tuple):
        raise ValueError(f"the {type_.__name__} are no list")
    return tuple(_read(type_, each) for each in documents)


def _read(type_: type[Any], document: Mapping[str, Any]) -> Any:
    """A value of `type_` of what it knows of the document; plain fields are checked by the type of their default
    or name, lists become tuples."""
    if not isinstance(document, dict):
        raise ValueError(f"{type_.__name__} is no mapping")
    values = {}
    for each in fields(type_):
        if each.name in document:
            values[each.name] = _plain(each.name, each.type, document[each.name])
    return type_(**values)


def _plain(name: str, type_: Any, value: Any) -> Any:
    """Lists as tuples all the way down. Raises ValueError when a text or number is none."""
    if type_ is str and not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    if type_ is int and (type(value) is not int or value < 0):
        raise ValueError(f"{name} is no number")
    return _tuples(value)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value


def _check(manifest: Manifest) -> None:
    """That everything it names is there, and no name leads anywhere else. Raises ValueError or Invalid."""
    if not _ID.fullmatch(manifest.id):
        raise ValueError("the id is none")
    if manifest.format not in ("dir", "tgz", "tar", "iso") or manifest.kind not in ("complete", "increment"):
        raise ValueError("the kind or format is unknown")
    check_label(manifest.subject.organization, "an organization")
    products = {product.label: check_label(product.label, "a product") for product in manifest.products}
    for product in manifest.products:
        if product.kind not in ("vendor", "custom"):
            raise ValueError(f"the product {product.label} is neither a vendor's nor custom")
    digests = set()
    for each in manifest.repositories:
        check_label(each.label, "a repository")
        if each.product not in products or each.type not in ("deb", "rpm", "file"):
            raise ValueError(f"the repository {each.path} has no product or an unknown type")
        if not _SHA256.fullmatch(each.inventory) or (each.base and not _SHA256.fullmatch(each.base)):
            raise ValueError(f"the inventory of {each.path} is no digest")
        for tree in each.trees:
            if safe_path(tree) != tree or not tree.startswith("content/"):
                raise ValueError(f"{tree!r} is no place of a tree")
        digests.add((each.path, each.inventory))
    for version in manifest.versions:
        check_label(version.view, "a view")
        for path, repository, inventory in version.contents:
            if safe_path(path) != path or (repository, inventory) not in digests:
                raise ValueError(f"the view {version.view} holds something that is not in the export")
    numbers = {(version.view, version.number) for version in manifest.versions}
    for environment in manifest.environments:
        check_label(environment.label, "an environment")
        if not set(environment.shows.items()) <= numbers:
            raise ValueError(f"the environment {environment.label} shows what is not in the export")
    for number, chunk in enumerate(manifest.chunks, 1):
        if chunk.number != number or not _SHA256.fullmatch(chunk.index):
            raise ValueError("the chunks are not numbered from 1, or an index is no digest")


__all__ = [
    "FORMAT",
    "MANIFEST",
    "README",
    "SIGNATURE",
    "SUMS",
    "Base",
    "ChunkEntry",
    "EnvironmentEntry",
    "ExportFormat",
    "KeyEntry",
    "Manifest",
    "Piece",
    "ProductEntry",
    "RepositoryEntry",
    "Subject",
    "SubjectKind",
    "VersionEntry",
    "from_bytes",
    "index_bytes",
    "index_place",
    "inventory_place",
    "read_index",
    "to_bytes",
    "with_id",
]
