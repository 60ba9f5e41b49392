# SPDX-License-Identifier: GPL-3.0-or-later
"""The pool: every file once, under the SHA-256 of its bytes, shared by all trees through hard links.

    root/pool/<aa>/<sha256>            whole, verified, on the disk
    root/pool/by/<algorithm>/<aa>/<digest> -> sha256     what a file is called in metadata without SHA-256
    root/incoming/<sha256>             whole and verified, perhaps not yet on the disk
    root/incoming/<sha256>.*.own       the same, where another run brings the same file just now
    root/incoming/<key>.part, .json    half a download, and what is needed to go on with it

A name in `pool/` appears only after the bytes are on the disk: what arrives waits in `incoming/` until
`settle`, which waits for the disk once for all of it (once for each 64 MiB, while more arrives). What a dead run left in `incoming/` is hashed before
it is believed. A file of an unsettled name is never replaced: another run may be waiting for the disk with it.
"""

import contextlib
import hashlib
import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from orchestrator.content.model import DIGEST_ALGORITHMS, Digest
from orchestrator.errors import BadContent
from orchestrator.host.files import make_directory, sync_file_system, write_all

_PIECE = 1 << 20
# So much is left to the disk at once, that it need not do all of its work at the end.
_BEHIND = 64 << 20
_HEX = re.compile(r"[0-9a-f]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# A web server of another user reads the trees, whatever the umask of the run.
_READABLE = 0o644


class Pool:
    """The pool below `root`; made when it is missing. Its methods may be called from several threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.objects, self.incoming = root / "pool", root / "incoming"
        for directory in (root, self.objects, self.incoming):
            make_public_directory(directory)
        # Text, and no paths put together by parts, where it is done for each of tens of thousands of files.
        self._objects, self._incoming = str(self.objects), str(self.incoming)
        self._unsettled: dict[str, tuple[str, int]] = {}
        self._prefixes: set[str] = set()
        self._guard = threading.Lock()
        self._hidden = bool(_umask() & _READABLE)
        self._since_settling = 0
        self._behind: threading.Thread | None = None
        self._failure: OSError | None = None

    def path(self, sha256: str) -> Path:
        """Where the bytes of a file that is in the pool are. Before `settle` that is not for long."""
        waiting = self._unsettled.get(sha256)
        if waiting is not None and os.path.exists(waiting[0]):
            return Path(waiting[0])
        return self.object(sha256)

    def object(self, sha256: str) -> Path:
        """Where the bytes of a settled file are, if the pool has it."""
        return Path(self._object(sha256))

    def _object(self, sha256: str) -> str:
        return f"{self._objects}/{sha256[:2]}/{sha256}"

    def size(self, sha256: str) -> int | None:
        """The size of a file in the pool; None when it is not there, or when no file can have this name. A
        look at the file system, no hashing, but for what a dead run left behind."""
        waiting = self._unsettled.get(sha256)
        if waiting is not None:
            return waiting[1]
        if not _SHA256.fullmatch(sha256):
            return None
        try:
            return os.stat(self._object(sha256)).st_size
        except FileNotFoundError:
            return self._adopt(sha256)

    def read(self, sha256: str) -> bytes:
        try:
            return self.path(sha256).read_bytes()
        except FileNotFoundError:  # settled between the two
            return self.path(sha256).read_bytes()

    def add_bytes(self, data: bytes) -> str:
        """Put a file into the pool; its SHA-256."""
        sha256 = hashlib.sha256(data).hexdigest()
        if self.size(sha256) is not None:
            return sha256
        temporary = self._own_name(sha256, "new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _READABLE)
        try:
            write_all(descriptor, data)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            error.filename = error.filename or str(temporary)
            raise
        finally:
            os.close(descriptor)
        self.adopt(temporary, sha256, len(data))
        return sha256

    def add_file(self, file: Path, sha256: str) -> None:
        """Copy a file that has this digest into the pool. Raises BadContent when it has it no more."""
        if self.size(sha256) is not None:
            return
        temporary = self._own_name(sha256, "new")
        try:
            shutil.copyfile(file, temporary)
            found, size = hash_file(temporary)
            if found != sha256:
                raise BadContent(f"{file} changed while it was read")
            self.adopt(temporary, sha256, size)
        finally:
            temporary.unlink(missing_ok=True)

    def adopt(self, file: Path | str, sha256: str, size: int) -> None:
        """Take a complete file below `incoming/`, whose bytes were hashed as they were written. It is moved."""
        if self._hidden:
            os.chmod(file, _READABLE)
        whole = f"{self._incoming}/{sha256}"
        try:
            os.link(file, whole)
        except FileExistsError:
            whole = str(self._own_name(sha256, "own"))
            os.rename(file, whole)
        else:
            os.unlink(file)
        with self._guard:
            known = self._unsettled.get(sha256, (whole, size))[0]
            if known != whole:  # two threads brought the same: the name that other runs know stays
                spare, whole = (known, whole) if known.endswith(".own") else (whole, known)
                os.unlink(spare)
            self._unsettled[sha256] = (whole, size)
            self._since_settling += size
            if self._since_settling >= _BEHIND and self._behind is None:
                self._since_settling = 0
                self._behind = threading.Thread(target=self._settle_behind, daemon=True)
                self._behind.start()

    def _settle_behind(self) -> None:
        try:
            self._settle()
        except OSError as error:
            self._failure = error
        finally:
            self._behind = None

    def temporary(self, sha256: str) -> Path:
        """A name below `incoming/` for a file that is to be adopted; no other run or thread has it."""
        return self._own_name(sha256, "new")

    def _own_name(self, sha256: str, suffix: str) -> Path:
        return self.incoming / f"{sha256}.{os.getpid()}.{threading.get_ident()}.{suffix}"

    def settle(self) -> None:
        """Wait until all that was added is on the disk, and give it its names. Raises OSError, also for what was
        settled while more arrived."""
        behind = self._behind
        if behind is not None:
            behind.join()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        self._settle()

    def _settle(self) -> None:
        with self._guard:
            waiting = {sha256: place for sha256, (place, _) in self._unsettled.items()}
        if not waiting:
            return
        sync_file_system(self.root)
        for prefix in {sha256[:2] for sha256 in waiting} - self._prefixes:
            (self.objects / prefix).mkdir(exist_ok=True)
            self._prefixes.add(prefix)
        for sha256, place in waiting.items():
            # Another run may have settled the same file that a dead one left: then it is there.
            with contextlib.suppress(FileNotFoundError):
                os.rename(place, self._object(sha256))
            with self._guard:
                self._unsettled.pop(sha256, None)

    def discard(self, sha256: str) -> None:
        """Forget a file whose bytes are damaged, so that it is brought in again. Trees keep what they have."""
        with contextlib.suppress(FileNotFoundError):
            self.object(sha256).unlink()

    def take_back(self, file: Path, sha256: str) -> bool:
        """Put a file of a tree into the pool again. False, and nothing is put there, when its bytes are not those of
        the digest: the pool believes nobody."""
        if hash_file(file)[0] != sha256:
            return False
        place = self.object(sha256)
        place.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.link(file, place)
        return True

    def alias(self, digest: Digest) -> str | None:
        """The SHA-256 of the file with this digest, as far as it was ever brought in."""
        if digest.algorithm == "sha256":
            return digest.value
        try:
            return os.readlink(self._alias(digest))
        except (OSError, ValueError):
            return None

    def remember(self, digest: Digest, sha256: str) -> None:
        """That the file `sha256` has this digest too. Raises ValueError for what is no digest."""
        if digest.algorithm == "sha256" or self.alias(digest) == sha256:
            return
        place = self._alias(digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            place.unlink()
        with contextlib.suppress(FileExistsError):
            place.symlink_to(sha256)

    def _alias(self, digest: Digest) -> Path:
        if digest.algorithm not in DIGEST_ALGORITHMS or not _HEX.fullmatch(digest.value):
            raise ValueError(f"{digest.algorithm} {digest.value!r} is not a digest")
        return self.objects / "by" / digest.algorithm / digest.value[:2] / digest.value

    def stored(self) -> Iterator[tuple[str, os.stat_result]]:
        """Every file in the pool (not what is incoming), with its status: links, size."""
        for prefix in sorted(os.listdir(self.objects)):
            if len(prefix) != 2 or not _HEX.fullmatch(prefix):
                continue
            with os.scandir(self.objects / prefix) as entries:
                for entry in entries:
                    if _SHA256.fullmatch(entry.name):
                        yield entry.name, entry.stat(follow_symlinks=False)

    def _adopt(self, sha256: str) -> int | None:
        """What a dead run left complete, if it is what its name says."""
        left = f"{self._incoming}/{sha256}"
        try:
            found, size = hash_file(left)
        except FileNotFoundError:
            return None
        if found != sha256:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(left)
            return None
        with self._guard:
            self._unsettled.setdefault(sha256, (left, size))
        return size


def _umask() -> int:
    """Of this process; there is no other way to ask."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def make_public_directory(path: Path) -> None:
    """`path` and its parents, durable; a new one is open to all readers, whatever the umask of the run."""
    if not path.is_dir():
        make_directory(path)
        path.chmod(0o755)


def hash_file(path: str | Path, algorithm: str = "sha256") -> tuple[str, int]:
    """The digest of all bytes of a file, and how many they are."""
    digest, size = hashlib.new(algorithm, usedforsecurity=False), 0
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # No more room than a small file needs: most of them are.
        piece = min(os.fstat(descriptor).st_size + 1, _PIECE)
        while data := os.read(descriptor, piece):
            digest.update(data)
            size += len(data)
    finally:
        os.close(descriptor)
    return digest.hexdigest(), size
