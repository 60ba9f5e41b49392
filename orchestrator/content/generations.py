# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of one mirror on disk, and its publication by one rename of a link.

How it lies on the disk is told in `orchestrator.content.publication`. What changes a mirror is to be called
under `MirrorStore.lock`; looking needs no lock.
"""

import contextlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.content.model import Metadata, StoredFile, Validators
from orchestrator.content.pool import Pool, make_public_directory
from orchestrator.content.publication import awaiting, checking, garbage
from orchestrator.content.publication.checking import CheckReport, Damage
from orchestrator.content.publication.generation import Generation
from orchestrator.content.publication.inventory import Inventory, make_inventory
from orchestrator.content.publication.locks import mirror_lock, pool_alone, pool_in_use
from orchestrator.content.publication.record import Record, held_from_json, held_to_json
from orchestrator.content.publication.shelf import Shelf
from orchestrator.errors import BadContent, Invalid, Refused
from orchestrator.host import clock
from orchestrator.host.files import read_json, replace_json

__all__ = [
    "CheckReport",
    "Damage",
    "Generation",
    "Inventory",
    "MirrorStore",
    "Pruned",
    "Record",
    "collect_garbage",
    "store_names",
]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@~-]{0,199}")
_HELD, _PINS = "upstream.json", "pins.json"


@dataclass(frozen=True, slots=True)
class Pruned:
    """`bytes` have no place in any tree any more: the next garbage collection frees them."""

    bytes: int
    generations: tuple[int, ...]


class MirrorStore:
    """The mirror `name` below the root of `pool`. Nothing is made before something is to be kept.

    `published` is where the link to the current generation is, below the root; published/NAME when it is not
    given. Raises Invalid for a name that is no safe file name.
    """

    def __init__(self, pool: Pool, name: str, published: Path | None = None) -> None:
        if not _NAME.fullmatch(name):
            raise Invalid(
                f"{name!r} cannot be the name of a mirror",
                hint="take letters, digits and ._+@~-, beginning with a letter or a digit, 200 at most",
            )
        self.pool, self.name = pool, name
        self.path = pool.root / "repositories" / name
        self.published = published or pool.root / "published" / name
        self._shelf = Shelf(self.path, self.published)

    @contextlib.contextmanager
    def lock(self, wait: float = 0.0) -> Iterator[None]:
        """Be the only run on this mirror, and clear away what a dead one left.

        Raises Busy naming the other run, after `wait` seconds; NotPermitted; and Refused when there is
        something else at the place of the published link.
        """
        for directory in (self.path.parent, self.path, self.published.parent):
            make_public_directory(directory)
        with mirror_lock(self.path / "lock", self.name, wait), pool_in_use(self.pool.root):
            self._shelf.recover()
            yield

    # --- the metadata that is held

    def held(self, asked: str = "") -> tuple[Metadata, ...]:
        """The verified metadata of the last refresh, of every repository whose files are still in the pool.
        Without its validators when it came from elsewhere than is `asked` now: they mean nothing there."""
        document = read_json(self.path / _HELD)
        found = held_from_json(document)
        if asked and found and (document.get("asked") or asked) != asked:
            found = tuple(replace(each, validators=Validators()) for each in found)
        return tuple(each for each in found if all(self._is_pooled(file) for file in _files_of(each)))

    def _is_pooled(self, file: StoredFile) -> bool:
        return self.pool.size(file.sha256) == file.size

    def asked(self) -> str:
        """Where the metadata that is held came from; empty when there is none."""
        document = read_json(self.path / _HELD)
        return str(document.get("asked", "")) if isinstance(document, dict) else ""

    def hold(self, metadata: Sequence[Metadata], asked: str = "") -> None:
        """Keep `metadata`, which came from where is `asked`, for the next refresh, durably, and its files from the
        garbage collection."""
        self.pool.settle()
        make_public_directory(self.path)
        replace_json(self.path / _HELD, held_to_json(metadata, asked))

    def held_files(self) -> set[str]:
        """What of the pool the metadata that is held is made of (SHA-256)."""
        held = held_from_json(read_json(self.path / _HELD))
        return {file.sha256 for each in held for file in _files_of(each)}

    # --- pins

    def pins(self) -> frozenset[int]:
        """The generations that stay whatever `keep` is: somebody refers to them."""
        found = read_json(self.path / _PINS)
        return frozenset(n for n in found if isinstance(n, int)) if isinstance(found, list) else frozenset()

    def pin(self, numbers: Iterable[int]) -> None:
        """Let just these generations stay, durably. Those that are let go are removed by the next publication or
        `prune`."""
        replace_json(self.path / _PINS, sorted(set(numbers)))

    # --- generations

    def generation(self, number: int) -> Generation:
        """Raises Refused when it is not there."""
        found = next((each for each in self.generations() if each.number == number), None)
        if found is None:
            raise Refused(f"the mirror {self.name} does not have a generation {number} any more")
        return found

    def current(self) -> Generation | None:
        """The published one. Raises Refused when something else is at the place of the published link, or a
        newer version of the program made it."""
        return self._shelf.current()

    def generations(self) -> list[Generation]:
        """All that can be published again, the oldest first; the current one is among them."""
        return self._shelf.generations()

    def publish(
        self,
        files: Iterable[StoredFile],
        record: Record,
        *,
        names_that_last: Callable[[str], bool],
        keep: int,
        switch: bool = True,
    ) -> Generation:
        """Publish a tree of `files`, whose bytes are in the pool, and keep `keep` generations, this one
        included, and the pinned ones. Files of the others whose `names_that_last` linger in the new tree.

        Without `switch` the generation is made, pinned and not published: `rollback` to it publishes it.

        All of it is on the disk before the one rename that makes it visible. Raises BadContent (two files at
        one place, bytes that are not in the pool), Refused, and OSError when the disk fails or is full: then
        what was published before still is, and nothing is left of the attempt.
        """
        shelf = self._shelf
        shelf.recover()
        self.pool.settle()
        kept = remaining(shelf.generations(), shelf.current(), keep - 1, self.pins())
        falling = [number for number in shelf.numbers() if number not in {each.number for each in kept}]
        earlier = [(each.number, _own_files(each)) for each in kept]
        inventory = make_inventory(
            files, earlier, lambda file: names_that_last(file.path) and self.pool.object(file.sha256).exists()
        )
        record = self._complete(record, inventory)
        try:
            spare = [number for number in falling if number != shelf.linked()]
            shelf.build(record, inventory, self.pool, spare)
            if switch:
                shelf.switch(record.number)
            else:
                self.pin(self.pins() | {record.number})
        except BaseException:
            with contextlib.suppress(OSError):
                shelf.recover()
            raise
        shelf.finish(record.number)
        shelf.remove(falling)
        return Generation(record.number, record, shelf.tree(record.number))

    def _complete(self, record: Record, inventory: Inventory) -> Record:
        return replace(
            record,
            number=max(self._shelf.numbers(), default=0) + 1,
            time=clock.timestamp(),
            files=len(inventory.own),
            bytes=inventory.bytes(),
            previous=self._shelf.linked() or 0,
        )

    def rollback(
        self, to: int | None = None, *, names_that_last: Callable[[str], bool] | None = None
    ) -> Generation:
        """Publish generation `to` again; None: the one that was published before the current, or else the
        newest that is older. One rename, before which those files of the current one whose `names_that_last`
        come to linger in the other: clients have read what names them. Raises Refused when there is none."""
        self._shelf.recover()
        current, there = self.current(), {each.number: each for each in self.generations()}
        if to is None and current is not None:
            older = [number for number in there if number < current.number]
            to = current.record.previous if current.record.previous in there else max(older, default=None)
        if to not in there:
            numbers = ", ".join(str(number) for number in there) or "none"
            which = "an earlier generation" if to is None else f"a generation {to}"
            raise Refused(f"the mirror {self.name} does not have {which} (there: {numbers})")
        if current is None or to != current.number:
            if current is not None and names_that_last is not None:
                self._let_linger(current, there[to], names_that_last)
            self._shelf.switch(to)
        return there[to]

    def _let_linger(self, current: Generation, target: Generation, lasts: Callable[[str], bool]) -> None:
        """Give `target` what clients of `current` may still ask for. Cut off, it does not matter: `target` is
        not published, and the next rollback does it again."""
        found = target.inventory()
        earlier = [*found.lingering.items(), (current.number, _own_files(current))]
        inventory = make_inventory(
            found.own, earlier, lambda file: lasts(file.path) and self.pool.object(file.sha256).exists()
        )
        if inventory != found:
            self._shelf.complete(target.number, inventory, self.pool)

    # --- upkeep

    def prune(self, keep: int) -> Pruned:
        """Remove all generations but the current and the newest, `keep` in all (at least the current)."""
        shelf = self._shelf
        shelf.recover()
        there = shelf.generations()
        kept = remaining(there, shelf.current(), max(1, keep), self.pins())
        removed = [each for each in there if each not in kept]
        gone = {file.sha256 for each in removed for file in _all_files(each)}
        gone -= {file.sha256 for each in kept for file in _all_files(each)} | self.held_files()
        stays = {each.number for each in kept} | {shelf.linked()}
        shelf.remove([number for number in shelf.numbers() if number not in stays])
        return Pruned(sum(map(self._bytes_alone, gone)), tuple(each.number for each in removed))

    def _bytes_alone(self, sha256: str) -> int:
        try:
            status = os.stat(self.pool.object(sha256))
        except FileNotFoundError:
            return 0
        return status.st_size if status.st_nlink == 1 else 0

    def check(
        self, *, full: bool = False, threads: int = 1, tell: Callable[[int], None] = lambda _: None
    ) -> CheckReport:
        """The published tree against what it was published as: sizes (20,000 files in a tenth of a second),
        or with `full` every byte, the pool's too, and foreign files. `tell` is called with bytes hashed.

        Raises Refused when nothing is published, BadContent when the inventory is damaged.
        """
        current = self.current()
        if current is None:
            raise Refused(f"no generation of the mirror {self.name} is published")
        files = list(current.inventory())
        return checking.check(current.tree, files, self.pool, full=full, threads=threads, tell=tell)

    def discard(self, report: CheckReport) -> bool:
        """Take what `report` found damaged out of the pool, so that it is brought in again, and put back
        into it what only the tree has, as far as that is good: whether all of it was. The next publication makes
        the tree good."""
        current = self.current()
        for sha256 in report.bad_in_pool:
            self.pool.discard(sha256)
        if current is None:
            return True
        taken = [self.pool.take_back(current.tree / file.path, file.sha256) for file in report.tree_only]
        return all(taken)


def remaining(
    there: Sequence[Generation], current: Generation | None, keep: int, pinned: Collection[int] = ()
) -> list[Generation]:
    """Of the generations `there`, those to be kept: `keep` (the current one, then the newest), and the pinned."""
    now = current.number if current else 0
    newest = sorted(there, key=lambda each: (each.number == now, each.number), reverse=True)
    count = max(0, keep)
    return newest[:count] + [each for each in newest[count:] if each.number in pinned]


def _files_of(metadata: Metadata) -> tuple[StoredFile, ...]:
    return metadata.entry + metadata.indexes


def _own_files(generation: Generation) -> Sequence[StoredFile]:
    """Nothing of an inventory that is damaged: its generation is to go, and not to be in the way until then."""
    try:
        return generation.inventory().own
    except BadContent:
        return ()


def _all_files(generation: Generation) -> Sequence[StoredFile]:
    try:
        return tuple(generation.inventory())
    except BadContent:
        return ()


def store_names(root: Path) -> list[str]:
    """The mirrors that there are below `root`."""
    try:
        names = os.listdir(root / "repositories")
    except FileNotFoundError:
        return []
    return sorted(name for name in names if _NAME.fullmatch(name) and (root / "repositories" / name).is_dir())


def collect_garbage(pool: Pool, *, spare: float = 0.0) -> int:
    """Remove from the pool what no mirror has any more and nothing that is going on is `awaiting`; the bytes that
    this frees. What was written in the last `spare` seconds stays. Raises Busy when a run is at work on any
    mirror."""
    with pool_alone(pool.root):
        held = {sha256 for name in store_names(pool.root) for sha256 in MirrorStore(pool, name).held_files()}
        held |= awaiting.objects(pool.root)
        return garbage.remove(pool, held, spare=spare)
