# SPDX-License-Identifier: GPL-3.0-or-later
"""Clone: bring sources in and publish them, so that a client sees a whole repository at every instant.

refresh      metadata of every source of the group, verified; nothing to do when the tree is made of it
resolve      what each target holds
plan         what is missing; a dry run ends here
fetch        packages and companions into the pool
look again   an upstream that changed meanwhile is read again
losses       inside the error budget: the tree goes without them, and without what needs them
publish      metadata, tree, one rename
"""

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.content.engine import Engine, free_space, in_part
from orchestrator.content.events import Name
from orchestrator.content.fetching import Brought
from orchestrator.content.generations import Generation, MirrorStore, Record, collect_garbage
from orchestrator.content.groups import Group, groups_of
from orchestrator.content.losses import settle_losses
from orchestrator.content.model import Lost, Metadata, Package
from orchestrator.content.notify import notify
from orchestrator.content.outcome import Outcome, Status
from orchestrator.content.planning import (
    Plan,
    fingerprint,
    make_plan,
    refuse_lack_of_space,
    refuse_shrinking,
)
from orchestrator.content.pool import hash_file
from orchestrator.content.resolving import Resolution, resolve
from orchestrator.content.source import Source
from orchestrator.content.tree import compose, package_files
from orchestrator.errors import Busy, Interrupted, OrchestratorError, Problem, Refused
from orchestrator.host import clock
from orchestrator.host.refusals import is_refusal, refused_by_system

