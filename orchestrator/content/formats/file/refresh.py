# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the lists of a file source up to date: one conditional request for each directory."""

import hashlib
from collections.abc import Sequence

from orchestrator.content.fetching import Ending, Fetcher
from orchestrator.content.formats.file import manifest
from orchestrator.content.formats.file.offer import base_of
from orchestrator.content.model import Metadata, StoredFile, Validators
from orchestrator.content.source import Source
from orchestrator.errors import BadContent, Invalid, TransferFailed


def refresh(source: Source, fetcher: Fetcher, held: Sequence[Metadata]) -> tuple[Metadata, ...]:
    """As `Format.refresh`. Raises Invalid when it is not said that nothing is signed."""
    if source.keys or not source.unsigned:
        raise Invalid(
            f"{source.name}: nothing signs a {manifest.ENTRY}",
            hint="say `unsigned: true` (without keys) to trust whoever can answer for its address",
        )
    known = {metadata.repository: metadata for metadata in held}
    return tuple(_refreshed(repository, fetcher, known.get(repository)) for repository in source.repositories)


def _refreshed(repository: str, fetcher: Fetcher, held: Metadata | None) -> Metadata:
    path = base_of(repository) + manifest.ENTRY
    if held is not None and fetcher.pool.size(held.entry[0].sha256) != held.entry[0].size:
        held = None
    reply = fetcher.entry(path, held.validators if held else None, manifest.LIMIT)
    if held is not None and reply.ending is Ending.NOT_MODIFIED:
        return held
    if reply.ending is not Ending.DONE:
        error = BadContent if reply.ending is Ending.WRONG_CONTENT else TransferFailed
        missing = reply.ending is Ending.NOT_FOUND
        raise error(str(reply), hint=f"a file repository has a {manifest.ENTRY}" if missing else "")
    sha256 = hashlib.sha256(reply.data).hexdigest()
    if held is not None and sha256 == held.entry[0].sha256:
        return held
    manifest.parse(reply.data, reply.url)
    fetcher.pool.add_bytes(reply.data)
    entry = StoredFile(path, len(reply.data), sha256, "manifest")
    return Metadata(repository, (entry,), (), reply.validators or Validators(), reply.url)
