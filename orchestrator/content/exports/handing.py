# SPDX-License-Identifier: GPL-3.0-or-later
"""An export that is handed over: to standard output, by HTTP PUT, or a chunk at a time into somebody's directory.

What was handed over is out of our sight; that it was is noted below <exports>/.handed/ until all of it is. Then the
export is complete: history goes on from it. An upload ends with README.txt, SHA256SUMS, the signature and, last, the
manifest, so that whoever finds the manifest finds the rest.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlsplit

from orchestrator.content.catalog.exports import ExportRecord
from orchestrator.content.exports import beside, places, records
from orchestrator.content.exports.formats import writer_of
from orchestrator.content.exports.media import Sink, SmallFile
from orchestrator.content.exports.outcome import subject_text
from orchestrator.content.exports.placing import disk_errors, tell_chunk, write_chunk
from orchestrator.content.exports.planning import ExportPlan, PlannedChunk
from orchestrator.content.exports.progress import Progress
from orchestrator.content.exports.unfinished import Done, Unfinished
from orchestrator.content.source import Access
from orchestrator.content.workspace import Workspace
from orchestrator.errors import Invalid

if TYPE_CHECKING:
    from orchestrator.content.transfer.upload import UploadSink

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
    """Below an address, by PUT. `netrc` is a file with who we are there. Raises Invalid when that cannot be read, or is
    for others to read."""

    def __init__(self, workspace: Workspace, url: str, netrc: Path | None) -> None:
        if netrc is not None:
            _check_secret(netrc)
        self._workspace, self._url = workspace, url
        self._access = Access(netrc=netrc)

    def take(self, chunk: PlannedChunk, plan: ExportPlan, tell: Callable[[int], None]) -> Done:
        length = None if plan.manifest.format == "tgz" else chunk.size
        with self._sink(chunk.file_name, length) as sink:
            hashed = _Hashed(sink)
            place = self._workspace.pool.object
            writer_of(plan.manifest.format).write(chunk.medium(), hashed, place, tell)
        return Done(sink.size, hashed.digest.hexdigest())

    def end(self, files: Sequence[SmallFile]) -> None:
        for file in files:
            self._workspace.check_stop()
            with self._sink(file.path, len(file.data)) as sink:
                sink.write(file.data)

    def _sink(self, name: str, length: int | None) -> "UploadSink":
        from orchestrator.content.transfer.upload import UploadSink

        url = f"{self._url}/{quote(name)}"
        return UploadSink(url, self._access, self._workspace.common, length=length)


def _check_secret(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from None
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise Invalid(f"others may read or change {path}", hint=f"chmod 600 {path}")


class _Hashed:
    """A sink whose bytes are hashed on their way."""

    def __init__(self, sink: Sink) -> None:
        self._sink, self.digest = sink, hashlib.sha256()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.digest.update(data)
        self._sink.write(data)


def address_of(text: str) -> str:
    """An address to send to, as it is kept in the record. Raises Invalid for one with a password, which everybody
    could read there, and for one below which there is nothing."""
    try:
        parts = urlsplit(text)
    except ValueError:
        raise Invalid(f"{text} is no address") from None
    if parts.username or parts.password:
        raise Invalid(
            "an address with a password is for everybody to read", hint="put it into a file: --netrc FILE"
        )
    if not parts.hostname or parts.query or parts.fragment:
        raise Invalid(f"{text} is no address that files can be put below", hint="https://HOST/DIRECTORY")
    return text.rstrip("/")


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
