# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of an export: known whole, to the last byte of every medium, before the first is written.

Of each repository whose inventory is not that of its base go the metadata, whole, and the objects that no base has;
of an unchanged one nothing. Each object goes once, in the order of the repositories' paths, metadata first. The plan
is a function of the manifest's draft (`drafting`), the inventories it names, and the size of the media.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.content import receipts
from orchestrator.content.catalog import repositories, snapshots
from orchestrator.content.events import Name
from orchestrator.content.exports import manifest as manifests
from orchestrator.content.exports.bases import find_base
from orchestrator.content.exports.chunking import Divider
from orchestrator.content.exports.drafting import draft_of, draft_of_request, requested
from orchestrator.content.exports.formats import writer_of
from orchestrator.content.exports.front import Front
from orchestrator.content.exports.manifest import Manifest, Piece, to_bytes, with_id
from orchestrator.content.exports.media import Chunk, SmallFile
from orchestrator.content.exports.request import ExportRequest, seconds_of
from orchestrator.content.exports.selection import select
from orchestrator.content.exports.sending import Sending, missing_of, sending_of
from orchestrator.content.inventories import each_file
from orchestrator.content.model import StoredFile
from orchestrator.content.signing import SigningKey, load_key, server_key
from orchestrator.content.workspace import Workspace
from orchestrator.errors import Refused
from orchestrator.host import clock

__all__ = ["ExportPlan", "MissingFiles", "PlannedChunk", "PlannedTree", "plan_again", "plan_export"]


@dataclass(frozen=True, slots=True)
class PlannedChunk:
    """One medium. `size` are the bytes of its file: exact, of a tgz at most so many. `medium` builds its small files
    anew at each call."""

    number: int
    of: int
    label: str
    file_name: str
    pieces: Sequence[Piece]
    size: int
    when: int
    front: Front

    @property
    def bytes(self) -> int:
        """Of objects."""
        return sum(piece.length for piece in self.pieces)

    def medium(self) -> Chunk:
        return Chunk(self.label, self.front.of_chunk(self.number, self.pieces), self.pieces, self.when)


@dataclass(frozen=True, slots=True)
class MissingFiles:
    """What of a repository's snapshot cannot be sent, because its bytes are not in the pool."""

    path: str
    snapshot: int
    files: tuple[StoredFile, ...]


