# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at places that are to give content: which repositories they hold, and whether they are exports. Nothing is
brought in by it."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from orchestrator.content.exports import manifest as manifests
from orchestrator.content.exports.manifest import Manifest
from orchestrator.content.fetching import Ending
from orchestrator.content.source import Source
from orchestrator.content.transfer.addresses import quoted
from orchestrator.content.transfer.engine import Transfer
from orchestrator.content.transfer.requests import Request, Result
from orchestrator.content.upstreams import parents
from orchestrator.content.workspace import Workspace
from orchestrator.errors import BadContent, Interrupted, Refused, TransferFailed

# Bytes of the largest entry file, and of the largest manifest, that is looked at.
_ENTRY, _MANIFEST = 64 << 20, 16 << 20
# So many levels above a place its export is looked for.
_LEVELS = 6
_RELEASE = re.compile(rb"^(?:SHA256|SHA512|SHA1|MD5Sum|Suite|Codename|Origin|Date):", re.MULTILINE)
_ABSENT = (Ending.NOT_FOUND, Ending.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class Found:
    """What of a repository's parts one address holds: entry files, and why the others are not."""

    address: str
    there: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return not self.missing

    def __str__(self) -> str:
        has = f"has {', '.join(self.there)}, but " if self.there else ""
        return has + "; ".join(self.missing)


@dataclass(frozen=True, slots=True)
class Export:
    """An export, by the address of its directory."""

    address: str
    manifest: Manifest


class Scout:
    """Asks places. To be used as a context manager. Its methods raise TransferFailed for one that does not answer, and
    Interrupted."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        # Somebody waits for the answer: a place that is not there is soon given up.
        patience = min(10.0, workspace.common.connect_timeout)
        common = replace(workspace.common, retries=min(1, workspace.common.retries), connect_timeout=patience)
        self._transfer = Transfer(common, stop=self._stopped)

    def _stopped(self) -> bool:
        try:
            self._workspace.check_stop()
        except Interrupted:
            return True
        return False

    def look(self, address: str, source: Source) -> Found:
        """Which entry files of the source's repositories are below this address."""
        wanted = entries(source)
        asked = [Request((address + quoted(path),), limit=_ENTRY) for paths in wanted for path in paths]
        answers = iter(self._transfer.fetch(asked))
        there, missing = [], []
        for paths in wanted:
            results = [next(answers) for _ in paths]
            found = [
                path for path, result in zip(paths, results, strict=True) if _is_entry(source.type, result)
            ]
            there += found[:1]
            if not found:
                missing.append(f"{paths[0]}: {_why(results[0])}")
        return Found(address, tuple(there), tuple(missing))

    def exports(self, address: str) -> list[Export]:
        """The exports that an address lies in, the nearest first. Raises Refused for one that cannot be read: whose
        content it holds cannot be told then."""
        places = parents(address, _LEVELS)
        answers = self._transfer.fetch([Request((p + manifests.MANIFEST,), limit=_MANIFEST) for p in places])
        found = []
        for place, result in zip(places, answers, strict=True):
            if result.ending not in (Ending.DONE, *_ABSENT):
                raise TransferFailed(f"it cannot be told whether {place} is an export: {result.why}")
            manifest = _manifest(result, place + manifests.MANIFEST)
            if manifest is not None:
                found.append(Export(place, manifest))
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transfer.close()


def entries(source: Source) -> list[tuple[str, ...]]:
    """For each repository of the source the paths of which one must be there."""
    if source.type == "deb":
        from orchestrator.content.formats.deb.layout import parse_layouts

        layouts = parse_layouts(source.repositories)
        return [(layout.path("InRelease"), layout.path("Release")) for layout in layouts]
    name = "PULP_MANIFEST" if source.type == "file" else "repodata/repomd.xml"
    return [(name if each == "." else f"{each}/{name}",) for each in source.repositories]


def _is_entry(type_: str, result: Result) -> bool:
    """Some servers have a page for everything they do not have."""
    if result.ending is not Ending.DONE:
        return False
    if type_ == "deb":
        return _RELEASE.search(result.data) is not None
    if type_ == "rpm":
        return b"repomd" in result.data[:4096]
    from orchestrator.content.formats.file import manifest

    try:
        manifest.parse(result.data, result.url)
    except BadContent:
        return False
    return True


def _why(result: Result) -> str:
    if result.ending is Ending.UNREACHABLE:
        raise TransferFailed(f"{result.url} cannot be looked at: {result.why}")
    if result.ending is Ending.DONE:
        return "something else is there"
    return result.why.rpartition(f"{result.url}: ")[2] or str(result.ending)


def _manifest(result: Result, name: str) -> Manifest | None:
    if result.ending is not Ending.DONE:
        return None
    try:
        document = json.loads(result.data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or document.get("format_name") != manifests.FORMAT:
        return None  # many programs call a file so
    try:
        return manifests.from_bytes(result.data, name)
    except BadContent as error:
        raise Refused(f"it cannot be told whose content is below {name}: {error.message}") from None


def trees_of(exports: Sequence[Export], place: str, path: str) -> list[str]:
    """Where exports that lie at `place` itself have the repository of this path."""
    return [
        tree
        for export in exports
        if export.address == place
        for entry in export.manifest.repositories
        if entry.path == path
        for tree in entry.trees
    ]
