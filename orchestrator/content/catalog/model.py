# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalog's values: frozen, compared by what they say, without behaviour beyond their own names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from orchestrator.errors import Invalid

LIBRARY = "library"  # the first environment of every organization
DEFAULT_VIEW = "default"  # what the library shows of every repository: its newest snapshot
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")

RepositoryType = Literal["deb", "rpm", "file"]


class ProductKind(StrEnum):
    VENDOR = "vendor"
    CUSTOM = "custom"


class SourceScope(StrEnum):
    """What `set-source` holds for."""

    REPOSITORY = "repository"
    PRODUCT = "product"
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a name for the audit trail ("root", "alice via sudo"), and where from ("cli", "step", "api")."""

    name: str
    via: str = "cli"

    def __str__(self) -> str:
        return f"{self.name} ({self.via})"


@dataclass(frozen=True, slots=True)
class Organization:
    """`source_url`, here and below, is where content is taken from instead of the upstream ("" for none)."""

    label: str
    name: str = ""
    source_url: str = ""


@dataclass(frozen=True, slots=True)
class Product:
    """A vendor's product is the same everywhere that has the same `vendor` and `content_id`; a custom one has
    neither. `baseurl` is what relative addresses of its repositories begin at."""

    organization: str
    label: str
    kind: ProductKind = ProductKind.CUSTOM
    name: str = ""
    vendor: str = ""
    content_id: str = ""
    baseurl: str = ""
    source_url: str = ""


@dataclass(frozen=True, slots=True)
class Repository:
    """`upstream` has the keys that a source of mirrors.yaml may have (baseurl, repositories, architectures,
    unsigned, mode, ...) but for name, type and master; empty for one that is filled by imports alone. `mirror`
    names the mirror of `mirror clone` that it is, "" for one of its own."""

    organization: str
    product: str
    label: str
    type: RepositoryType
    name: str = ""
    upstream: Mapping[str, Any] = field(default_factory=dict)
    mirror: str = ""
    source_url: str = ""

    @property
    def path(self) -> str:
        """Where it is in a view, and how people name it in its organization."""
        return f"{self.product}/{self.label}"

    @property
    def store(self) -> str:
        """The name of its mirror store."""
        return self.mirror or f"{self.organization}+{self.product}+{self.label}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Generation `number` of a repository's store. `inventory` is the digest of what it holds
    (`content.inventories`), `origin` "sync", "import" or "upload", `made` an ISO 8601 time (UTC), `packages` the
    number of them, `bytes` each content once."""

    organization: str
    product: str
    repository: str
    number: int
    inventory: str
    files: int
    packages: int
    bytes: int
    made: str
    origin: str = "sync"


@dataclass(frozen=True, slots=True)
class View:
    """Of `repositories` ("product/repository"), or composed of other `views` (labels), not both."""

    organization: str
    label: str
    name: str = ""
    repositories: tuple[str, ...] = ()
    views: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ViewVersion:
    """`contents`: the path of each repository and the snapshot that it shows there, sorted by path."""

    organization: str
    view: str
    number: int
    made: str
    contents: tuple[tuple[str, Snapshot], ...]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Environment:
    """`after` is the environment that versions are promoted from; "" for the library alone. `shows` has the
    version of each view."""

    organization: str
    label: str
    name: str = ""
    after: str = LIBRARY
    shows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Key:
    """Armoured OpenPGP certificates that verify a repository's metadata."""

    organization: str
    name: str
    armoured: str


def check_label(label: str, what: str) -> str:
    """`label`, when it can be one. Raises Invalid."""
    if not _LABEL.fullmatch(label):
        raise Invalid(
            f"{label!r} cannot be the label of {what}",
            hint="take letters, digits and ._-, beginning with a letter or a digit, 60 at most",
        )
    return label


def split_path(path: str) -> tuple[str, str]:
    """The product and the label in "product/repository". Raises Invalid."""
    product, slash, label = path.partition("/")
    if not slash:
        raise Invalid(f"{path!r} does not name a repository", hint="name it as PRODUCT/REPOSITORY")
    return check_label(product, "a product"), check_label(label, "a repository")