@dataclass(frozen=True, slots=True)
class PlannedTree:
    """A tree of a `dir` export: `place` is content/..., `inventory` what it is a tree of."""

    place: str
    inventory: str


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """`objects` are the sizes of what is sent, by SHA-256, in the order of the media; `public_key` (PEM) is what the
    `signature` is verified with, and stays here. `receipt` is the digest of the receipt that this leads to. A `dir`
    export has `trees` and no chunks."""

    request: ExportRequest
    manifest: Manifest
    manifest_bytes: bytes
    signature: bytes
    public_key: bytes
    receipt: str
    objects: Mapping[str, int]
    inventories: Mapping[str, bytes]
    chunks: tuple[PlannedChunk, ...] = ()
    trees: tuple[PlannedTree, ...] = ()
    missing: tuple[MissingFiles, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Of the objects, each once."""
        return self.manifest.bytes

    @property
    def media_bytes(self) -> int:
        """Of all chunks' files."""
        return sum(chunk.size for chunk in self.chunks)

    def files_of(self, tree: PlannedTree) -> Iterator[StoredFile]:
        """What goes into a tree: all of it, of an increment what is sent."""
        listed = each_file(self.inventories[tree.inventory])
        return (file for file in listed if file.sha256 in self.objects)

    def directory_front(self) -> tuple[SmallFile, ...]:
        """What stands beside the trees of a `dir` export."""
        front = Front(self.manifest, self.manifest_bytes, self.signature, self.inventories)
        return front.of_directory((tree.place, file) for tree in self.trees for file in self.files_of(tree))


def plan_export(workspace: Workspace, request: ExportRequest) -> ExportPlan:
    """Raises Invalid for a request that contradicts itself; Refused when there is nothing to export, no base to build
    on, or the media are too small for it; BadContent when what is kept here is damaged."""
    request = request.checked(clock.now(), workspace.settings.organization)
    if request.request_file is not None:
        draft, only = draft_of_request(workspace, request)
        return _Planner(workspace, request).plan(draft, only, ())
    selection = select(workspace, request)
    base, holdings = find_base(workspace, request, selection)
    draft = draft_of(request, selection, base, holdings)
    return _Planner(workspace, request).plan(draft, None, tuple(map(str, selection.problems)))


def plan_again(workspace: Workspace, manifest: bytes, request: ExportRequest) -> ExportPlan:
    """The same export once more, from its manifest: for a chunk that got lost, or one that was cut off while the
    catalog went on. Of the request `strict_chunks`, `sign_with` and `request_file` count. Raises Refused when it
    would be another one."""
    was = manifests.from_bytes(manifest, "the manifest of the export")
    only = requested(request) if request.request_file is not None else None
    request = replace(request, chunk_size=was.chunk_size, format=was.format, kind=was.kind)
    draft = replace(was, chunks=(), objects=0, bytes=0, id="")
    plan = _Planner(workspace, request).plan(draft, only.objects if only else None, ())
    if plan.manifest.id != was.id:
        raise Refused(
            f"the export {was.id} cannot be made once more: it would be another ({plan.manifest.id})",
            hint="sign with the same key, and ask for the same; or export anew",
        )
    return plan


class _Planner:
    def __init__(self, workspace: Workspace, request: ExportRequest) -> None:
        self._workspace, self._request = workspace, request

    def plan(self, draft: Manifest, only: Mapping[str, int] | None, warnings: tuple[str, ...]) -> ExportPlan:
        """The plan of what `draft` names; `only` these objects when it is not None."""
        key = self._key()
        sending = sending_of(self._workspace, draft, only)
        draft = replace(
            draft,
            repositories=sending.entries,
            signer=key.public.id,
            objects=len(sending.objects),
            bytes=sum(sending.objects.values()),
        )
        if draft.format == "dir":
            plan = self._plan(with_id(draft), key, sending, warnings)
            places = ((tree, each.inventory) for each in draft.repositories for tree in each.trees)
            return replace(plan, trees=tuple(PlannedTree(*place) for place in places))
        return self._with_chunks(draft, key, sending, warnings)

    def _key(self) -> SigningKey:
        def warn(text: str) -> None:
            self._workspace.tell(Name.WARNING, "key", text=text)

        if self._request.sign_with is not None:
            return load_key(self._request.sign_with, warn)
        return server_key(self._workspace.settings.key_file, warn)

    def _plan(
        self, manifest: Manifest, key: SigningKey, sending: Sending, warnings: tuple[str, ...]
    ) -> ExportPlan:
        data = to_bytes(manifest)
        return ExportPlan(
            self._request,
            manifest,
            data,
            key.sign(data),
            key.public.pem,
            receipts.leads_to(manifest),
            sending.objects,
            sending.inventories,
            missing=self._missing(manifest.subject.organization, sending),
            warnings=warnings,
        )

    def _missing(self, organization: str, sending: Sending) -> tuple[MissingFiles, ...]:
        found = []
        for entry, files in missing_of(self._workspace, sending):
            with self._workspace.catalog.reading() as session:
                repository = repositories.get(session, organization, entry.path)
                snapshot = snapshots.with_inventory(session, repository, entry.inventory)
            found.append(MissingFiles(entry.path, snapshot.number if snapshot else 0, files))
        return tuple(found)

    def _with_chunks(
        self, draft: Manifest, key: SigningKey, sending: Sending, warnings: tuple[str, ...]
    ) -> ExportPlan:
        writer = writer_of(draft.format)
        lists = {digest: len(data) for digest, data in sending.inventories.items()}
        divider = Divider(draft, sending.objects, lists, writer, sending.owners_of)
        media = divider.divide(draft.chunk_size, strict=self._request.strict_chunks, named=sending.name_of)
        plan = self._plan(media.manifest, key, sending, warnings)
        front = Front(plan.manifest, plan.manifest_bytes, plan.signature, plan.inventories, media.indexes)
        of, when, name = len(media.pieces), seconds_of(draft.created), label_of(draft)
        chunks = tuple(
            PlannedChunk(
                number,
                of,
                f"{name} {number}of{of}",
                f"{name}-{number:0{len(str(of))}}of{of}{writer.suffix}",
                pieces,
                size,
                when,
                front,
            )
            for number, (pieces, size) in enumerate(zip(media.pieces, media.sizes, strict=True), 1)
        )
        return replace(plan, chunks=chunks)


def label_of(manifest: Manifest) -> str:
    """What people call an export on its media: "web-3", "tools-base", "library"; short enough for an ISO image's
    label with the number of the medium."""
    subject = manifest.subject
    name = (subject.name or subject.kind).replace("/", "-").replace(",", "+")
    return f"{name[:16]}-{subject.version}" if subject.version else name[:20]
