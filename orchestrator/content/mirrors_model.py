# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of mirrors.yaml. Field names are the keys a user writes; defaults are those of `content.source`.

One value at a time: what several keys must agree on is in `mirrors_checks`.
"""

import dataclasses
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictInt, model_validator

from orchestrator.config.model import Duration, Model
from orchestrator.config.quantities import parse_size
from orchestrator.content.source import Access, Filter, SourceType
from orchestrator.content.source import Common as PlainCommon
from orchestrator.content.source import Source as PlainSource

_SOURCE: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(PlainSource)}
_COMMON = PlainCommon()
_ACCESS = Access()

# One directory name: of a mirror below `repositories/` and `published/`.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+~-]{0,99}")
_SHELL_VARIABLE = re.compile(r"\$\{?[A-Za-z]")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(
            "is not a name: it takes letters, digits and _.+~-, and begins with a letter or digit"
        )
    return text


def _architecture(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", text):
        raise ValueError("is not an architecture (like amd64, x86_64)")
    return text


def _not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return " ".join(text.split())


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


def _version(value: Any) -> Any:
    """Whole numbers are their digits; 22.10 is not, for YAML has made 22.1 of it already."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _size(value: Any) -> Any:
    if value is None:
        return 0
    return parse_size(value) if isinstance(value, str) else value


def _share(value: Any) -> Any:
    match = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    return float(match[1]) / 100 if match else value


def _header(text: str) -> str:
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text):
        raise ValueError("holds a line break or another control character")
    return text


# Addresses ------------------------------------------------------------------------------------------------


