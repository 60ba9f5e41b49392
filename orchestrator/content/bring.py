# SPDX-License-Identifier: GPL-3.0-or-later
"""A source's files into the pool: paths become addresses, what is there already is not asked for again."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import overload

from orchestrator.content.fetching import Brought, Ending, EntryReply, Wanted
from orchestrator.content.model import DIGEST_ALGORITHMS, Digest, StoredFile, Validators
from orchestrator.content.pool import Pool
from orchestrator.content.source import Source
from orchestrator.content.transfer.addresses import quoted, shown
from orchestrator.content.transfer.engine import Transfer
from orchestrator.content.transfer.requests import Request, Result

# Of a file of which no size is known.
_MOST = 2 << 30
_HEX = re.compile(r"[0-9a-f]+")


class SourceFetcher:
    """The `Fetcher` of one source. `addresses` maps the beginning of paths ("" or "os/": the longest that fits
    counts) to the base addresses of what follows, in the order to try them. Credentials are for the host of
    the source's first address (or of its list of mirrors) alone."""

    def __init__(
        self, pool: Pool, transfer: Transfer, source: Source, addresses: Mapping[str, tuple[str, ...]]
    ) -> None:
        self._pool, self._transfer, self._access = pool, transfer, source.access
        self._incoming = str(pool.incoming)
        self._addresses = sorted(addresses.items(), key=lambda item: -len(item[0]))
        self._owner = source.baseurls[0] if source.baseurls else source.mirrorlist or source.metalink
        # The last whole answer for each entry file, without its bytes.
        self.answered: dict[str, EntryReply] = {}

    @property
    def pool(self) -> Pool:
        return self._pool

    def entry(self, path: str, known: Validators | None, limit: int) -> EntryReply:
        """See `Fetcher`."""
        urls = self._urls((path,))
        request = Request(urls, limit=limit, known=known, access=self._access, owner=self._owner)
        (result,) = self._transfer.fetch([request])
        url = result.url or shown(urls[0] if urls else path)
        if result.ending is Ending.DONE:
            self.answered[path] = EntryReply(result.ending, url, b"", result.validators)
        return EntryReply(result.ending, url, result.data, result.validators, result.why)

    def bring(self, wanted: Sequence[Wanted]) -> list[Brought]:
        """See `Fetcher`. What a digest names is fetched once, however often it is wanted."""
        brought: dict[int, Brought] = {}
        missing: dict[object, list[int]] = {}
        for index, each in enumerate(wanted):
            file = each.file
            if file.digest is not None and file.digest.algorithm not in DIGEST_ALGORITHMS:
                why = f"its digest is of an unknown kind, {file.digest.algorithm}"
                brought[index] = Brought(each, Ending.WRONG_CONTENT, None, why)
            elif stored := self._stored(each):
                brought[index] = Brought(each, Ending.DONE, stored)
            else:
                missing.setdefault(file[1:] if file.digest else file, []).append(index)
        if missing:
            self._fetch(
                [tuple(wanted[index] for index in same) for same in missing.values()], missing, brought
            )
        return [brought[index] for index in range(len(wanted))]

    def _fetch(
        self,
        groups: Sequence[tuple[Wanted, ...]],
        missing: Mapping[object, Sequence[int]],
        brought: dict[int, Brought],
    ) -> None:
        """Each group is one file, wanted at several paths."""

        def keep(index: int, result: Result) -> None:
            if result.ending is Ending.DONE and result.file is not None:
                self._pool.adopt(result.file, result.sha256, result.size)
                digest = groups[index][0].file.digest
                if digest is not None and digest.algorithm != "sha256":
                    self._pool.remember(digest, result.sha256)

        total = sum(group[0].file.size or 0 for group in groups)
        results = self._transfer.fetch(_Requests(self, groups), done=keep, bytes_total=total)
        for same, group, result in zip(missing.values(), groups, results, strict=True):
            for index, each in zip(same, group, strict=True):
                brought[index] = _brought(each, result)

    def _stored(self, wanted: Wanted) -> StoredFile | None:
        """The file, if the pool has it."""
        file = wanted.file
        sha256 = self._pool.alias(file.digest) if file.digest is not None else None
        size = self._pool.size(sha256) if sha256 is not None else None
        if sha256 is None or size is None or file.size not in (None, size):
            return None
        return StoredFile(file.path, size, sha256, wanted.role)

    def request(self, group: Sequence[Wanted]) -> Request:
        """What the transfer is asked for when a group's turn has come."""
        first = group[0].file
        paths = dict.fromkeys(path for each in group for path in each.paths or (each.file.path,))
        urls = self._urls(tuple(paths))
        target = f"{self._incoming}/{_key(first.digest, urls)}.part"
        return Request(urls, target, first.size, first.digest, _MOST, access=self._access, owner=self._owner)

    def _urls(self, paths: Sequence[str]) -> tuple[str, ...]:
        """All addresses of the first path, then all of the next."""
        return tuple(address for path in paths for address in self._urls_of(path))

    def _urls_of(self, path: str) -> Iterator[str]:
        for prefix, bases in self._addresses:
            if path.startswith(prefix):
                rest = quoted(path[len(prefix) :])
                return (base + rest for base in bases)
        return iter(())


def _key(digest: Digest | None, urls: Sequence[str]) -> str:
    """What a half download is called: after its content where that is known."""
    if digest is None or not _HEX.fullmatch(digest.value):
        return "url-" + hashlib.sha256(" ".join(urls).encode("utf-8", "surrogateescape")).hexdigest()
    return digest.value if digest.algorithm == "sha256" else f"{digest.algorithm}-{digest.value}"


def _brought(wanted: Wanted, result: Result) -> Brought:
    if result.ending is not Ending.DONE:
        return Brought(wanted, result.ending, None, result.why, result.url)
    stored = StoredFile(wanted.file.path, result.size, result.sha256, wanted.role)
    return Brought(wanted, Ending.DONE, stored, "", result.url)


class _Requests(Sequence[Request]):
    """Made when they are asked for: tens of thousands would take up more memory than their packages."""

    def __init__(self, fetcher: SourceFetcher, groups: Sequence[Sequence[Wanted]]) -> None:
        self._fetcher, self._groups = fetcher, groups

    def __len__(self) -> int:
        return len(self._groups)

    @overload
    def __getitem__(self, index: int) -> Request: ...
    @overload
    def __getitem__(self, index: slice) -> list[Request]: ...
    def __getitem__(self, index: int | slice) -> Request | list[Request]:
        if isinstance(index, slice):
            return [self._fetcher.request(group) for group in self._groups[index]]
        return self._fetcher.request(self._groups[index])
