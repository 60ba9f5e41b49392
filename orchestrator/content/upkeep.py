# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with mirrors that are there: list, verify, repair, roll back, prune, tell clients of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.content.engine import Engine
from orchestrator.content.events import Name
from orchestrator.content.formats.known import format_of
from orchestrator.content.generations import (
    CheckReport,
    Generation,
    MirrorStore,
    collect_garbage,
    store_names,
)
from orchestrator.content.mirror import Wish, clone
from orchestrator.content.model import KEY_FILE
from orchestrator.content.outcome import Outcome
from orchestrator.content.source import Source, SourceType
from orchestrator.errors import Refused, UsageError


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of one mirror. `repair` is the clone that made it good, if one was asked for and needed."""

    name: str
    report: CheckReport
    repair: Outcome | None = None

    @property
    def ok(self) -> bool:
        return self.report.ok or (
            self.repair is not None and self.repair.error is None and not self.repair.lost
        )


def names_of(engine: Engine, names: Sequence[str]) -> list[str]:
    """`names` when mirrors of all of them are published; every mirror there is without a name. Raises Refused."""
    there = [name for name in store_names(engine.root) if engine.store(name).current() is not None]
    missing = [name for name in names if name not in there]
    if missing:
        known = ", ".join(there) or "none"
        raise Refused(f"there is no mirror {missing[0]} below {engine.root} (there: {known})")
    return list(names) or there


def _current(store: MirrorStore) -> Generation:
    current = store.current()
    if current is None:
        raise Refused(f"no generation of {store.name} is published")
    return current


def mirrors(engine: Engine, names: Sequence[str] = ()) -> list[tuple[str, Generation, int]]:
    """Name, current generation and number of generations of every mirror."""
    found = []
    for name in names_of(engine, names):
        store = engine.store(name)
        current = store.current()
        if current is not None:
            found.append((name, current, len(store.generations())))
    return found


def verify(engine: Engine, name: str, *, full: bool = True, repair: bool = False) -> Verified:
    """Compare a published mirror with what it was published as: sizes, or (`full`) the digest of every byte.

    With `repair` damaged files are brought in again, from the source of this name, and published anew.
    """
    store = engine.store(names_of(engine, [name])[0])
    current = _current(store)
    if repair:
        engine.source(name)  # one that was made of files cannot be brought in again
    engine.tell(Name.CHECKING, name, files=current.record.files)
    with store.lock():
        report = store.check(full=full, threads=engine.common.threads)
        if repair and not report.ok:
            store.discard(report)
    if report.ok or not repair:
        return Verified(name, report)
    return Verified(name, report, clone(engine, engine.mirrors.sources, [name], Wish(force=True))[0])


def rollback(engine: Engine, name: str, to: int | None) -> Generation:
    """Publish an earlier generation of a mirror again: number `to`, or the one before the current."""
    store = engine.store(names_of(engine, [name])[0])
    with store.lock():
        type_ = _current(store).record.type
        return store.rollback(to, names_that_last=format_of(type_).names_that_last)


@dataclass(frozen=True, slots=True)
class Freed:
    generations: int
    bytes: int


def prune(engine: Engine, names: Sequence[str] = (), keep: int | None = None) -> Freed:
    """Remove generations beyond the newest `keep` (the configured number), and every file that no mirror has."""
    count = 0
    for name in names_of(engine, names):
        store = engine.store(name)
        with store.lock():
            count += len(store.prune(engine.common.keep if keep is None else keep).generations)
    return Freed(count, collect_garbage(engine.pool))


def client_config(engine: Engine, name: str, address: str, *, called: str = "") -> str:
    """What a client of the mirror at `address` needs: deb822 text or .repo text. There it is `called` so."""
    current = _current(engine.store(names_of(engine, [name])[0]))
    address = address.rstrip("/") + "/"
    source = replace(_as_published(engine, name, current), name=called or name)
    key = current.tree / KEY_FILE
    if not key.exists():
        return engine.format(source).client_config(source, address, "")
    return engine.format(source).client_config(source, address, address + KEY_FILE, key.read_text())


def _as_published(engine: Engine, name: str, current: Generation) -> Source:
    repositories = tuple(repository for repository, _, _ in current.record.upstream)
    try:
        return replace(engine.source(name), repositories=repositories)
    except UsageError:
        kinds: dict[str, SourceType] = {"deb": "deb", "file": "file"}
        return Source(name, kinds.get(current.record.type, "rpm"), (), repositories)
