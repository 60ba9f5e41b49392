# SPDX-License-Identifier: GPL-3.0-or-later
"""What an import would do: decided from the media's signed lists and from what is here, before anything changes."""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.content.engine import free_space
from orchestrator.content.exports.media import MediumReader
from orchestrator.content.imports import objects
from orchestrator.content.imports.afterwards import after
from orchestrator.content.imports.assembly import Assembly
from orchestrator.content.imports.deciding import Item, Wish, decide
from orchestrator.content.imports.here import Here, Holdings, look
from orchestrator.content.imports.objects import NOTHING, Lack
from orchestrator.content.imports.state import ImportState, going_on
from orchestrator.content.imports.survey import FoundExport, MediumReport, Survey, in_order, survey
from orchestrator.errors import BadContent, ExitCode, Refused

if TYPE_CHECKING:
    from orchestrator.content.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What becomes of one export. `missing` are the objects that are not here yet; `absent` those of them that the
    given media do not bring, either. `anticipated`: repositories that need nothing, once an export before this one
    has brought them."""

    found: FoundExport
    organization: str
    items: tuple[Item, ...]
    missing: Lack = NOTHING
    absent: Lack = NOTHING
    all_or_nothing: bool = False
    anticipated: frozenset[Item] = frozenset()

    @property
    def id(self) -> str:
        return self.found.id

    @property
    def changes(self) -> bool:
        return any(item.changes for item in self.items)

    @property
    def refused(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.refused)

    @property
    def due(self) -> bool:
        """Whether anything is to be done: one that goes in as a whole is not when any of it is refused."""
        return self.changes and not (self.all_or_nothing and self.refused)

    def to_json(self) -> dict[str, Any]:
        manifest = self.found.manifest
        return {
            "export": self.id,
            "kind": manifest.kind,
            "subject": {
                "kind": manifest.subject.kind,
                "organization": manifest.subject.organization,
                "name": manifest.subject.name,
                "version": manifest.subject.version,
            },
            "created": manifest.created,
            "signer": manifest.signer,
            "organization": self.organization,
            "chunks": {"all": len(manifest.chunks), "given": sorted(self.found.chunks)},
            "items": [item.to_json() for item in self.items],
            "missing": self.missing.to_json(),
            "absent": self.absent.to_json(),
        }


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """`bytes` is what will be written, `free` the room there is."""

    exports: tuple[ExportPlan, ...]
    media: tuple[MediumReport, ...]
    bytes: int
    free: int

    @property
    def refused(self) -> bool:
        return any(each.refused for each in self.exports) or not self.fits

    @property
    def fits(self) -> bool:
        return self.bytes <= self.free

    @property
    def exit_code(self) -> ExitCode:
        """4 when some of it would be refused, 3 when objects would be missing."""
        if self.refused or any(report.error and not report.export for report in self.media):
            return ExitCode.REFUSED
        return ExitCode.LOSSES if any(each.absent.objects for each in self.exports) else ExitCode.DONE

    def to_json(self) -> dict[str, Any]:
        return {
            "exports": [each.to_json() for each in self.exports],
            "media": [each.to_json() for each in self.media],
            "bytes": self.bytes,
            "free": self.free,
        }


@dataclass(slots=True)
class Draft:
    """A plan with what it was made of. `sizes` are all missing objects of all exports, `places` where they are in
    trees."""

    plan: ImportPlan
    survey: Survey
    sizes: dict[str, int] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)

    def close(self) -> None:
        for found in self.survey.exports:
            for medium in found.media:
                medium.release()


def plan(
    workspace: "Workspace",
    media: Sequence[MediumReader],
    wish: Wish | None = None,
    *,
    trust: Sequence[Path] = (),
) -> ImportPlan:
    """What an import of these media would do. Changes nothing, and makes nothing where there is nothing yet.

    Raises BadContent and Refused when none of the media can be imported, as it is told of each.
    """
    drafted = draft(workspace, media, wish or Wish(), trust, pool_look(workspace.root))
    drafted.close()
    told = (each for each in drafted.plan.exports if each.found.media or not media or not each.absent.objects)
    return replace(drafted.plan, exports=tuple(told))


def pool_look(root: Path) -> Callable[[str], int | None]:
    """A look at the sizes of the pool's files that makes no pool."""
    objects_root = f"{root}/pool"

    def size(sha256: str) -> int | None:
        try:
            return os.stat(f"{objects_root}/{sha256[:2]}/{sha256}").st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    return size


