# SPDX-License-Identifier: GPL-3.0-or-later
"""Chunks of a complete export that got lost, or damaged, made once more where they were: the same bytes."""

from collections.abc import Collection, Sequence
from pathlib import Path

from orchestrator.content.exports import beside
from orchestrator.content.exports.manifest import SUMS
from orchestrator.content.exports.outcome import subject_text
from orchestrator.content.exports.placing import build_trees, disk_errors, put, tell_chunk, write_chunk
from orchestrator.content.exports.planning import ExportPlan, PlannedChunk
from orchestrator.content.exports.progress import Progress
from orchestrator.content.exports.unfinished import Done
from orchestrator.content.pool import hash_file
from orchestrator.content.workspace import Workspace


def lost_chunks(plan: ExportPlan, place: Path) -> list[int]:
    """The chunks whose files are not there, or have a size that they cannot have. A look: nothing is hashed."""
    return [each.number for each in plan.chunks if not _looks_whole(plan, each, place)]


def _looks_whole(plan: ExportPlan, chunk: PlannedChunk, place: Path) -> bool:
    try:
        size = (place / chunk.file_name).lstat().st_size
    except OSError:
        return False
    return 0 < size <= chunk.size if plan.manifest.format == "tgz" else size == chunk.size


def mend(workspace: Workspace, plan: ExportPlan, place: Path, numbers: Collection[int]) -> dict[str, Done]:
    """Make these chunks (of a `dir` export: its trees) again, and what stands beside them. What was there is replaced
    when the new bytes are on the disk."""
    with disk_errors(place):
        if plan.manifest.format == "dir":
            put(place, build_trees(workspace, plan, place))
            return {}
        made = _write(workspace, plan, place, [each for each in plan.chunks if each.number in numbers])
        known = _known(place)
        done = {
            each.file_name: made.get(each.file_name) or _as_it_is(place, each, known) for each in plan.chunks
        }
        put(place, beside.of_chunks(plan, done))
        return done


def _write(
    workspace: Workspace, plan: ExportPlan, place: Path, due: Sequence[PlannedChunk]
) -> dict[str, Done]:
    subject = subject_text(plan.manifest.subject)
    progress = Progress(workspace, subject, len(due), sum(each.bytes for each in due))
    made = {}
    for chunk in due:
        workspace.check_stop()
        path = place / chunk.file_name
        made[chunk.file_name] = write_chunk(workspace, chunk, plan.manifest.format, path, progress)
        progress.chunk_done()
        tell_chunk(workspace, plan, chunk, made[chunk.file_name])
    return made


def _known(place: Path) -> dict[str, str]:
    """What SHA256SUMS says."""
    try:
        lines = (place / SUMS).read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: sha256 for sha256, _, name in (line.partition("  ") for line in lines) if len(sha256) == 64}


def _as_it_is(place: Path, chunk: PlannedChunk, known: dict[str, str]) -> Done:
    """A chunk that was left alone; one that is lost has a digest that says so to whoever checks it."""
    path = place / chunk.file_name
    if chunk.file_name in known:
        return Done(chunk.size, known[chunk.file_name])
    try:
        sha256, size = hash_file(path)
    except OSError:
        return Done(chunk.size, "0" * 64)
    return Done(size, sha256)
