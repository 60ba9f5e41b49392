# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways an export may take: to a directory that appears at once, into a complete one that lacks something, or
over to somebody else a chunk at a time. Which one is decided by where it is to go and what is there already.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from orchestrator.content.catalog import exports
from orchestrator.content.catalog.exports import ExportRecord
from orchestrator.content.events import Name
from orchestrator.content.exports import handing, mending, places, records, room
from orchestrator.content.exports.outcome import State, subject_text
from orchestrator.content.exports.placing import Placing
from orchestrator.content.exports.planning import ExportPlan
from orchestrator.content.exports.unfinished import Done, Unfinished
from orchestrator.content.exports.wish import Wish
from orchestrator.content.workspace import Workspace
from orchestrator.errors import Invalid, UsageError
from orchestrator.host import clock

_ADDRESSES = ("https://", "http://")


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came of a route. `place` is what to look at: the partial directory of one that is not finished."""

    state: State
    place: str
    record: ExportRecord | None = None
    done: dict[str, Done] = field(default_factory=dict)


class Route(Protocol):
    @property
    def place(self) -> str:
        """A directory, an address, or "-"."""

    def needed(self) -> tuple[int, Path] | None:
        """Bytes on the disk of which place; None where nobody knows the disk."""

    def check_room(self) -> None:
        """Raises Refused when there is no room, or the quota forbids it."""

    def go(self) -> Arrival:
        """Under the lock of the line; again, it goes on."""


def route_of(workspace: Workspace, plan: ExportPlan, wish: Wish) -> Route:
    """Raises UsageError for a chunk that there is not, Invalid and Refused for a place where nothing can go."""
    _check(plan, wish)
    if wish.to == handing.STANDARD_OUTPUT:
        return HandOver(workspace, plan, wish, wish.to, handing.Output(workspace))
    if wish.to.startswith(_ADDRESSES):
        address = handing.address_of(wish.to)
        return HandOver(workspace, plan, wish, address, handing.Server(workspace, address, wish.netrc))
    if "://" in wish.to:
        raise Invalid(f"{wish.to}: exports go to directories, and by PUT to http and https addresses")
    subject, destination = plan.manifest.subject, plan.manifest.destination
    if wish.to:
        parent = places.check_target(Path(wish.to).absolute(), workspace.root)
    else:
        parent = places.parent(workspace.settings.exports, subject, destination)
    there = _there(workspace, plan, parent)
    if there is not None and records.is_whole(there):
        return Mend(workspace, plan, wish, there)
    if wish.to and wish.only_chunk:
        return HandOver(workspace, plan, wish, str(parent), handing.Files(workspace, parent))
    return Place(workspace, plan, wish, parent)


def _check(plan: ExportPlan, wish: Wish) -> None:
    count = len(plan.chunks)
    if plan.manifest.format == "dir":
        if wish.only_chunk:
            raise UsageError("an export as a directory has no chunks", hint="leave --only-chunk away")
        if wish.to == handing.STANDARD_OUTPUT or wish.to.startswith(_ADDRESSES):
            raise UsageError(f"a directory cannot go to {wish.to}", hint="take --format tar, tgz or iso")
    elif wish.only_chunk > count:
        raise UsageError(f"there is no chunk {wish.only_chunk}: the export has {count}")
    elif wish.to == handing.STANDARD_OUTPUT and count > 1 and not wish.only_chunk:
        raise UsageError(
            f"the export has {count} chunks, and standard output takes one",
            hint="write them one by one: --only-chunk 1 --to - | ..., or leave --chunk-size away",
        )


def _same(workspace: Workspace, plan: ExportPlan, state: str = "") -> Sequence[ExportRecord]:
    """The records of this very export, the newest first."""
    manifest = plan.manifest
    with workspace.catalog.reading() as session:
        found = exports.all(
            session,
            manifest.subject.organization,
            subject=manifest.subject,
            destination=manifest.destination,
            state=state,
        )
    return [each for each in found if each.export_id == manifest.id]


def _there(workspace: Workspace, plan: ExportPlan, parent: Path) -> ExportRecord | None:
    """The complete one in the directory `parent`."""
    found = _same(workspace, plan, "complete")
    return next((each for each in found if _is_in(each, parent)), None)


def _is_in(record: ExportRecord, parent: Path) -> bool:
    return record.place.startswith("/") and Path(record.place).parent.resolve() == parent.resolve()


@dataclass(frozen=True, slots=True)
class Place:
    """A new directory in `parent`, or one that is not finished there."""

    workspace: Workspace
    plan: ExportPlan
    wish: Wish
    parent: Path

    @property
    def place(self) -> str:
        return str(self._unfinished() or self.parent / self._name())

    def _name(self) -> str:
        time = places.time_name(clock.now())
        return places.name_elsewhere(self.plan.manifest.subject, time) if self.wish.to else time

    def _unfinished(self) -> Path | None:
        found = [each for each in _same(self.workspace, self.plan, "partial") if _is_in(each, self.parent)]
        return Path(found[0].place) if found else None

    def needed(self) -> tuple[int, Path]:
        manifest = self.plan.manifest
        if manifest.format == "dir":
            if room.on_one_file_system(self.workspace.pool.objects, self.parent):
                return room.needed(self._beside_trees()), self.parent
            files = [file.size for tree in self.plan.trees for file in self.plan.files_of(tree)]
            return room.needed([*self._beside_trees(), *files]), self.parent
        notes = Unfinished(self.parent / f".{manifest.id}.partial").done
        due = [each for each in self.plan.chunks if each.file_name not in notes]
        if self.wish.only_chunk:
            due = [each for each in due if each.number == self.wish.only_chunk]
        return room.needed([*(each.size for each in due), len(self.plan.manifest_bytes)]), self.parent

    def _beside_trees(self) -> list[int]:
        """The sizes of the inventories, and of what names all of their files once more."""
        lists = [len(listed) for listed in self.plan.inventories.values()]
        return [*lists, *(2 * size for size in lists), len(self.plan.manifest_bytes)]

    def check_room(self) -> None:
        room.refuse_lack_of_space(*self.needed())
        settings = self.workspace.settings
        if settings.rules.quota and not self.wish.to:
            there = records.all_records(self.workspace)
            taken = records.taken(self.workspace, there, self.plan.manifest.id)
            size = self.plan.media_bytes or self.plan.bytes
            room.refuse_beyond_quota(size, taken, settings.rules.quota)

    def go(self) -> Arrival:
        place = self._unfinished() or places.free_name(self.parent, self._name())
        placing = Placing(self.workspace, self.plan, place)
        placing.begin()
        partial = [each for each in _same(self.workspace, self.plan, "partial") if each.place == str(place)]
        record = partial[0] if partial else records.begin(self.workspace, self.plan, str(place))
        placing.check()
        _announce(self.workspace, self.plan, str(place), placing.done)
        if not placing.write(self.wish.only_chunk):
            return Arrival("partial", str(placing.partial), record, placing.done)
        done = placing.done
        record = placing.finish(record)
        return Arrival("complete", record.place, record, done)


@dataclass(frozen=True, slots=True)
class Mend:
    """The complete export `record`: the chunk that is asked for, or what it lacks."""

    workspace: Workspace
    plan: ExportPlan
    wish: Wish
    record: ExportRecord

    @property
    def place(self) -> str:
        return self.record.place

    def _due(self) -> list[int]:
        if self.wish.only_chunk:
            return [self.wish.only_chunk]
        return mending.lost_chunks(self.plan, Path(self.place))

    def needed(self) -> tuple[int, Path]:
        due = self._due()
        return room.needed(each.size for each in self.plan.chunks if each.number in due), Path(self.place)

    def check_room(self) -> None:
        if self._due():
            room.refuse_lack_of_space(*self.needed())

    def go(self) -> Arrival:
        due = self._due()
        if not due:
            return Arrival("there already", self.place, self.record)
        done = mending.mend(self.workspace, self.plan, Path(self.place), due)
        return Arrival("complete", self.place, self.record, done)


@dataclass(frozen=True, slots=True)
class HandOver:
    """To somebody who takes chunks."""

    workspace: Workspace
    plan: ExportPlan
    wish: Wish
    place: str
    receiver: handing.Receiver

    def needed(self) -> tuple[int, Path] | None:
        if not self.place.startswith("/"):
            return None
        due = [each for each in self.plan.chunks if each.number == self.wish.only_chunk]
        return room.needed(each.size for each in due), Path(self.place)

    def check_room(self) -> None:
        need = self.needed()
        if need:
            room.refuse_lack_of_space(*need)

    def go(self) -> Arrival:
        over = handing.Handing(self.workspace, self.plan, self.place, self.receiver)
        complete = _same(self.workspace, self.plan, "complete")
        if complete and (self.wish.only_chunk or self.place == handing.STANDARD_OUTPUT):
            done = over.send_once(self.wish.only_chunk or 1)
            return Arrival("complete", self.place, complete[0], done)
        over.begin()
        same = [each for each in _same(self.workspace, self.plan) if each.place == self.place]
        record = same[0] if same else records.begin(self.workspace, self.plan, self.place)
        _announce(self.workspace, self.plan, self.place, over.done)
        if not over.send(self.wish.only_chunk):
            return Arrival("partial", self.place, record, over.done)
        done = over.done
        record = over.finish(record)
        return Arrival("complete", self.place, record, done)


def _announce(workspace: Workspace, plan: ExportPlan, place: str, done: dict[str, Done]) -> None:
    manifest = plan.manifest
    workspace.tell(
        Name.EXPORTING,
        subject_text(manifest.subject),
        export=manifest.id,
        objects=manifest.objects,
        bytes=manifest.bytes,
        chunks=len(plan.chunks),
        left=sum(1 for each in plan.chunks if each.file_name not in done),
        place=place,
    )
