# SPDX-License-Identifier: GPL-3.0-or-later
"""An export that is handed over: to standard output, by HTTP PUT, or a chunk at a time into somebody's directory.

What was handed over is out of our sight; that it was is noted below <exports>/.handed/ until all of it is. Then the
export is complete: history goes on from it. An upload ends with README.txt, SHA256SUMS, the signature and, last, the
manifest, so that whoever finds the manifest finds the rest.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from orchestrator.content.catalog.exports import ExportRecord
from orchestrator.content.exports import beside, places, records
from orchestrator.content.exports.formats import writer_of
from orchestrator.content.exports.media import SmallFile
from orchestrator.content.exports.outcome import subject_text
from orchestrator.content.exports.placing import disk_errors, tell_chunk, write_chunk
from orchestrator.content.exports.planning import ExportPlan, PlannedChunk
from orchestrator.content.exports.progress import Progress
from orchestrator.content.exports.unfinished import Done, Unfinished
from orchestrator.content.workspace import Workspace

STANDARD_OUTPUT = "-"


class Receiver(Protocol):
    """Who takes chunks."""

    def take(self, chunk: PlannedChunk, plan: ExportPlan, tell: Callable[[int], None]) -> Done:
        """All of it, or an exception."""

    def end(self, files: Sequence[SmallFile]) -> None:
        """What stands beside the chunks, in this order, where there is a beside."""


class Output:
    """Standard output: the bytes of a chunk, and nothing else."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def take(self, chunk: PlannedChunk, plan: ExportPlan, tell: Callable[[int], None]) -> Done:
        from orchestrator.content.exports.sinks import StdoutSink

        with StdoutSink() as sink:
            writer_of(plan.manifest.format).write(chunk.medium(), sink, self._workspace.pool.object, tell)
        return Done(sink.size, "")

    def end(self, files: Sequence[SmallFile]) -> None:
        pass


class Files:
    """A directory that a chunk at a time is put into, and taken away from."""

    def __init__(self, workspace: Workspace, directory: Path) -> None:
        self._workspace, self._directory = workspace, directory

    def take(self, chunk: PlannedChunk, plan: ExportPlan, tell: Callable[[int], None]) -> Done:
        path = self._directory / chunk.file_name
        return write_chunk(self._workspace, chunk, plan.manifest.format, path, tell)

    def end(self, files: Sequence[SmallFile]) -> None:
        pass


class Server:
    """Below an address, by PUT. `netrc` is a file with who we are there."""

    def __init__(self, workspace: Workspace, url: str, netrc: Path | None) -> None:
        self._workspace, self._url, self._netrc = workspace, url.rstrip("/"), netrc

    def take(self, chunk: PlannedChunk, plan: ExportPlan, tell: Callable[[int], None]) -> Done:
        raise NotImplementedError

    def end(self, files: Sequence[SmallFile]) -> None:
        raise NotImplementedError


class Handing:
    """The chunks of a plan to `where`, through `receiver`. To be worked with under the lock of its line."""

    def __init__(self, workspace: Workspace, plan: ExportPlan, where: str, receiver: Receiver) -> None:
        self._workspace, self._plan, self._receiver = workspace, plan, receiver
        self._subject = subject_text(plan.manifest.subject)
        self._notes = Unfinished(places.handed_directory(workspace.settings.exports, plan.manifest.id, where))

    @property
    def done(self) -> dict[str, Done]:
        return self._notes.done

    def begin(self) -> None:
        self._notes.begin()

    def send_once(self, number: int) -> dict[str, Done]:
        """One chunk, of an export that is complete somewhere: nothing is noted."""
        return self._send([each for each in self._plan.chunks if each.number == number], note=False)

    def send(self, only: int) -> bool:
        """What was not handed over yet, or just the chunk `only`; whether all is then."""
        due = [
            each
            for each in self._plan.chunks
            if (each.number == only if only else each.file_name not in self._notes.done)
        ]
        self._send(due, note=True)
        return len(self._notes.done) == len(self._plan.chunks)

    def _send(self, due: Sequence[PlannedChunk], *, note: bool) -> dict[str, Done]:
        progress = Progress(self._workspace, self._subject, len(due), sum(each.bytes for each in due))
        sent = {}
        with disk_errors(self._notes.directory):
            for chunk in due:
                self._workspace.check_stop()
                done = sent[chunk.file_name] = self._receiver.take(chunk, self._plan, progress)
                if note:
                    self._notes.note(chunk.file_name, done)
                progress.chunk_done()
                tell_chunk(self._workspace, self._plan, chunk, done)
        return sent

    def finish(self, record: ExportRecord) -> ExportRecord:
        with disk_errors(self._notes.directory):
            self._receiver.end(beside.of_chunks(self._plan, self._notes.done))
            if record.state == "partial":
                record = records.complete(self._workspace, record)
            self._notes.remove()
        return record
