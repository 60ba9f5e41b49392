# SPDX-License-Identifier: GPL-3.0-or-later
"""An import that goes on, on the disk: what the next run, and the garbage collection, must know of it.

root/imports/lock                     one import at a time
root/imports/<export>/manifest.json   with manifest.sig: verified when the first medium came
root/imports/<export>/inventories/    keep what has come, and what will come, in the pool
root/imports/<export>/chunks/         which objects are on which medium
root/imports/<export>/segments/       objects that are larger than a medium, as far as they have come
root/imports/<export>/going-on.json   the organization it goes into
root/imports/<export>/switches.json   what is to be shown all at once, noted before the first of it is
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orchestrator.content.exports import manifest as manifests
from orchestrator.content.exports.manifest import (
    MANIFEST,
    SIGNATURE,
    index_place,
    inventory_place,
)
from orchestrator.content.imports.survey import FoundExport
from orchestrator.content.pool import make_public_directory
from orchestrator.content.publication import awaiting
from orchestrator.content.publication.locks import pool_in_use
from orchestrator.errors import BadContent, Busy
from orchestrator.host import clock, files

_ID = re.compile(r"[0-9a-f]{32}")
_GOING_ON, _SWITCHES = "going-on.json", "switches.json"


class ImportState:
    """What is kept of the import of `export` below `root`. Nothing is made before `begin`."""

    def __init__(self, root: Path, export: str) -> None:
        self.export = export
        self.path = awaiting.directory(root) / export

    @property
    def segments(self) -> Path:
        return self.path / "segments"

    def begin(self, found: FoundExport, organization: str, *, all_or_nothing: bool) -> None:
        """Keep all that is known of it, durably; what is kept already stays."""
        make_public_directory(self.path)
        kept = {inventory_place(digest): data for digest, data in found.lists.items()}
        for chunk in found.manifest.chunks:
            if chunk.number in found.indexes:
                kept[index_place(chunk.number)] = found.indexes[chunk.number]
        kept |= {MANIFEST: found.document, SIGNATURE: found.signature}
        for place, data in kept.items():
            path = self.path / place
            if not path.exists():
                make_public_directory(path.parent)
                files.replace_file(path, data, durable=False)
        files.sync_file_system(self.path)
        said = {"organization": organization, "all_or_nothing": all_or_nothing or self.all_or_nothing}
        files.replace_json(self.path / _GOING_ON, said)

    def _said(self, key: str) -> Any:
        found = files.read_json(self.path / _GOING_ON)
        return found.get(key) if isinstance(found, dict) else None

    @property
    def organization(self) -> str:
        """That it goes into; "" when nothing is kept of it."""
        return str(self._said("organization") or "")

    @property
    def all_or_nothing(self) -> bool:
        return bool(self._said("all_or_nothing"))

    def export_found(self) -> FoundExport | None:
        """The export as it is known here, without a medium; None when what is kept of it is damaged."""
        try:
            document, signature = (self.path / MANIFEST).read_bytes(), (self.path / SIGNATURE).read_bytes()
            found = FoundExport(manifests.from_bytes(document, str(self.path)), document, signature)
            for chunk in found.manifest.chunks:
                path = self.path / index_place(chunk.number)
                data = path.read_bytes() if path.exists() else b""
                if hashlib.sha256(data).hexdigest() == chunk.index:
                    found.indexes[chunk.number] = data
        except (FileNotFoundError, BadContent):
            return None
        for digest in found.lists_wanted():
            listed = self.inventory(digest)
            if listed is not None:
                found.lists[digest] = listed
        return found

    def inventory(self, digest: str) -> bytes | None:
        """The list of this digest, if it is kept and whole."""
        try:
            data = (self.path / inventory_place(digest)).read_bytes()
        except FileNotFoundError:
            return None
        return data if hashlib.sha256(data).hexdigest() == digest else None

    def note_switches(self, switches: list[dict[str, Any]]) -> None:
        files.replace_json(self.path / _SWITCHES, switches)

    def switches(self) -> list[dict[str, Any]]:
        found = files.read_json(self.path / _SWITCHES)
        return found if isinstance(found, list) else []

    def forget_switches(self) -> None:
        (self.path / _SWITCHES).unlink(missing_ok=True)

    def remove(self) -> None:
        """Forget it, first that it goes on; what a crash leaves of it the next `sweep` removes."""
        if self.path.is_dir():
            (self.path / _GOING_ON).unlink(missing_ok=True)
            files.fsync_directory(self.path)
            files.remove_directory(self.path)


def going_on(root: Path) -> list[ImportState]:
    """The imports that go on."""
    found = [ImportState(root, name) for name in _names(root)]
    return [state for state in found if state.organization]


def _names(root: Path) -> list[str]:
    directory = awaiting.directory(root)
    if not directory.is_dir():
        return []
    return sorted(path.name for path in directory.iterdir() if _ID.fullmatch(path.name))


def sweep(root: Path) -> None:
    """Remove what is left of imports that ended while it was removed, or before they began."""
    for state in (ImportState(root, name) for name in _names(root)):
        if not state.organization:
            files.remove_directory(state.path)


@contextlib.contextmanager
def alone(root: Path, wait: float) -> Iterator[None]:
    """Be the only import, and keep others from removing files of the pool. Raises Busy after `wait` seconds."""
    directory = awaiting.directory(root)
    make_public_directory(directory)
    lock = files.FileLock(directory / "lock")
    until = clock.monotonic() + wait
    while not lock.try_acquire():
        if clock.monotonic() >= until:
            raise _busy(lock.path)
        clock.sleep(0.1)
    with lock, pool_in_use(root):
        lock.describe({"pid": os.getpid(), "since": clock.timestamp()})
        sweep(root)
        yield


def _busy(path: Path) -> Busy:
    holder = files.read_json(path)
    who = f"pid {holder['pid']}, since {holder['since']}" if isinstance(holder, dict) else "just started"
    return Busy(f"another import is at work ({who})", hint="try again when it is through, or --wait-lock 1h")
