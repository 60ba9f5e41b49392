# SPDX-License-Identifier: GPL-3.0-or-later
"""What one source of mirrors.yaml says, checked and with everything common filled in."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

SourceType = Literal["deb", "rpm", "file"]
_INDECISIVE = (
    "access",
    "notify",
    "max_shrink",
    "keys",
    "unsigned",
    "osname",
    "baseurls",
    "mirrorlist",
    "metalink",
)


@dataclass(frozen=True, slots=True)
class Access:
    """How to be let in at the source's own hosts. Secrets stay in their files until they are used."""

    user: str = ""
    password_file: Path | None = None
    netrc: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    ca: Path | None = None
    headers: tuple[tuple[str, str], ...] = ()
    proxy: str = ""  # of this source; empty: the common ones, then the environment's


@dataclass(frozen=True, slots=True)
class Filter:
    """One rule of `include` or `exclude`: all given fields must hold. `name` and `source` take shell patterns,
    `regex` is searched in the name, `section` is the whole section (or its part after a slash)."""

    name: str = ""
    regex: str = ""
    section: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A source. Addresses end with a slash; paths are absolute; `repositories` have their versions filled in.

    Of `baseurls`, `mirrorlist` and `metalink` exactly one is given. `architectures` empty: all there are.
    `newest` 0: all versions. `mode` "" chooses: verbatim for a full mirror without filters, else rebuilt.
    """

    name: str
    type: SourceType
    baseurls: tuple[str, ...]
    repositories: tuple[str, ...]
    osname: str = ""
    mirrorlist: str = ""
    metalink: str = ""
    architectures: tuple[str, ...] = ()
    master: str = ""
    partial: bool = False
    requirements: tuple[str, ...] = ()
    keys: tuple[Path, ...] = ()
    unsigned: bool = False
    access: Access = Access()
    include: tuple[Filter, ...] = ()
    exclude: tuple[Filter, ...] = ()
    newest: int = 0
    weak_dependencies: bool = False
    alternatives: Literal["first", "all"] = "first"
    sources: bool = False
    installer: bool = False
    translations: tuple[str, ...] = ("en",)
    contents: bool = False
    sign_with: Path | None = None
    mode: Literal["", "verbatim", "rebuilt"] = ""
    notify: tuple[str, ...] = ()
    max_shrink: float = 0.4

    @property
    def rebuilt(self) -> bool:
        """Whether the mirror's metadata is written by us."""
        if self.mode:
            return self.mode == "rebuilt"
        return self.partial or bool(self.include or self.exclude or self.newest)

    @property
    def address(self) -> str:
        """Where it is asked for: what it says of that, as one text."""
        return " ".join(self.baseurls) or self.mirrorlist or self.metalink

    def at(self, address: str) -> "Source":
        """The same from elsewhere, without what lets one in at its own hosts."""
        return replace(self, baseurls=(address,), mirrorlist="", metalink="", access=Access())

    def options_digest(self) -> str:
        """Changes when anything changes that decides what the mirror holds. From where does not: the digests of its
        metadata say what it is."""
        decisive = {name: str(getattr(self, name)) for name in self.__slots__ if name not in _INDECISIVE}
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Common:
    """What holds for all sources. `rate_limit` in bytes a second, 0 for none; times in seconds."""

    destination: Path = Path("/var/lib/orchestrator/content")
    threads: int = 10
    connections: int = 16
    retries: int = 5
    ignore_error_count: int = 2
    keep: int = 3
    rate_limit: int = 0
    http_proxy: str = ""
    https_proxy: str = ""
    connect_timeout: float = 30.0
    stall_timeout: float = 60.0
    retry_delay: float = 0.5  # at most, before the first retry; twice as long before each further one


@dataclass(frozen=True, slots=True)
class Mirrors:
    """A whole mirrors.yaml. `notes` are remarks for people: keys of the old format that mean nothing here."""

    path: Path
    common: Common
    sources: tuple[Source, ...]
    notes: tuple[str, ...] = ()
