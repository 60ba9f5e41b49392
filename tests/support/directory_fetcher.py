# SPDX-License-Identifier: GPL-3.0-or-later
"""A fetcher over a local directory: what the formats are tested with where the network is not the point.

It is honest: conditional requests by content, size and digest of every file checked, bytes into the pool.
A test changes the directory, or says how single paths are answered, or what happens before one is.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.content.fetching import Brought, Ending, EntryReply, Wanted
from orchestrator.content.model import FileRef, StoredFile, Validators
from orchestrator.content.pool import Pool


@dataclass
class DirectoryFetcher:
    """`asked`: every path that went to the upstream, in order (an entry file's and those of `bring`).
    `answers`: endings of paths that fail whatever the directory holds. `before`: called once, before the
    path is answered for the first time (to change the upstream in the middle of a reading)."""

    root: Path
    pool: Pool
    base: str = "http://upstream.test/"
    asked: list[str] = field(default_factory=list)
    answers: dict[str, Ending] = field(default_factory=dict)
    before: dict[str, Callable[[], None]] = field(default_factory=dict)

    def entry(self, path: str, known: Validators | None, limit: int) -> EntryReply:
        url = self.base + path
        ending, data = self._ask(path)
        if ending is not Ending.DONE:
            return EntryReply(ending, url, why=f"it is {ending}")
        if len(data) > limit:
            return EntryReply(Ending.WRONG_CONTENT, url, why=f"it is larger than {limit} bytes")
        validators = Validators(etag=hashlib.sha256(data).hexdigest()[:16])
        if known is not None and known.etag == validators.etag:
            return EntryReply(Ending.NOT_MODIFIED, url, validators=validators)
        return EntryReply(Ending.DONE, url, data, validators)

    def bring(self, wanted: Sequence[Wanted]) -> list[Brought]:
        return [self._bring(one) for one in wanted]

    def _bring(self, wanted: Wanted) -> Brought:
        path, size, digest = wanted.file
        sha256 = self.pool.alias(digest) if digest else None
        held = self.pool.size(sha256) if sha256 else None
        if sha256 and held is not None and size in (None, held):
            return Brought(wanted, Ending.DONE, StoredFile(path, held, sha256, wanted.role))
        last = Brought(wanted, Ending.NOT_FOUND)
        for place in wanted.paths or (path,):
            ending, data = self._ask(place)
            why = f"it is {ending}"
            if ending is Ending.DONE:
                why = _wrong(wanted.file, data)
                if not why:
                    return Brought(wanted, ending, self._store(wanted, data), url=self.base + place)
                ending = Ending.WRONG_CONTENT
            last = Brought(wanted, ending, None, why, self.base + place)
        return last

    def _store(self, wanted: Wanted, data: bytes) -> StoredFile:
        sha256 = self.pool.add_bytes(data)
        if wanted.file.digest:
            self.pool.remember(wanted.file.digest, sha256)
        return StoredFile(wanted.file.path, len(data), sha256, wanted.role)

    def _ask(self, path: str) -> tuple[Ending, bytes]:
        self.before.pop(path, lambda: None)()
        self.asked.append(path)
        if path in self.answers:
            return self.answers[path], b""
        try:
            return Ending.DONE, (self.root / path).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return Ending.NOT_FOUND, b""


def _wrong(file: FileRef, data: bytes) -> str:
    if file.size is not None and len(data) != file.size:
        return f"it has {len(data)} bytes instead of {file.size}"
    if file.digest and hashlib.new(file.digest.algorithm, data).hexdigest() != file.digest.value:
        return f"its {file.digest.algorithm} is not {file.digest.value}"
    return ""
