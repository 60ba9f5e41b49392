# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the files of a source are: base addresses by the part of its tree, from its baseurl or its lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from orchestrator.content.fetching import Ending, with_address
from orchestrator.content.mirrorlists import (
    LIMIT,
    REPOMD,
    parse_metalink,
    parse_mirrorlist,
    without_entry,
)
from orchestrator.content.model import Digest
from orchestrator.content.placeholders import list_address
from orchestrator.content.source import Source
from orchestrator.content.transfer.addresses import shown
from orchestrator.content.transfer.requests import Request, Result
from orchestrator.errors import BadContent, TransferFailed


@dataclass(frozen=True, slots=True)
class Addresses:
    """`by_prefix` maps the beginning of paths in the tree ("" or "os/": the longest that fits counts) to the
    base addresses of what follows, all with a slash at the end, in the order to try them. `pinned` maps the
    paths of entry files to the digests that a metalink allows them, the current one first."""

    by_prefix: Mapping[str, tuple[str, ...]]
    pinned: Mapping[str, tuple[Digest, ...]] = field(default_factory=lambda: MappingProxyType({}))


class Transfer(Protocol):
    """What is needed of the transfer here."""

    def fetch(self, requests: Sequence[Request]) -> Sequence[Result]: ...


def addresses_of(source: Source, transfer: Transfer) -> Addresses:
    """Reads the source's mirrorlist or metalinks, where it has such.

    Raises TransferFailed when a list cannot be had, BadContent when it cannot be used.
    """
    prefixes = _prefixes(source)
    if source.baseurls:
        return Addresses({prefix: tuple(url + prefix for url in source.baseurls) for prefix in prefixes})
    if source.type == "deb":
        return Addresses({"": parse_mirrorlist(*_read(source, transfer, source.mirrorlist))})
    by_prefix, pinned = {}, {}
    for prefix, repository in prefixes.items():
        data, name = _read(source, transfer, list_address(source, repository))
        if source.mirrorlist:
            by_prefix[prefix] = parse_mirrorlist(data, name)
            continue
        metalink = parse_metalink(data, name)
        bases = tuple(base for base in map(without_entry, metalink.urls) if base)
        if not bases:
            raise BadContent(f"no address in the metalink {name} ends with {REPOMD}: {metalink.urls[0]}")
        by_prefix[prefix] = bases
        pinned[prefix + REPOMD] = tuple(version.digest for version in metalink.versions)
    return Addresses(by_prefix, pinned)


def _prefixes(source: Source) -> dict[str, str]:
    """The prefixes of the tree, and the repository each belongs to."""
    if source.type == "deb":
        return {"": ""}
    return {"" if repository == "." else f"{repository}/": repository for repository in source.repositories}


def _read(source: Source, transfer: Transfer, url: str) -> tuple[bytes, str]:
    """The list at `url`, and that address for messages."""
    (result,) = transfer.fetch([Request((url,), limit=LIMIT, access=source.access)])
    if result.ending is not Ending.DONE:
        kind = "mirrorlist" if source.mirrorlist else "metalink"
        raise TransferFailed(
            f"the {kind} of {source.name} cannot be read: {with_address(result.why, shown(url))}"
        )
    return result.data, shown(url)