def _split(text: str, schemes: tuple[str, ...]) -> SplitResult:
    """Raises ValueError for what is no address of a server, or holds a secret, which is not repeated."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises for one that is no number
    except ValueError:
        raise ValueError("is not an address") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "holds a user or password: name them under auth, as user and password_file (a file of mode 600)"
        )
    if _UNPRINTABLE.search(text):
        raise ValueError("holds a space or a control character")
    if parts.scheme not in schemes:
        hint = f"; a directory here is file://{text}" if text.startswith("/") and "file" in schemes else ""
        raise ValueError(f"is not an address that begins with {':// or '.join(schemes)}://{hint}")
    if parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/")):
        raise ValueError("is not an address: file:// is followed by an absolute path")
    if parts.scheme != "file" and not parts.hostname:
        raise ValueError("names no host")
    return parts


def _location(text: str) -> str:
    """The address of a file on a server; its placeholders are filled in later."""
    _split(text, ("http", "https", "file"))
    if _SHELL_VARIABLE.search(text):
        raise ValueError("holds a variable like $basearch: write {architecture}, or a name under versions")
    return text


def base_address(text: Any) -> str:
    """A base address as it is kept, with its slash. Raises ValueError."""
    if not isinstance(text, str):
        raise ValueError("takes text; put quotes around numbers, dates, yes and no")
    _location(text)
    if "?" in text or "#" in text:
        raise ValueError("holds ? or #, and paths are added to it")
    return text.rstrip("/") + "/"


def _base_addresses(value: Any) -> Any:
    """One address, or a list of them."""
    if not isinstance(value, list):
        return (base_address(value),)
    found = []
    for number, text in enumerate(value, 1):
        try:
            found.append(base_address(text))
        except ValueError as error:
            raise ValueError(f"address {number} {error}") from None
    return tuple(found)


def _proxy(value: Any) -> Any:
    if value is None or value == "":
        return ""
    if isinstance(value, str):
        try:
            _split(value, ("http", "https", "socks5", "socks5h"))
        except ValueError as error:
            if "password" not in str(error):
                raise
            raise ValueError(
                "holds a user or password: a proxy's go into the environment (http_proxy, https_proxy), not here"
            ) from None
    return value


def _rule(value: Any) -> Any:
    """A bare text is a pattern of names."""
    return {"name": value} if isinstance(value, str) else value


Name = Annotated[str, AfterValidator(_name)]
Text = Annotated[str, AfterValidator(_not_empty)]
Location = Annotated[str, AfterValidator(_location)]
BaseAddresses = Annotated[tuple[str, ...], BeforeValidator(_base_addresses), Field(min_length=1)]
Proxy = Annotated[str, BeforeValidator(_proxy)]
Count = Annotated[StrictInt, Field(ge=0, le=1000)]
Positive = Annotated[StrictInt, Field(ge=1, le=1000)]
Timeout = Annotated[Duration, Field(gt=0, le=86400)]

# The keys -------------------------------------------------------------------------------------------------


class Common(Model):
    """What holds for all sources."""

    destination: Path = _COMMON.destination
    threads: Positive = _COMMON.threads
    connections: Positive = _COMMON.connections
    retries: Count = _COMMON.retries
    ignore_error_count: Annotated[StrictInt, Field(ge=0)] = _COMMON.ignore_error_count
    keep: Positive = _COMMON.keep
    rate_limit: Annotated[StrictInt, BeforeValidator(_size), Field(ge=0)] = _COMMON.rate_limit
    http_proxy: Proxy = _COMMON.http_proxy
    https_proxy: Proxy = _COMMON.https_proxy
    connect_timeout: Timeout = _COMMON.connect_timeout
    stall_timeout: Timeout = _COMMON.stall_timeout
    retry_delay: Annotated[Duration, Field(ge=0, le=3600)] = _COMMON.retry_delay


class Auth(Model):
    """How to be let in; secrets are in files of their own."""

    user: Annotated[str, AfterValidator(_not_empty)] = _ACCESS.user
    password_file: Path | None = _ACCESS.password_file
    netrc: Path | None = _ACCESS.netrc
    client_certificate: Path | None = _ACCESS.client_certificate
    client_key: Path | None = _ACCESS.client_key
    ca: Path | None = _ACCESS.ca

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if bool(self.user) != bool(self.password_file):
            raise ValueError("user and password_file belong together")
        if self.user and self.netrc:
            raise ValueError("user and netrc exclude each other")
        if self.client_key and not self.client_certificate:
            raise ValueError("client_key needs client_certificate")
        return self


class Rule(Model):
    """One rule of include or exclude."""

    name: Text = ""
    regex: Annotated[str, AfterValidator(_regex)] = ""
    section: Text = ""
    source: Text = ""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.name or self.regex or self.section or self.source):
            raise ValueError("says nothing: it takes a name pattern, or some of name, regex, section, source")
        return self

    def filter(self) -> Filter:
        return Filter(self.name, self.regex, self.section, self.source)


AnyRule = Annotated[Rule, BeforeValidator(_rule)]


class Source(Model):
    """One source, before names are filled in and paths made absolute. `partial` None: as the rest says."""

    name: Name
    type: SourceType
    osname: str = _SOURCE["osname"]
    baseurl: BaseAddresses | None = None
    mirrorlist: Location | None = None
    metalink: Location | None = None
    repositories: Annotated[tuple[Text, ...], Field(min_length=1)]
    architectures: tuple[Annotated[str, AfterValidator(_architecture)], ...] = _SOURCE["architectures"]
    master: Text | None = None
    partial: StrictBool | None = None
    requirements: tuple[Text, ...] = _SOURCE["requirements"]
    keys: Annotated[tuple[Path, ...], Field(min_length=1)] | None = None
    unsigned: StrictBool = _SOURCE["unsigned"]
    auth: Auth = Auth()
    headers: dict[
        Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")],
        Annotated[str, AfterValidator(_header)],
    ] = Field(default_factory=dict)
    proxy: Proxy = _ACCESS.proxy
    include: tuple[AnyRule, ...] = _SOURCE["include"]
    exclude: tuple[AnyRule, ...] = _SOURCE["exclude"]
    newest: Count = _SOURCE["newest"]
    weak_dependencies: StrictBool = _SOURCE["weak_dependencies"]
    alternatives: Literal["first", "all"] = _SOURCE["alternatives"]
    sources: StrictBool = _SOURCE["sources"]
    installer: StrictBool = _SOURCE["installer"]
    translations: tuple[Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([_-][A-Za-z]+)?$")], ...] = _SOURCE[
        "translations"
    ]
    contents: StrictBool = _SOURCE["contents"]
    sign_with: Path | None = _SOURCE["sign_with"]
    mode: Literal["verbatim", "rebuilt"] | None = None
    notify: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    max_shrink: Annotated[float, BeforeValidator(_share), Field(ge=0, le=1)] = _SOURCE["max_shrink"]

    @model_validator(mode="before")
    @classmethod
    def _one_directory(cls, value: Any) -> Any:
        """A source of files is one directory, if it says nothing else."""
        if isinstance(value, dict) and value.get("type") == "file":
            return {"repositories": ["."], **value}
        return value


class File(Model):
    """The whole file. `versions` are the names that addresses and repositories may hold in braces."""

    common: Common = Field(default_factory=Common)
    versions: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")],
        Annotated[str, BeforeValidator(_version), Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._~+/-]*$")],
    ] = Field(default_factory=dict)
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
