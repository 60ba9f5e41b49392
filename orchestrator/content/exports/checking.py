# SPDX-License-Identifier: GPL-3.0-or-later
"""An export against its manifest: the signature, the checksums beside it, every byte of every object on every medium.

The manifest is believed when its signature fits, or when it is the one in our record; of everything else just what
the manifest vouches for.
"""

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.content import signing
from orchestrator.content.catalog.exports import ExportRecord
from orchestrator.content.events import Name
from orchestrator.content.exports import manifest as manifests
from orchestrator.content.exports import records
from orchestrator.content.exports.manifest import MANIFEST, SIGNATURE, SUMS, Manifest
from orchestrator.content.exports.media import MediumReader
from orchestrator.content.exports.medium_checking import Damage, MediaCheck
from orchestrator.content.exports.outcome import subject_text
from orchestrator.content.exports.planning import label_of
from orchestrator.content.exports.progress import Progress
from orchestrator.content.exports.tree_checking import TreesCheck
from orchestrator.content.pool import hash_file
from orchestrator.content.workspace import Workspace
from orchestrator.errors import BadContent, Invalid, Refused

_SUFFIXES = (".tar", ".tgz", ".iso")
_NUMBER = re.compile(r"-0*(\d{1,9})of\d+\.")


@dataclass(frozen=True, slots=True)
class Verification:
    """`number` is that of the record (0: it is not ours), `signer` who signed the manifest; `objects` and `bytes` were
    hashed. `notes` are no damage."""

    place: str
    manifest: Manifest
    number: int
    objects: int
    bytes: int
    damaged: tuple[Damage, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.damaged

    @property
    def chunks(self) -> tuple[int, ...]:
        """The numbers of damaged ones."""
        return tuple(sorted({each.chunk for each in self.damaged if each.chunk}))

    def to_json(self) -> dict[str, Any]:
        return {
            "place": self.place,
            "export": self.manifest.id,
            "number": self.number,
            "ok": self.ok,
            "objects": self.objects,
            "bytes": self.bytes,
            "signer": self.manifest.signer,
            "damaged": [{"chunk": each.chunk, "file": each.file, "what": each.what} for each in self.damaged],
            "notes": list(self.notes),
        }


def verify(workspace: Workspace, name: str, trust: Sequence[Path] = ()) -> Verification:
    """Verify an export by number or id, or whatever export is at a path: a directory of one, or one medium. `trust` are
    files of public keys that are trusted beside our own and those that imports trust.

    Raises Refused for an export that there is not, that is not finished, not to be reached, or signed by nobody who
    is trusted; BadContent for what is no export, and for a signature that does not fit.
    """
    record = None if _is_path(name) else records.find(workspace, name)
    place = Path(name) if record is None else _place_of(record)
    return _Check(workspace, place, record, trust).verify()


def _is_path(name: str) -> bool:
    return "/" in name or name.endswith(_SUFFIXES) or Path(name).is_dir()


def _place_of(record: ExportRecord) -> Path:
    if record.state == "partial":
        raise Refused(
            f"the export {record.number} is not finished",
            hint="the command that began it goes on; orchestrator export list",
        )
    if not record.place.startswith("/"):
        raise Refused(f"the export {record.number} went to {record.place}: it cannot be seen from here")
    place = Path(record.place)
    if not place.is_dir():
        raise Refused(
            f"{place} is not there (any more)",
            hint=f"orchestrator export again {record.number} makes it once more; delete forgets it",
        )
    return place


@dataclass
class _Check:
    workspace: Workspace
    place: Path
    record: ExportRecord | None
    trust: Sequence[Path]
    notes: list[str] = field(default_factory=list)

    def verify(self) -> Verification:
        damaged: list[Damage] = []
        document, signature = self._sealed(damaged)
        manifest = manifests.from_bytes(document, f"the manifest of {self.place}")
        signature = signature if self._signed(document, signature, damaged) else b""
        chunks = self._chunks(manifest)
        self.workspace.tell(
            Name.CHECKING, subject_text(manifest.subject), files=len(chunks) or manifest.objects
        )
        progress = Progress(
            self.workspace, subject_text(manifest.subject), len(chunks), _bytes(manifest, chunks)
        )
        if manifest.format == "dir":
            trees = TreesCheck(self.place, manifest, self.workspace.pool, progress)
            damaged += trees.check(self.workspace.common.threads)
            return self._result(manifest, trees.objects, trees.bytes, damaged)
        media = MediaCheck(manifest, (document, signature), progress)
        sums = self._sums(damaged)
        for number, path in chunks:
            damaged += self._chunk(media, number, path, sums)
            progress.chunk_done()
        return self._result(manifest, media.objects, media.bytes, damaged)

    def _result(self, manifest: Manifest, objects: int, size: int, damaged: list[Damage]) -> Verification:
        number = self.record.number if self.record else 0
        return Verification(
            str(self.place), manifest, number, objects, size, tuple(damaged), tuple(self.notes)
        )

    def _sealed(self, damaged: list[Damage]) -> tuple[bytes, bytes]:
        """The manifest that is believed, once its signature fits, and that."""
        if self.place.is_file():
            return self._sealed_in(self.place)
        found = {path: _read(self.place / path) for path in (MANIFEST, SIGNATURE)}
        if self.record is None:
            if not found[MANIFEST]:
                raise BadContent(f"{self.place} is no export: it has no {MANIFEST}")
            return found[MANIFEST], found[SIGNATURE]
        ours = self.record.manifest.encode()
        if found[MANIFEST] != ours:
            damaged.append(Damage(0, MANIFEST, "is missing" if not found[MANIFEST] else "is damaged"))
        return ours, found[SIGNATURE]

    def _sealed_in(self, path: Path) -> tuple[bytes, bytes]:
        from orchestrator.content.imports.medium import Medium

        with closing(Medium(_reader(path, path.suffix.removeprefix(".")))) as medium:
            return medium.sealed()

    def _signed(self, document: bytes, signature: bytes, damaged: list[Damage]) -> bool:
        """Whether nothing speaks against the signature."""
        try:
            self._check_signature(document, signature)
        except BadContent as error:
            if self.record is None:
                raise
            damaged.append(Damage(0, SIGNATURE, f"does not fit: {error.message}"))
            return False
        except Refused as error:
            if self.record is None:
                raise
            self.notes.append(f"{error.message}: the manifest is the one in our record")
        return True

    def _check_signature(self, document: bytes, signature: bytes) -> None:
        """Raises Refused when nobody trusts the signer, BadContent when it is not his signature."""
        name, own = f"the manifest of {self.place}", self._own_key()
        if own is not None and own.fits(signature, document):
            return
        if own is not None and manifests.from_bytes(document, name).signer == own.id:
            raise BadContent(f"{name} was changed after it was signed, or its signature was")
        trusted = signing.Trusted(self.workspace.settings.trusted)
        signing.verify(document, signature, trusted, self.trust, name=name)

    def _own_key(self) -> signing.PublicKey | None:
        path = self.workspace.settings.key_file
        return signing.load_key(path).public if path.exists() else None

    def _chunks(self, manifest: Manifest) -> list[tuple[int, Path]]:
        """Of a directory all chunks, there or not; of one medium that."""
        if manifest.format == "dir":
            return []
        if self.place.is_file():
            found = _NUMBER.search(self.place.name)
            number = int(found[1]) if found else 1
            if number > len(manifest.chunks) or (found is None and len(manifest.chunks) > 1):
                raise Invalid(f"which chunk is {self.place}?", hint="give it its name back: ...-1of2.tar")
            return [(number, self.place)]
        return [
            (each.number, self.place / chunk_file_name(manifest, each.number)) for each in manifest.chunks
        ]

    def _sums(self, damaged: list[Damage]) -> dict[str, str]:
        if self.place.is_file():
            return {}
        lines = _read(self.place / SUMS).decode(errors="replace").splitlines()
        if not lines:
            damaged.append(Damage(0, SUMS, "is missing, or empty"))
        return {name: sha256 for sha256, _, name in (line.partition("  ") for line in lines)}

    def _chunk(self, media: MediaCheck, number: int, path: Path, sums: dict[str, str]) -> list[Damage]:
        self.workspace.check_stop()
        try:
            with closing(_reader(path, path.suffix.removeprefix("."))) as reader:
                damaged = media.check(reader, number)
            if sums and hash_file(path)[0] != sums.get(path.name):
                damaged.append(Damage(number, path.name, f"has not the digest that {SUMS} names"))
        except OSError as error:
            return [Damage(number, path.name, f"cannot be read: {error.strerror or error}")]
        return damaged


def chunk_file_name(manifest: Manifest, number: int) -> str:
    """As the plan has it."""
    of = len(manifest.chunks)
    return f"{label_of(manifest)}-{number:0{len(str(of))}}of{of}.{manifest.format}"


def _bytes(manifest: Manifest, chunks: Sequence[tuple[int, Path]]) -> int:
    numbers = {number for number, _ in chunks}
    if manifest.format == "dir":
        return manifest.bytes
    return sum(each.bytes for each in manifest.chunks if each.number in numbers)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _reader(path: Path, format_: str) -> MediumReader:
    match format_:
        case "tar":
            from orchestrator.content.imports.tar_reader import TarReader

            return TarReader(path)
        case "tgz":
            from orchestrator.content.imports.tar_reader import TgzReader

            return TgzReader(path)
        case "iso":
            from orchestrator.content.imports.iso_reader import IsoReader

            return IsoReader(path)
    raise Invalid(
        f"{path} is no medium of an export", hint="give the directory of an export, or a .tar, .tgz or .iso"
    )
