# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the content engine: digests, files, packages, metadata in the pool, closures, trees.

Plain values without behaviour, of both formats. Named tuples where a repository has tens of thousands of
them, frozen data classes elsewhere. Paths are relative to the root of a source (the directory that its
base address names, and that its published tree has), with `/` between their parts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

# The strongest first: which of several digests of one file decides.
DIGEST_ALGORITHMS = ("sha256", "sha512", "sha384", "sha224", "sha1", "md5")
# The certificates that clients verify a mirror's metadata with: at the root of its tree.
KEY_FILE = "KEY.asc"
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")


class Digest(NamedTuple):
    """`algorithm` as hashlib names it; `value` in lower-case hex."""

    algorithm: str
    value: str


class FileRef(NamedTuple):
    """A file that an upstream's metadata names. `size` in bytes; None where the metadata does not tell."""

    path: str
    size: int | None
    digest: Digest | None


class StoredFile(NamedTuple):
    """A file whose bytes are in the pool under `sha256`, and its place in a tree.

    `role` says what it is to its format: "InRelease", "Packages", "primary", "comps", ..., "package".
    """

    path: str
    size: int
    sha256: str
    role: str = ""


class Package(NamedTuple):
    """One package as one index offers it.

    `version` is complete: deb `[epoch:]upstream[-revision]`, rpm `[epoch:]version-release` without an epoch
    of 0; that and the architecture are empty where there is none, of plain files. `repository` is the entry of the source's `repositories` it comes from, `index_path` the index in it
    (deb: path of the Packages file without its compression; rpm: the repository again). `section` is deb's
    Section or rpm's Group, `origin` the name of the source package.
    """

    name: str
    version: str
    architecture: str
    file: FileRef
    source: str
    repository: str
    index_path: str
    section: str = ""
    origin: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.name, self.version, self.architecture)))


class Validators(NamedTuple):
    """What makes the next request for a file conditional (RFC 9110); empty where the server sent none."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The verified metadata of one repository of a source, every file of it in the pool.

    `entry` holds the files everything hangs on (InRelease, or Release and Release.gpg; repomd.xml with its
    signature), `indexes` all others that were brought in. `date` and `valid_until` in seconds since the
    epoch (rpm: the newest timestamp of the records). `url` is where the first of `entry` really came from.
    `selection` is the digest of what of the source's options decided which indexes were brought in.
    """

    repository: str
    entry: tuple[StoredFile, ...]
    indexes: tuple[StoredFile, ...]
    validators: Validators
    url: str
    date: float | None = None
    valid_until: float | None = None
    signers: tuple[str, ...] = ()
    selection: str = ""


class Because(StrEnum):
    """Why a package is in a closure."""

    REQUESTED = "requested"
    MASTER = "all of the master"
    DEPENDS = "depends"
    RECOMMENDS = "recommends"
    SOLVER = "the solver needs it"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one package is in: the relation as it is written, and the package that has it (None: the request)."""

    because: Because
    relation: str
    by: Package | None = None


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A relation that nothing satisfies; `nearest` names what comes close ("there is nginx 1.18"), or is empty."""

    relation: str
    by: Package | None
    nearest: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"relation": self.relation, "by": str(self.by) if self.by else None, "nearest": self.nearest}


@dataclass(frozen=True, slots=True)
class Closure:
    """What a list of requirements needs: every package, master's too, with a reason, and what is unresolved."""

    chosen: Mapping[Package, Reason]
    unresolved: tuple[Unresolved, ...] = ()


@dataclass(frozen=True, slots=True)
class ClosureOptions:
    """`all_alternatives`: every alternative of `a | b` that can be had, not only the first.
    `weak`: Recommends (deb), Recommends and Supplements (rpm) too. `mandatory`: deb's Essential and
    priority-required packages are roots."""

    all_alternatives: bool = False
    weak: bool = False
    mandatory: bool = False


class Role(StrEnum):
    """Roles of stored files that formats share."""

    PACKAGE = "package"
    COMPANION = "companion"  # source packages, installer images: files beside the packages
    KEY = "key"  # the certificates that clients verify the metadata with


@dataclass(frozen=True, slots=True)
class Lost:
    """A file that could not be brought in, inside the error budget, or a package that needs such a one."""

    what: str
    why: str
    package: Package | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """What `packages` and `search` ask for; empty fields ask nothing. `name` takes shell patterns, `provides`
    and `requires` a name or `name (op version)`; all that are given must hold."""

    name: str = ""
    provides: str = ""
    requires: str = ""
    architecture: str = ""
    section: str = ""
    repository: str = ""


@dataclass(frozen=True, slots=True)
class Details:
    """What a repository says of one package, for people: relations as they are written."""

    summary: str = ""
    description: str = ""
    provides: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    recommends: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)


def safe_path(path: str) -> str:
    """`path`, normal form. Raises ValueError for one that could lead out of a tree: absolute ones, `..`,
    control characters, backslashes."""
    if not path or path.startswith("/") or _CONTROL.search(path):
        raise ValueError(f"{path!r} is not a relative path")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or not parts:
        raise ValueError(f"{path!r} leads out of its directory")
    return "/".join(parts)