def draft(
    workspace: "Workspace",
    media: Sequence[MediumReader],
    wish: Wish,
    trust: Sequence[Path],
    have: Callable[[str], int | None],
) -> Draft:
    """The plan, with imports that go on and may end now. `have` says the size of an object that is here."""
    surveyed = _surveyed(workspace, media, trust)
    waiting = {state.export: state for state in going_on(workspace.root)}
    if media:
        surveyed.check()
    given = {found.id for found in surveyed.exports}
    others = [state.export_found() for state in waiting.values() if state.export not in given]
    surveyed.exports = in_order([*surveyed.exports, *(found for found in others if found is not None)])
    drafter = _Drafter(workspace, wish, have, waiting)
    drafted = Draft(ImportPlan((), tuple(surveyed.reports.values()), 0, 0), surveyed)
    exports = [drafter.export(found, drafted) for found in surveyed.exports]
    coming = _coming(workspace.root, surveyed.exports, drafted)
    exports = [drafter.with_absent(each, coming) for each in exports]
    free = free_space(_existing(workspace.root))
    drafted.plan = replace(
        drafted.plan,
        exports=tuple(exports),
        bytes=sum(drafted.sizes[sha256] for sha256 in coming),
        free=free,
    )
    return drafted


def _surveyed(workspace: "Workspace", media: Sequence[MediumReader], trust: Sequence[Path]) -> Survey:
    from orchestrator.content.signing import Trusted, verify

    trusted = Trusted(workspace.settings.trusted)

    def check(document: bytes, signature: bytes, name: str) -> object:
        return verify(document, signature, trusted, trust, name=name)

    def known(digest: str) -> bytes | None:
        try:
            data = workspace.inventories.path(digest).read_bytes()
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == digest else None

    return survey(media, check, known)


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _coming(root: Path, exports: Iterable[FoundExport], drafted: Draft) -> set[str]:
    """What of the missing the media bring, or what has come already in segments."""
    coming: set[str] = set()
    for found in exports:
        assembly = Assembly(ImportState(root, found.id).segments)
        drafted.places |= objects.in_trees(found, drafted.sizes) if found.media else {}
        coming |= objects.on_media(found, drafted.sizes, assembly.ranges)
    return coming


class _Drafter:
    """Each export is decided from what is here once those before it were imported."""

    def __init__(
        self,
        workspace: "Workspace",
        wish: Wish,
        have: Callable[[str], int | None],
        waiting: dict[str, ImportState],
    ) -> None:
        self._workspace, self._wish, self._have, self._waiting = workspace, wish, have, waiting
        self._now: dict[str, Here] = {}
        self._here: dict[str, Here] = {}
        self._missing: dict[str, dict[str, int]] = {}

    def export(self, found: FoundExport, drafted: Draft) -> ExportPlan:
        organization, all_or_nothing = self._into(found)
        if organization not in self._here:
            self._now[organization] = self._here[organization] = look(self._workspace, organization)
        items, missing = self._decide(found, self._here[organization])
        self._missing[found.id] = missing
        planned = ExportPlan(
            found,
            organization,
            items,
            missing=objects.lack(found, missing),
            all_or_nothing=all_or_nothing or self._wish.all_or_nothing,
            anticipated=_anticipated(self._now[organization], items),
        )
        if planned.due:
            self._here[organization] = after(self._here[organization], found.manifest, items)
            drafted.sizes |= missing
        return planned

    def _decide(self, found: FoundExport, here: Here) -> tuple[tuple[Item, ...], dict[str, int]]:
        """What becomes of it, and the objects that are missing for that. A list that cannot be read is a reason to
        refuse what it is of."""
        unreadable: dict[str, str] = {}
        while True:
            items = decide(found.manifest, here, self._wish, unreadable)
            wanted = [item.inventory for item in items if item.kind == "repository" and item.changes]
            sizes: dict[str, int] = {}
            bad = False
            for digest in dict.fromkeys(wanted):
                try:
                    objects.add_needed(sizes, found, digest)
                except BadContent as error:
                    unreadable[digest], bad = error.message, True
            if not bad:
                return items, objects.missing(sizes, self._have)

    def _into(self, found: FoundExport) -> tuple[str, bool]:
        """The organization, and whether all is to be shown at once. Raises Refused when it goes into another one."""
        state = self._waiting.get(found.id)
        if state is None:
            return self._wish.organization or found.manifest.subject.organization, False
        if found.media and self._wish.organization not in ("", state.organization):
            raise Refused(
                f"the import of {found.id[:12]} goes into the organization {state.organization}",
                hint=f"finish it, or: orchestrator import cancel {found.id[:12]}",
            )
        return state.organization, state.all_or_nothing

    def with_absent(self, planned: ExportPlan, coming: set[str]) -> ExportPlan:
        missing = self._missing[planned.id]
        absent = {sha256: size for sha256, size in missing.items() if sha256 not in coming}
        return replace(planned, absent=objects.lack(planned.found, absent))


def _anticipated(now: Here, items: Iterable[Item]) -> frozenset[Item]:
    """The repositories among `items` that need nothing, and are not there `now`."""
    return frozenset(
        item
        for item in items
        if item.kind == "repository"
        and not (item.changes or item.refused)
        and item.inventory not in now.holdings.get(item.name, Holdings()).all
    )
