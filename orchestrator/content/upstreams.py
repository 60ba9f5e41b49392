# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of the catalog's repositories: what they are in full, which part of them is relative, where else the same
content may lie, and whether two of them can hold the same. Pure, but for links in paths of this machine."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from orchestrator.content.catalog.model import Product, Repository
from orchestrator.content.model import safe_path
from orchestrator.content.transfer.addresses import quoted
from orchestrator.errors import Invalid

LISTS = ("mirrorlist", "metalink")
_PORTS = {"http": 80, "https": 443}

# A place as it is compared: what serves it, then the parts of its path.
Territory = tuple[str, ...]


def told(upstream: Mapping[str, Any]) -> dict[str, Any]:
    """What an upstream says, for people, programs and the audit trail: without the values of headers, which may be
    what lets one in."""
    headers = upstream.get("headers")
    hidden = {"headers": dict.fromkeys(headers, "...")} if isinstance(headers, Mapping) else {}
    return {**upstream, **hidden}


def base_address(text: Any) -> str:
    """An address as the engine takes it: with its slash, an absolute path as file://. Raises Invalid."""
    from orchestrator.content import mirrors_model

    if isinstance(text, str) and text.startswith("/"):
        text = f"file://{quoted(text)}"
    try:
        return mirrors_model.base_address(text)
    except ValueError as error:
        raise Invalid(f"{text!r} {error}") from None


def baseurls(product: Product, repository: Repository) -> list[str]:
    """The base addresses of its upstream, relative ones below the product's. Raises Invalid for one that leads
    nowhere."""
    written = repository.upstream.get("baseurl")
    if written is None:
        named = any(repository.upstream.get(key) for key in LISTS)
        written = "." if repository.upstream and product.baseurl and not named else []
    texts = written if isinstance(written, list) else [written]
    return [_joined(product, repository, text) for text in texts]


def _joined(product: Product, repository: Repository, text: Any) -> Any:
    if not isinstance(text, str) or is_absolute(text):
        return text
    if not product.baseurl:
        raise Invalid(
            f"the address {text!r} of {repository.path} is relative, and its product has no base address",
            hint=f"orchestrator product update {product.label} --baseurl URL, or give the whole address",
        )
    return f"{product.baseurl.rstrip('/')}/{_plain(repository, text)}"


def is_absolute(text: str) -> bool:
    return "://" in text or text.startswith("/")


def _plain(repository: Repository, text: str) -> str:
    """A relative address in its normal form; "" for the base itself. Raises Invalid."""
    try:
        return "" if text.strip("./") == "" and ".." not in text else safe_path(text)
    except ValueError as error:
        raise Invalid(f"the address of {repository.path}: {error}") from None


def relative_part(product: Product, repository: Repository) -> str:
    """What of its address another place is likely to repeat: what follows the product's, or else the whole path."""
    for text in baseurls(product, repository)[:1]:
        base = product.baseurl.rstrip("/") + "/"
        if product.baseurl and text.startswith(base):
            return text.removeprefix(base).strip("/")
        return urlsplit(text).path.strip("/")
    return ""


def candidates(place: str, relative: str, path: str, trees: Iterable[str], *, wide: bool) -> list[str]:
    """Where below `place` the content of a repository may be, in the order to look. `trees` are those that an
    export there says it has it in; `wide` places are meant for many repositories, and are it themselves last."""
    below = [
        relative,
        quoted(path),
        f"content/{quoted(path)}",
        *(quoted(tree) for tree in trees),
    ]
    found = [f"{place}{each.strip('/')}/" for each in below if each.strip("/")]
    return list(dict.fromkeys([*found, place] if wide else [place, *found]))


def territory(address: str) -> Territory:
    """An address as it is compared: http and https, a default port or none are the same host; of a file:// address
    the links are followed."""
    parts = urlsplit(address)
    path = unquote(parts.path, errors="surrogateescape")
    if parts.scheme == "file":
        return ("file", *Path(os.path.realpath(path)).parts[1:])
    port = parts.port or _PORTS.get(parts.scheme)
    host = (parts.hostname or "").rstrip(".")
    serving = host if port in _PORTS.values() else f"{host}:{port}"
    return (serving, *_segments(path))


def territories(
    type_: str, bases: Iterable[str], repositories: Sequence[str], *, exact: bool = False
) -> list[Territory]:
    """What a repository takes: of deb all below its base address (`exact`: the suites' directories), of others the
    directories it names."""
    found = []
    for base in bases:
        whole = territory(base)
        for text in repositories or [""]:
            if type_ == "deb":
                found.append((*whole, *_suite(text)) if exact else whole)
            else:
                found.append((*whole, *_parts(text.partition("{")[0])))
    return list(dict.fromkeys(found))


def _suite(text: str) -> tuple[str, ...]:
    place, *_ = text.split() or [""]
    return _parts(place) if place.endswith("/") or not place else ("dists", *_parts(place))


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part not in ("", "."))


def overlap(one: Territory, other: Territory) -> bool:
    """Whether one is the other, or lies below or above it."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def parents(address: str, levels: int) -> list[str]:
    """The address and those above it on its host, the nearest first; `levels` above at most."""
    parts = urlsplit(address)
    segments = _segments(parts.path)
    lengths = range(len(segments), max(-1, len(segments) - levels - 1), -1)
    return [f"{parts.scheme}://{parts.netloc}/{'/'.join([*segments[:each], ''])}" for each in lengths]


def _segments(path: str) -> list[str]:
    """The parts of a path as a server understands it."""
    found: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del found[-1:]
        elif segment not in ("", "."):
            found.append(segment)
    return found