# How often an upstream is read that changes while it is read.
_READS = 3
# What came into the pool in so many seconds is not yet garbage: somebody may be about to need it.
_FRESH = 86400.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What the caller of a clone asks for beside the configuration.

    `full_check`: hash every byte of what is published. `strict`: unresolved relations are fatal. `only_listed`:
    the requirements without what they depend on. `wait_lock`: seconds to wait for another run on the same mirror.
    """

    requirements: tuple[str, ...] = ()
    partial: bool = False
    full_check: bool = False
    dry_run: bool = False
    force: bool = False
    allow_shrink: bool = False
    allow_stale: bool = False
    strict: bool = False
    only_listed: bool = False
    wait_lock: float = 0.0


def clone(engine: Engine, sources: Sequence[Source], names: Sequence[str], wish: Wish) -> list[Outcome]:
    """Create or update the mirrors of the named ones of `sources`; all of them without a name.

    A source that fails keeps what it has published and does not keep the others from going on: its outcome
    says why. Raises UsageError for an unknown name, and Interrupted.
    """
    sources = in_part(sources, names, wanted=wish.partial)
    outcomes: list[Outcome] = []
    for group in groups_of(sources, names):
        try:
            with _errors_of_disk(engine):
                outcomes += _Clone(engine, group, wish).run()
        except Interrupted:
            raise
        except OrchestratorError as error:
            outcomes += [_failed(engine, source, error) for source in group.targets]
    if any(outcome.generation > engine.common.keep for outcome in outcomes if outcome.made_anew):
        # Somebody else at work: the next clone that publishes collects it.
        with contextlib.suppress(Busy):
            collect_garbage(engine.pool, spare=_FRESH)
    return outcomes


@contextlib.contextmanager
def _errors_of_disk(engine: Engine) -> Iterator[None]:
    """A disk that is full, read-only or broken fails a source as an upstream does; what may be our own mistake
    goes through."""
    try:
        yield
    except OSError as error:
        if not is_refusal(error):
            raise
        raise refused_by_system(error, engine.root, "what was downloaded is kept") from error


def _failed(engine: Engine, source: Source, error: OrchestratorError) -> Outcome:
    current = None
    # What keeps us from looking is most likely the error itself.
    with contextlib.suppress(OrchestratorError, OSError):
        current = engine.store(source.name).current()
    return Outcome(source.name, Status.FAILED, current.number if current else 0, error=error)


class _Clone:
    """One clone of one group."""

    def __init__(self, engine: Engine, group: Group, wish: Wish) -> None:
        self.engine, self.group, self.wish = engine, group, wish
        self.format = engine.format(group.sources[0])
        self.stores: dict[str, MirrorStore] = {s.name: engine.store(s.name) for s in group.sources}
        self.readings: dict[str, tuple[Metadata, ...]] = {}

    def run(self) -> list[Outcome]:
        with self._locked():
            for source in self.group.sources:
                self.readings[source.name] = self.stores[source.name].held(source.address)
            self._refresh(self.group.sources)
            due = [source for source in self.group.targets if not self._is_current(source)]
            outcomes = [self._unchanged(source) for source in self.group.targets if source not in due]
            return outcomes + (self._work(due) if due else [])

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            if self.wish.dry_run:
                stack.enter_context(self.engine.reading())
            else:
                for name in sorted(source.name for source in self.group.targets):
                    stack.enter_context(self.stores[name].lock(self.wish.wait_lock))
            yield

    def _refresh(self, sources: Sequence[Source]) -> bool:
        """Read the metadata of `sources`; whether any of it is new."""
        changed = False
        for source in sources:
            before = self.readings[source.name]
            now = self.engine.refresh(source, before, allow_stale=self.wish.allow_stale)
            self.readings[source.name] = now
            if now != before:
                changed = True
                if source in self.group.targets and not self.wish.dry_run:
                    self.stores[source.name].hold(now, source.address)
        return changed

    def _fingerprint(self, source: Source) -> str:
        together = self.group.sources if source.partial else (source,)
        keys = [hash_file(key)[0] for key in (*source.keys, source.sign_with) if key is not None]
        return fingerprint(source, self.readings, together, (*self.wish.requirements, *keys))

    def _is_current(self, source: Source, lost: Collection[Lost] = ()) -> bool:
        """Whether the published tree is made of just this metadata, but for what is `lost`, and is as it was
        published."""
        current = self.stores[source.name].current()
        if self.wish.force or current is None or current.record.fingerprint != self._fingerprint(source):
            return False
        if {what for what, _ in current.record.lost} != {each.what for each in lost}:
            return False  # what could not be had then may be there now
        if self.wish.strict and current.record.unresolved:
            return False  # what is not resolved is to be told
        if self.wish.full_check:
            self.engine.tell(Name.CHECKING, source.name, files=current.record.files)
        report = self.stores[source.name].check(full=self.wish.full_check, threads=self.engine.common.threads)
        if self.wish.dry_run:
            for problem in report.damaged:
                self.engine.tell(Name.WARNING, source.name, text=f"{problem}: a clone would make it good")
            return report.ok
        for problem in report.damaged:
            self.engine.tell(Name.WARNING, source.name, text=f"{problem}: it is made good")
        good = self.stores[source.name].discard(report)
        return report.ok and good

    def _unchanged(self, source: Source) -> Outcome:
        current = self.stores[source.name].current()
        assert current is not None
        self.engine.tell(Name.UNCHANGED, source.name, generation=current.number)
        record = current.record
        return Outcome(
            source.name,
            Status.UNCHANGED,
            current.number,
            str(self.stores[source.name].published),
            record.packages,
            record.bytes,
        )

    def _work(self, due: Sequence[Source]) -> list[Outcome]:
        for attempt in range(_READS):
            readings = dict(self.readings)
            resolution = self._resolve()
            plans = [self._plan(source, resolution) for source in due]
            if self.wish.dry_run:
                return [_planned(plan) for plan in plans]
            self._refuse(plans)
            brought = {plan.source.name: self._fetch(plan) for plan in plans}
            if not any(plan.missing for plan in plans) or not self._refresh(self.group.sources):
                break
            for source in due:
                self.engine.tell(Name.CHANGED, source.name, attempt=attempt + 1)
        # The last round's set belongs together, whatever the upstream has become since.
        self.readings = readings
        return [self._finished(plan, resolution, brought[plan.source.name]) for plan in plans]

    def _finished(self, plan: Plan, resolution: Resolution, brought: Mapping[str, Brought]) -> Outcome:
        """One target that fails does not keep the others of the group from being published."""
        try:
            with _errors_of_disk(self.engine):
                return self._finish(plan, resolution, brought)
        except Interrupted:
            raise
        except OrchestratorError as error:
            return _failed(self.engine, plan.source, error)

    def _resolve(self) -> Resolution:
        sources = self.group.sources
        offers = [self.engine.load(source, self.readings[source.name]) for source in sources]
        self.engine.check_stop()
        resolution = resolve(self.format, offers, self.wish.requirements, only_listed=self.wish.only_listed)
        if resolution.closure is not None:
            unresolved = resolution.closure.unresolved
            packages = sum(len(resolution.kept[source.name]) for source in self.group.targets)
            name = self.group.targets[-1].name
            self.engine.tell(Name.RESOLVED, name, packages=packages, unresolved=len(unresolved))
            if unresolved and self.wish.strict:
                raise Refused(
                    f"{len(unresolved)} relations are unresolved",
                    problems=[Problem(str(u.by or "required"), u.relation, u.nearest) for u in unresolved],
                )
        return resolution

    def _plan(self, source: Source, resolution: Resolution) -> Plan:
        kept = resolution.kept[source.name]
        for warning in resolution.offer_of(source).warnings:
            self.engine.tell(Name.WARNING, source.name, text=warning)
        current = self.stores[source.name].current()
        return make_plan(
            source,
            kept,
            resolution.offer_of(source).companions(kept),
            self.engine.has,
            package_files(current) if current else {},
            resolution.closure if source.partial else None,
        )

    def _refuse(self, plans: Sequence[Plan]) -> None:
        for plan in plans:
            current = self.stores[plan.source.name].current()
            if current and not self.wish.allow_shrink:
                refuse_shrinking(plan.source, current.record.packages, len(plan.kept))
        refuse_lack_of_space(plans, free_space(self.engine.root))

    def _fetch(self, plan: Plan) -> dict[str, Brought]:
        """Everything of the plan, by path."""
        self.engine.check_stop()
        source = plan.source
        self.engine.tell(Name.FETCHING, source.name, files=len(plan.missing), bytes=plan.bytes_missing)
        brought = self.engine.fetcher(source).bring(plan.wanted)
        return {each.wanted.file.path: each for each in brought}

    def _finish(self, plan: Plan, resolution: Resolution, brought: Mapping[str, Brought]) -> Outcome:
        engine, source = self.engine, plan.source
        engine.check_stop()
        budget = engine.common.ignore_error_count
        kept, lost = settle_losses(plan, brought, self.format, resolution, budget)
        for each in lost:
            engine.tell(Name.LOST, source.name, what=each.what, why=each.why, url=each.url)
        if lost and self._is_current(source, lost):
            return replace(self._unchanged(source), lost=lost, unresolved=tuple(plan.unresolved))
        stored = {path: each.stored for path, each in brought.items() if each.stored is not None}
        engine.tell(Name.PUBLISHING, source.name, packages=len(kept))
        offer, readings = resolution.offer_of(source), self.readings[source.name]
        files = compose(engine, offer, readings, kept, stored, self._date(source))
        store = self.stores[source.name]
        generation = store.publish(
            files,
            self._record(plan, kept, lost),
            names_that_last=self.format.names_that_last,
            keep=engine.common.keep,
        )
        outcome = _published(plan, generation, store, lost)
        engine.tell(Name.PUBLISHED, **outcome.to_json())
        notify(engine, source, outcome.to_json())
        return outcome

    def _date(self, source: Source) -> float:
        """The date of metadata that we write: the upstream's, so that the same upstream gives the same tree."""
        together = self.group.sources if source.partial else (source,)
        dates = [metadata.date or 0.0 for each in together for metadata in self.readings[each.name]]
        return max(dates, default=0.0) or clock.now().timestamp()

    def _record(self, plan: Plan, kept: Sequence[Package], lost: Sequence[Lost]) -> Record:
        source = plan.source
        return Record(
            source=source.name,
            type=source.type,
            mode="rebuilt" if source.rebuilt else "verbatim",
            fingerprint=self._fingerprint(source),
            packages=len({package.file.path for package in kept}),
            lost=tuple((each.what, each.why) for each in lost),
            unresolved=tuple(unresolved.relation for unresolved in plan.unresolved),
            upstream=tuple((m.repository, m.url, m.entry[0].sha256) for m in self.readings[source.name]),
        )


def _planned(plan: Plan) -> Outcome:
    return Outcome(
        plan.source.name,
        Status.PLANNED,
        packages=len(plan.kept),
        bytes=plan.bytes,
        fetched_files=len(plan.missing),
        fetched_bytes=plan.bytes_missing,
        removed_files=len(plan.gone),
        removed_bytes=plan.bytes_gone,
        unresolved=tuple(plan.unresolved),
        plan=plan,
    )


def _published(plan: Plan, generation: Generation, store: MirrorStore, lost: Sequence[Lost]) -> Outcome:
    return Outcome(
        plan.source.name,
        Status.PUBLISHED,
        generation.number,
        str(store.published),
        packages=generation.record.packages,
        bytes=generation.record.bytes,
        fetched_files=len(plan.missing),
        fetched_bytes=plan.bytes_missing,
        removed_files=len(plan.gone),
        removed_bytes=plan.bytes_gone,
        lost=tuple(lost),
        unresolved=tuple(plan.unresolved),
        plan=plan,
    )
