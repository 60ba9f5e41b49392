# SPDX-License-Identifier: GPL-3.0-or-later
"""The draft of a manifest: everything that a selection and its base say, but for the chunks."""

from collections.abc import Mapping
from dataclasses import replace

from orchestrator import __version__
from orchestrator.content.catalog import exports
from orchestrator.content.exports import manifest as manifests
from orchestrator.content.exports import requests
from orchestrator.content.exports.bases import Holdings
from orchestrator.content.exports.manifest import (
    Base,
    EnvironmentEntry,
    KeyEntry,
    Manifest,
    ProductEntry,
    RepositoryEntry,
    VersionEntry,
)
from orchestrator.content.exports.request import ExportRequest
from orchestrator.content.exports.requests import MissingObjects
from orchestrator.content.exports.selection import Item, Selection
from orchestrator.content.workspace import Workspace
from orchestrator.errors import Invalid, Refused

_PROGRAM = f"orchestrator {__version__}"


def draft_of(request: ExportRequest, selection: Selection, base: Base | None, holdings: Holdings) -> Manifest:
    """Pure. The mode and suites of repositories are still missing, what is sent too."""
    used = {item.product.label: item.product for item in selection.items}
    names = {view.label: view.name for view in selection.views}
    return Manifest(
        request.kind,
        request.format,
        selection.subject,
        max(item.snapshot.made for item in selection.items),
        tuple(_repository(item, request, holdings) for item in selection.items),
        tuple(
            ProductEntry(each.label, each.kind.value, each.name, each.vendor, each.content_id)
            for _, each in sorted(used.items())
        ),
        tuple(
            VersionEntry(
                each.view,
                each.number,
                each.made,
                tuple((path, f"{s.product}/{s.repository}", s.inventory) for path, s in each.contents),
                names[each.view],
                each.description,
            )
            for each in selection.versions
        ),
        tuple(
            EnvironmentEntry(each.label, each.after, dict(each.shows), each.name)
            for each in selection.environments
        ),
        tuple(KeyEntry(key.name, key.armoured) for key in selection.keys),
        destination=request.destination,
        base=base,
        program=_PROGRAM,
        organization_name=selection.organization.name,
        chunk_size=request.chunk_size,
    )


def _repository(item: Item, request: ExportRequest, holdings: Holdings) -> RepositoryEntry:
    repository, snapshot = item.repository, item.snapshot
    known = holdings.get(repository.path, ())
    return RepositoryEntry(
        repository.product,
        repository.label,
        repository.type,
        snapshot.inventory,
        snapshot.files,
        snapshot.packages,
        snapshot.bytes,
        snapshot.made,
        base=snapshot.inventory if snapshot.inventory in known else known[-1] if known else "",
        name=repository.name,
        mode=item.mode,
        trees=item.trees if request.format == "dir" else (),
        keys=item.keys,
    )


def requested(request: ExportRequest) -> MissingObjects:
    """What its request file asks for. Raises Invalid when that cannot be read, and BadContent."""
    path = request.request_file
    assert path is not None
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Invalid(f"the request {path} cannot be read: {error.strerror}") from None
    return requests.from_file(data, str(path))


def draft_of_request(workspace: Workspace, request: ExportRequest) -> tuple[Manifest, Mapping[str, int]]:
    """An increment to the very export that something is missing of: the same content, and `only` these objects.
    Raises Refused when it is not known here."""
    missing = requested(request)
    with workspace.catalog.reading() as session:
        there = [each for each in exports.all(session) if each.export_id == missing.export]
    if not there:
        raise Refused(
            f"{request.request_file} asks for objects of the export {missing.export}, which is not known here",
            hint="orchestrator export list shows those that are; or make an increment",
        )
    was = manifests.from_bytes(there[0].manifest.encode(), f"the manifest of export {there[0].number}")
    entries = tuple(
        replace(each, base=each.inventory, trees=_trees(was, each) if request.format == "dir" else ())
        for each in was.repositories
    )
    draft = replace(
        was,
        kind="increment",
        format=request.format,
        base=Base(export=was.id),
        repositories=entries,
        chunk_size=request.chunk_size,
        program=_PROGRAM,
        chunks=(),
        id="",
    )
    return draft, missing.objects


def _trees(manifest: Manifest, entry: RepositoryEntry) -> tuple[str, ...]:
    """Those it has, or else places that no other has."""
    several = sum(each.path == entry.path for each in manifest.repositories) > 1
    place = f"content/{entry.path}@{entry.inventory[:8]}" if several else f"content/{entry.path}"
    return entry.trees or (place,)
