# SPDX-License-Identifier: GPL-3.0-or-later
"""What every use case works with: the pool, the transfer, the sources' fetchers and offers; opened once, closed once."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from orchestrator.content.addresses import Addresses, addresses_of
from orchestrator.content.events import Event, Name, Watcher, nobody
from orchestrator.content.fetching import Fetcher
from orchestrator.content.formats import Format, Offer, Trust
from orchestrator.content.formats.known import format_of
from orchestrator.content.generations import MirrorStore
from orchestrator.content.groups import known
from orchestrator.content.model import FileRef, Metadata, Validators
from orchestrator.content.pool import Pool
from orchestrator.content.publication.locks import pool_in_use
from orchestrator.content.source import Mirrors, Source
from orchestrator.errors import Busy, Interrupted, NotPermitted
from orchestrator.host import clock

if TYPE_CHECKING:
    from orchestrator.content.bring import SourceFetcher
    from orchestrator.content.transfer.engine import Transfer


class Engine:
    """The content engine of one mirrors.yaml. Nothing is opened before it is used.

    `watch` is told everything that happens; `stop` is asked often whether to end early (then Interrupted is
    raised). `places` are the links through which mirrors are published elsewhere than at published/NAME. To be
    used as a context manager.
    """

    def __init__(
        self,
        mirrors: Mirrors,
        *,
        watch: Watcher = nobody,
        stop: Callable[[], bool] = lambda: False,
        places: Mapping[str, Path] | None = None,
    ) -> None:
        self.mirrors = mirrors
        self.common = mirrors.common
        self._watch, self._stop, self._places = watch, stop, places or {}
        self._pool: Pool | None = None
        self._transfer: Transfer | None = None
        self._fetchers: dict[str, SourceFetcher] = {}
        self._addresses: dict[str, Addresses] = {}
        self._busy_with = ""

    def source(self, name: str) -> Source:
        """Raises UsageError for an unknown name."""
        by_name = {source.name: source for source in self.mirrors.sources}
        return by_name[known(by_name, [name])[0]]

    @property
    def root(self) -> Path:
        return self.common.destination

    @property
    def pool(self) -> Pool:
        if self._pool is None:
            self._pool = Pool(self.root)
        return self._pool

    def store(self, name: str) -> MirrorStore:
        return MirrorStore(self.pool, name, self._places.get(name))

    def format(self, source: Source) -> Format:
        return format_of(source.type)

    def tell(self, name: Name, source: str, **fields: Any) -> None:
        self._watch(Event(name, source, fields))

    def check_stop(self) -> None:
        """Raises Interrupted when somebody asked to stop."""
        if self._stop():
            raise Interrupted(
                "stopped on request: what was downloaded is kept, and the published mirrors are as they were"
            )

    @property
    def transfer(self) -> "Transfer":
        if self._transfer is None:
            from orchestrator.content.transfer.engine import Transfer

            self._transfer = Transfer(self.common, watch=self._transferring, stop=self._stop)
        return self._transfer

    def _transferring(self, what: Any) -> None:
        """The transfer's own words, as events of the source it works for."""
        from orchestrator.content.transfer.requests import Tally

        if isinstance(what, Tally):
            fields = {
                "files": what.files,
                "files_total": what.files_total,
                "bytes": what.bytes,
                "bytes_total": what.bytes_total,
                "rate": what.rate,
            }
            self.tell(Name.PROGRESS, self._busy_with, **fields)
        else:
            fields = {"url": what.url, "attempt": what.attempt, "delay": what.delay, "why": what.why}
            self.tell(Name.RETRYING, self._busy_with, **fields)

    def addresses(self, source: Source) -> Addresses:
        """Where the source's files are; a mirrorlist or metalink is read once."""
        if source.name not in self._addresses:
            self._addresses[source.name] = addresses_of(source, self.transfer)
        return self._addresses[source.name]

    def fetcher(self, source: Source) -> Fetcher:
        """The fetcher of `source`; progress is told in its name from now on."""
        self._busy_with = source.name
        if source.name not in self._fetchers:
            from orchestrator.content.bring import SourceFetcher

            by_prefix = self.addresses(source).by_prefix
            self._fetchers[source.name] = SourceFetcher(self.pool, self.transfer, source, by_prefix)
        return self._fetchers[source.name]

    def refresh(
        self, source: Source, held: Sequence[Metadata], *, allow_stale: bool = False
    ) -> tuple[Metadata, ...]:
        """The source's verified metadata, on the disk. Raises BadContent, Stale, TransferFailed, Invalid."""
        self.check_stop()
        if source.name not in self._fetchers:
            self.tell(Name.READING, source.name, repositories=list(source.repositories))
        trust = Trust(
            clock.now().timestamp(),
            allow_stale,
            lambda text: self.tell(Name.WARNING, source.name, text=text),
            self.addresses(source).pinned,
        )
        metadata = self.format(source).refresh(source, self.fetcher(source), held, trust)
        self.pool.settle()
        return tuple(self._validated(source, each) for each in metadata)

    def _validated(self, source: Source, metadata: Metadata) -> Metadata:
        """What was held without validators, for it came from elsewhere, and is the same here: with those of here."""
        reply = self._fetchers[source.name].answered.get(metadata.entry[0].path)
        if metadata.validators != Validators() or reply is None or reply.validators in (None, Validators()):
            return metadata
        return replace(metadata, validators=reply.validators, url=reply.url)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """While the answer to a question is made of files that no mirror has yet: nobody removes them from the
        pool meanwhile. Who may not write there cannot keep others from it, and goes on without."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(pool_in_use(self.pool.root))
            except NotPermitted:
                pass
            except OSError as error:
                if error.errno != errno.EROFS:
                    raise
            yield

    def read(self, source: str | Source, *, allow_stale: bool = False) -> Offer:
        """What the source of this name offers now, or one like it: a full one seen as a partial one. What was held
        already is asked for conditionally, and what is new is held for the next time, unless somebody is at work
        on the mirror. The offer reads files of the pool when it is asked: to be used while `reading`, where
        mirrors may be pruned meanwhile."""
        configured = self.source(source if isinstance(source, str) else source.name)
        store = self.store(configured.name)
        held = store.held(configured.address)
        metadata = self.refresh(configured, held, allow_stale=allow_stale)
        if metadata != held:
            with contextlib.suppress(Busy), store.lock():
                store.hold(metadata, configured.address)
        return self.load(configured if isinstance(source, str) else source, metadata)

    def load(self, source: Source, metadata: Sequence[Metadata]) -> Offer:
        return self.format(source).load(source, metadata, self.pool)

    def has(self, file: FileRef) -> bool:
        """Whether the bytes of a file are in the pool: a look at sizes; they were hashed when they came."""
        if file.digest is None:
            return False
        sha256 = self.pool.alias(file.digest)
        size = self.pool.size(sha256) if sha256 else None
        return size is not None and file.size in (None, size)

    def close(self) -> None:
        if self._transfer is not None:
            self._transfer.close()
            self._transfer = None
        self._fetchers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self.close()


def free_space(path: Path) -> int:
    """Bytes that this user may still write to the file system of `path`."""
    status = os.statvfs(path)
    return (status.f_bavail if os.geteuid() else status.f_bfree) * status.f_frsize


def in_part(sources: Sequence[Source], names: Sequence[str], *, wanted: bool) -> Sequence[Source]:
    """`sources`; when it is `wanted`, the named ones (all without a name) as partial mirrors."""
    if not wanted:
        return sources
    return [replace(s, partial=True) if s.name in names or not names else s for s in sources]
