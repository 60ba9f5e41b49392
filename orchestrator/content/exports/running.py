# SPDX-License-Identifier: GPL-3.0-or-later
"""The use case: export what was asked for, in the order that loses nothing.

Plan; list what is missing; look for room; record; write; finish. Killed anywhere, the same call goes on: the same
content has the same id, and what was done of it is found by that.
"""

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from orchestrator.content.catalog import repositories
from orchestrator.content.catalog.exports import ExportRecord
from orchestrator.content.events import Name
from orchestrator.content.exports import places, pruning, records, room
from orchestrator.content.exports.bases import remember
from orchestrator.content.exports.lines import line_lock
from orchestrator.content.exports.manifest import Subject
from orchestrator.content.exports.outcome import ChunkOutcome, ExportOutcome, MissingOutcome, subject_text
from orchestrator.content.exports.placing import disk_errors
from orchestrator.content.exports.planning import ExportPlan, PlannedChunk, plan_again, plan_export
from orchestrator.content.exports.request import ExportRequest
from orchestrator.content.exports.routes import Arrival, route_of
from orchestrator.content.exports.unfinished import Done
from orchestrator.content.exports.wish import Wish
from orchestrator.content.publication.locks import pool_in_use
from orchestrator.content.workspace import Workspace
from orchestrator.errors import Problem, Refused

# Of what is missing of one repository, an error names so many files.
_SHOWN = 20
_PLAIN = Wish()


def export(workspace: Workspace, request: ExportRequest, wish: Wish = _PLAIN) -> ExportOutcome:
    """Export what `request` says. The same call after whatever cut it off goes on; once it is complete, it finds it
    there already.

    Raises what `plan_export` does; UsageError for a chunk that there is not; Refused when something is missing, or
    there is no room or quota; Busy; BadContent; Interrupted; TransferFailed; StateUnwritable and NotPermitted for
    what the system refuses.
    """
    with _pool(workspace):
        if not wish.dry_run:
            records.reconcile(workspace)
        plan = _plan(workspace, request, fetch=wish.fetch_missing and not wish.dry_run)
        if wish.dry_run:
            return _planned(workspace, plan, wish)
        _refuse_missing(plan)
        with disk_errors(workspace.settings.exports), _line(workspace, plan, wish) as waited:
            if waited:
                plan = _plan(workspace, request, fetch=False)
                _refuse_missing(plan)
            outcome = _carry_out(workspace, plan, wish)
    remember(workspace, request)
    pruning.follow_rules(workspace)
    return outcome


def export_again(
    workspace: Workspace, name: str, wish: Wish = _PLAIN, *, sign_with: Path | None = None
) -> ExportOutcome:
    """The very bytes of an earlier export (by number or id), or of one chunk of it, once more: where it was, or
    where the wish says. Raises as `export` does, and Refused when its content is not here any more."""
    with _pool(workspace):
        if not wish.dry_run:
            records.reconcile(workspace)
        record = records.find(workspace, name)
        request = ExportRequest(kind=record.kind, format=record.format, sign_with=sign_with)
        workspace.tell(Name.PLANNING, records.line_name(record), kind=record.kind, format=record.format)
        plan = plan_again(workspace, record.manifest.encode(), request)
        wish = replace(wish, to=wish.to or _where(workspace, record))
        if wish.dry_run:
            return _planned(workspace, plan, wish)
        _refuse_missing(plan)
        with disk_errors(workspace.settings.exports), _line(workspace, plan, wish):
            return _carry_out(workspace, plan, wish)


def _where(workspace: Workspace, record: ExportRecord) -> str:
    """What `to` was."""
    if not record.place.startswith("/") or places.is_below(Path(record.place), workspace.settings.exports):
        return "" if record.place.startswith("/") else record.place
    return str(Path(record.place).parent)


def _pool(workspace: Workspace) -> AbstractContextManager[None]:
    """Nothing is removed from the pool meanwhile."""
    return pool_in_use(workspace.pool.root)


def _line(workspace: Workspace, plan: ExportPlan, wish: Wish) -> AbstractContextManager[bool]:
    manifest = plan.manifest
    return line_lock(workspace.settings.exports, manifest.subject, manifest.destination, wish.wait_lock)


def _plan(workspace: Workspace, request: ExportRequest, *, fetch: bool) -> ExportPlan:
    workspace.tell(Name.PLANNING, _words(request), kind=request.kind, format=request.format)
    plan = plan_export(workspace, request)
    if plan.missing and fetch:
        _fetch(workspace, plan)
        plan = plan_export(workspace, request)
    for text in plan.warnings:
        workspace.tell(Name.WARNING, subject_text(plan.manifest.subject), text=text)
    return plan


def _words(request: ExportRequest) -> str:
    if request.request_file is not None:
        return str(request.request_file)
    names = ",".join(request.names)
    return subject_text(Subject(request.subject_kind, request.organization, names, request.version or 0))


def _fetch(workspace: Workspace, plan: ExportPlan) -> None:
    """Bring in what is missing, from where its repository comes from."""
    from orchestrator.content.syncing import fetch_missing

    for each in plan.missing:
        with workspace.catalog.reading() as session:
            repository = repositories.get(session, plan.manifest.subject.organization, each.path)
        for lost in fetch_missing(workspace, repository, each.files).lost:
            workspace.tell(Name.LOST, each.path, what=lost.what, why=lost.why, url=lost.url)


def _refuse_missing(plan: ExportPlan) -> None:
    if not plan.missing:
        return
    count = sum(len(each.files) for each in plan.missing)
    problems = [
        Problem(f"{each.path} snapshot {each.snapshot}", file.path)
        for each in plan.missing
        for file in each.files[:_SHOWN]
    ]
    raise Refused(
        f"the bytes of {count} file(s) are not here, and only what is here can be exported",
        hint="the same command with --fetch-missing brings them in; with --dry-run --output json it lists all",
        problems=problems,
    )


def _carry_out(workspace: Workspace, plan: ExportPlan, wish: Wish) -> ExportOutcome:
    route = route_of(workspace, plan, wish)
    route.check_room()
    return _outcome(plan, route.go())


def _planned(workspace: Workspace, plan: ExportPlan, wish: Wish) -> ExportOutcome:
    route = route_of(workspace, plan, wish)
    refused = ""
    try:
        route.check_room()
    except Refused as error:
        refused = error.message
    outcome = _outcome(plan, Arrival("planned", route.place))
    need = route.needed()
    if need is not None:
        size, place = need
        outcome = replace(outcome, needed=size, free=room.free_below(place))
    return replace(outcome, refused=refused)


def _outcome(plan: ExportPlan, arrival: Arrival) -> ExportOutcome:
    manifest, record = plan.manifest, arrival.record
    return ExportOutcome(
        state=arrival.state,
        export=manifest.id,
        kind=manifest.kind,
        format=manifest.format,
        subject=manifest.subject,
        destination=manifest.destination,
        objects=manifest.objects,
        bytes=manifest.bytes,
        place=arrival.place,
        number=record.number if record else 0,
        chunks=tuple(_chunk(each, arrival.done.get(each.file_name)) for each in plan.chunks),
        receipt=plan.receipt,
        missing=tuple(
            MissingOutcome(each.path, each.snapshot, tuple(file.path for file in each.files))
            for each in plan.missing
        ),
        warnings=plan.warnings,
    )


def _chunk(chunk: PlannedChunk, done: Done | None) -> ChunkOutcome:
    size, sha256 = (done.size, done.sha256) if done else (chunk.size, "")
    return ChunkOutcome(chunk.number, chunk.file_name, len(chunk.pieces), chunk.bytes, size, sha256)
