# SPDX-License-Identifier: GPL-3.0-or-later
"""One pass over the media: what is missing goes into the pool, whole objects and segments of larger ones.

An object that is not what its name says is left and told of, and the pass goes on: another copy of it may be on the
next medium. So is the rest of a medium that cannot be read on.
"""

import contextlib
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import TYPE_CHECKING

from orchestrator.content.events import Name
from orchestrator.content.exports.media import Member
from orchestrator.content.imports.assembly import Assembly
from orchestrator.content.imports.medium import Medium
from orchestrator.content.imports.objects import Place, Sought
from orchestrator.content.imports.outcome import Damaged
from orchestrator.content.imports.state import ImportState
from orchestrator.content.imports.survey import FoundExport, MediumReport
from orchestrator.content.intake import Intake
from orchestrator.errors import BadContent, Invalid
from orchestrator.host import clock

if TYPE_CHECKING:
    from orchestrator.content.workspace import Workspace

_EVERY = 0.1


class Taking:
    """Of what is `sought`; `total` bytes of it are expected."""

    def __init__(self, workspace: "Workspace", sought: Sought, total: int) -> None:
        self._workspace, self._sought = workspace, sought
        self._files_total, self._bytes_total = len(sought.sizes), total
        self._began = self._told = clock.monotonic()
        self.objects = self.bytes = self._read = 0
        self.damaged: list[Damaged] = []
        # Objects of which all segments came and one is wrong, and those of which some had come before.
        self._doubtful: set[str] = set()
        self._passed_over: set[str] = set()

    def take(self, exports: list[FoundExport], reports: Callable[[str], MediumReport | None]) -> None:
        """Read all media of the exports. Raises Interrupted, and OSError of what is written here: then all that has
        come so far is on the disk."""
        with Intake(self._workspace.pool, self._tell) as intake:
            for found in exports:
                self._take_from(found, intake, reports, self._sought.__contains__)
                again, self._passed_over = self._passed_over & self._doubtful, set()
                if again:  # what came before may be what is wrong, and its cure was passed over
                    with contextlib.suppress(Invalid):  # a pipe can be read but once
                        self._take_from(found, intake, reports, partial(self._is_of, again))

    def _take_from(
        self,
        found: FoundExport,
        intake: Intake,
        reports: Callable[[str], MediumReport | None],
        wanted: Callable[[str], bool],
    ) -> None:
        assembly = Assembly(ImportState(self._workspace.root, found.id).segments)
        for medium in found.media:
            if not self._sought.sizes:
                return
            try:
                for member in _readable(medium, wanted):
                    self._take(medium, member, intake, assembly)
            except BadContent as error:
                self._cut_off(medium, error, reports(medium.name))
            medium.release()

    def _is_of(self, objects: Collection[str], path: str) -> bool:
        place = self._sought.place(path)
        return place is not None and place.sha256 in objects

    def _take(self, medium: Medium, member: Member, intake: Intake, assembly: Assembly) -> None:
        self._workspace.check_stop()
        place = self._sought.place(member.path)
        if place is None:  # it came meanwhile
            return
        if place.start is not None:
            self._take_segment(medium, member, place, assembly)
            return
        if member.size != place.size:
            self._leave(medium, member, f"it has {member.size} bytes, not {place.size}")
        elif not intake.take(place.sha256, place.size, member.read):
            self._leave(medium, member, "its bytes are not those of its name")
        else:
            self._taken(place)

    def _taken(self, place: Place) -> None:
        self._sought.taken(place.sha256)
        self.objects += 1
        self.bytes += place.size

    def _take_segment(self, medium: Medium, member: Member, place: Place, assembly: Assembly) -> None:
        assert place.start is not None
        if place.start + member.size > place.size:
            self._leave(medium, member, "it goes beyond the end of its object")
            return
        if place.sha256 not in self._doubtful and assembly.has(place.sha256, place.start, member.size):
            self._passed_over.add(place.sha256)
        elif not assembly.take(place.sha256, place.start, member.size, member.read, self._tell):
            self._leave(medium, member, "it is cut off")
            return
        if not assembly.is_complete(place.sha256, place.size):
            return
        if assembly.finish(place.sha256, place.size, self._workspace.pool):
            self._taken(place)
        elif place.sha256 not in self._doubtful:
            self._doubtful.add(place.sha256)
            self._leave(
                medium, member, "put together, the object is not what its name says: a segment is damaged"
            )

    def _leave(self, medium: Medium, member: Member, why: str) -> None:
        self.damaged.append(Damaged(medium.name, member.path, why))
        self._workspace.tell(Name.DAMAGED, medium.name, path=member.path, why=why)

    def _cut_off(self, medium: Medium, error: BadContent, report: MediumReport | None) -> None:
        self._workspace.tell(Name.DAMAGED, medium.name, path="", why=error.message)
        if report is not None and report.error is None:
            report.error = error

    def _tell(self, size: int) -> None:
        self._read += size
        now = clock.monotonic()
        if now - self._told < _EVERY:
            return
        self._told = now
        self._workspace.check_stop()
        self._workspace.tell(
            Name.PROGRESS,
            "import",
            files=self.objects,
            files_total=self._files_total,
            bytes=self._read,
            bytes_total=max(self._bytes_total, self._read),
            rate=self._read / max(now - self._began, 0.001),
        )


def _readable(medium: Medium, wanted: Callable[[str], bool]) -> Iterator[Member]:
    """The objects that are wanted; what the system says of a medium that it cannot read is BadContent of that."""
    members = medium.objects(wanted)
    while True:
        try:
            member = next(members, None)
        except OSError as error:
            raise _unreadable(medium, error) from None
        if member is None:
            return
        yield member._replace(read=_reading(medium, member.read))


def _reading(medium: Medium, read: Callable[[int], bytes]) -> Callable[[int], bytes]:
    def reading(most: int) -> bytes:
        try:
            return read(most)
        except OSError as error:
            raise _unreadable(medium, error) from None

    return reading


def _unreadable(medium: Medium, error: OSError) -> BadContent:
    return BadContent(f"{medium.name} cannot be read: {error.strerror or error}")
