# SPDX-License-Identifier: GPL-3.0-or-later
"""An export that becomes a directory: put together in `.<id>.partial`, and there at once by one rename.

Each chunk is written under another name, is on the disk, gets its own, and is noted; so the same command goes on at
the next one. What was noted is hashed again before it is believed.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrator.content.catalog.exports import ExportRecord
from orchestrator.content.events import Name
from orchestrator.content.exports import beside, directory, places, records
from orchestrator.content.exports.formats import writer_of
from orchestrator.content.exports.front import Front
from orchestrator.content.exports.manifest import MANIFEST, ExportFormat
from orchestrator.content.exports.media import SmallFile
from orchestrator.content.exports.outcome import subject_text
from orchestrator.content.exports.planning import ExportPlan, PlannedChunk
from orchestrator.content.exports.progress import Progress
from orchestrator.content.exports.sinks import FileSink
from orchestrator.content.exports.unfinished import Done, Unfinished
from orchestrator.content.model import StoredFile
from orchestrator.content.pool import make_public_directory
from orchestrator.content.workspace import Workspace
from orchestrator.host.files import fsync_directory, replace_file, sync_file_system
from orchestrator.host.refusals import refused_by_system

CONTENT = "content"
_READABLE = 0o644


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """What the system refuses at `place`, in the user's terms. Raises StateUnwritable, NotPermitted."""
    try:
        yield
    except OSError as error:
        raise refused_by_system(error, place, "the chunks that are done are kept") from error


def write_chunk(
    workspace: Workspace,
    chunk: PlannedChunk,
    format_: ExportFormat,
    path: Path,
    tell: Callable[[int], None],
) -> Done:
    """Make `path` a chunk, on the disk. Cut off, but by a kill, it leaves nothing."""
    with FileSink(path) as sink:
        writer_of(format_).write(chunk.medium(), sink, workspace.pool.object, tell)
    path.chmod(_READABLE)
    return Done(sink.size, sink.sha256)


def tell_chunk(workspace: Workspace, plan: ExportPlan, chunk: PlannedChunk, done: Done) -> None:
    workspace.tell(
        Name.CHUNK,
        subject_text(plan.manifest.subject),
        export=plan.manifest.id,
        number=chunk.number,
        chunks=chunk.of,
        file=chunk.file_name,
        bytes=done.size,
        sha256=done.sha256,
    )


def build_trees(workspace: Workspace, plan: ExportPlan, place: Path) -> tuple[SmallFile, ...]:
    """Make the trees of a `dir` export, below `place`/content; what is to stand beside them."""
    # With what belongs beside them, for the lists are long: they are read once for both.
    files = [
        StoredFile(f"{tree.place.removeprefix(CONTENT + '/')}/{path}", size, sha256, role)
        for tree in plan.trees
        for path, size, sha256, role in plan.files_of(tree)
    ]
    total = sum(file.size for file in files)
    progress = Progress(workspace, subject_text(plan.manifest.subject), 0, total)
    directory.build(place / CONTENT, workspace.pool, files, progress)
    front = Front(plan.manifest, plan.manifest_bytes, plan.signature, plan.inventories)
    return front.of_directory((CONTENT, file) for file in files)


def put(place: Path, files: Sequence[SmallFile]) -> None:
    """What stands beside chunks or trees, on the disk with all else in `place`: the manifest last."""
    *others, last = sorted(files, key=lambda file: file.path == MANIFEST)
    for file in others:
        path = place / file.path
        make_public_directory(path.parent)
        replace_file(path, file.data, durable=False)
        path.chmod(_READABLE)
    sync_file_system(place)
    replace_file(place / last.path, last.data)
    (place / last.path).chmod(_READABLE)


class Placing:
    """What the plan says, at `record.place`. To be worked with under the lock of its line."""

    def __init__(self, workspace: Workspace, plan: ExportPlan, place: Path) -> None:
        self._workspace, self._plan = workspace, plan
        self._subject = subject_text(plan.manifest.subject)
        self.partial = places.partial_directory(place, plan.manifest.id)
        self._notes = Unfinished(self.partial)
        self._front: tuple[SmallFile, ...] = ()

    def begin(self) -> None:
        make_public_directory(self.partial.parent)
        self._notes.begin()

    @property
    def done(self) -> dict[str, Done]:
        """The chunks' files that are there, as they were noted."""
        return self._notes.done

    def check(self) -> None:
        """Believe of the notes what is true: every byte of the chunks that are done is hashed again."""
        noted = self._notes.done
        if noted:
            self._workspace.tell(Name.CHECKING, self._subject, files=len(noted))
        for name in noted:
            self._workspace.check_stop()
            if not self._notes.is_intact(name):
                self._workspace.tell(
                    Name.WARNING, self._subject, text=f"{name} is not as it was written: it is made again"
                )
                self._notes.forget(name)

    def write(self, only: int = 0) -> bool:
        """Make what is not done yet, or just the chunk `only`; whether all is done then. Raises Interrupted between
        two blocks when somebody asked to stop; BadContent; StateUnwritable, NotPermitted."""
        with disk_errors(self.partial):
            if self._plan.manifest.format == "dir":
                self._front = build_trees(self._workspace, self._plan, self.partial)
                return True
            due = [
                each
                for each in self._plan.chunks
                if each.file_name not in self._notes.done and only in (0, each.number)
            ]
            progress = Progress(self._workspace, self._subject, len(due), sum(each.bytes for each in due))
            for chunk in due:
                self._workspace.check_stop()
                path = self.partial / chunk.file_name
                done = write_chunk(self._workspace, chunk, self._plan.manifest.format, path, progress)
                self._notes.note(chunk.file_name, done)
                progress.chunk_done()
                tell_chunk(self._workspace, self._plan, chunk, done)
            return len(self._notes.done) == len(self._plan.chunks)

    def finish(self, record: ExportRecord) -> ExportRecord:
        """Let it appear, whole and on the disk; the record is complete."""
        with disk_errors(self.partial):
            put(self.partial, self._front or beside.of_chunks(self._plan, self._notes.done))
            place = Path(record.place)
            if place.exists() or place.is_symlink():
                place = places.free_name(place.parent, place.name)
                record = records.move(self._workspace, record, str(place))
            os.rename(self.partial, place)
            fsync_directory(place.parent)
            Unfinished(place).end()  # before the record: nobody comes back to one that is complete
            return records.complete(self._workspace, record)
