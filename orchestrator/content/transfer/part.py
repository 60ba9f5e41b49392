# SPDX-License-Identifier: GPL-3.0-or-later
"""A file on its way: its bytes are hashed as they come, and enough is left behind to go on with it later.

    NAME.part    the bytes so far, locked while a process writes them
    NAME.json    where they came from, once there are many of them or the work was interrupted

Small files are written in one go, under a name of their own, when they are complete and right. What is found
of an earlier run is hashed before anything is added to it.
"""

import contextlib
import hashlib
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.content.model import Digest
from orchestrator.content.transfer.policy import Half
from orchestrator.host.files import open_alone, read_json, replace_file, write_all

# So much of a file is written at once: with many connections it is many times in memory.
_BLOCK = 512 * 1024
_WORTH_A_NOTE = 1024 * 1024
_PIECE = 1024 * 1024
_NOWHERE = Half()
_numbers = itertools.count()


class Part:
    """The bytes of one file; full blocks of them are written. Methods raise OSError."""

    def __init__(self, target: str | None, size: int | None, digest: Digest | None) -> None:
        self.have = 0
        self.half = _NOWHERE
        self.resumed = False
        self._target, self._size, self._digest = target, size, digest
        self.file = target
        self._descriptor = -1
        self._pieces: list[bytes] = []
        self._buffered = 0
        self._noted = False
        self._start_hashing()

    def _start_hashing(self) -> None:
        self._sha256 = hashlib.sha256()
        self._judge = self._sha256
        if self._digest is not None and self._digest.algorithm != "sha256":
            self._judge = hashlib.new(self._digest.algorithm, usedforsecurity=False)

    def load(self, halted: Callable[[], bool]) -> None:
        """Take what an earlier run left, if it can be of this very file."""
        if self._target is None:
            return
        try:
            self._descriptor = open_alone(self._target, create=False)
        except (FileNotFoundError, BlockingIOError):
            return
        note = read_json(self._note)
        self._noted = self._note.exists()
        size = os.fstat(self._descriptor).st_size
        if not self._may_go_on(note, size):
            self.reset()
            return
        if isinstance(note, dict):
            self.half = Half(*(str(note.get(name, "")) for name in Half._fields))
        self.resumed = size > 0
        while self.have < size and not halted():
            piece = os.pread(self._descriptor, _PIECE, self.have)
            if not piece:
                break
            self._hash(piece)
            self.have += len(piece)
        os.lseek(self._descriptor, self.have, os.SEEK_SET)

    def _may_go_on(self, note: Any, size: int) -> bool:
        if self._size is not None and size > self._size:
            return False
        if not isinstance(note, dict):
            return self._digest is not None
        return note.get("size") == self._size and note.get("digest") == self._digest_text

    @property
    def complete(self) -> bool:
        return self.have == self._size

    def write(self, data: bytes, size: int) -> None:
        """The next `size` bytes, which are `data`."""
        self.have += size
        self._pieces.append(data)
        self._buffered += size
        if self._buffered < _BLOCK or self._target is None:
            return
        noteworthy = not self._noted and self.have >= _WORTH_A_NOTE
        self._flush(noteworthy=noteworthy)

    def _store(self, pieces: list[bytes], noteworthy: bool) -> None:
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if self._descriptor < 0:
            self._create()
        self._hash(data)
        self._write(data)
        if noteworthy and not self._noted:
            self._write_note()

    def _write(self, data: bytes) -> None:
        try:
            write_all(self._descriptor, data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.file) from None

    def _flush(self, *, noteworthy: bool = False) -> None:
        pieces, self._pieces, self._buffered = self._pieces, [], 0
        self._store(pieces, noteworthy)

    def _hash(self, data: bytes) -> None:
        self._sha256.update(data)
        if self._judge is not self._sha256:
            self._judge.update(data)

    def _create(self) -> None:
        assert self._target is not None
        try:
            self._descriptor = open_alone(self._target, create=True)
        except BlockingIOError:
            self._create_own()
            return
        if os.fstat(self._descriptor).st_size:
            os.ftruncate(self._descriptor, 0)

    def _create_own(self) -> None:
        """A file of a name that nobody else uses."""
        self.file = f"{self._target}.{os.getpid()}.{next(_numbers)}"
        self._descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)

    def reset(self) -> None:
        """Forget all bytes."""
        self.have = self._buffered = 0
        self.half, self.resumed = _NOWHERE, False
        self._pieces.clear()
        self._start_hashing()
        self._remove_note()
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)

    def finish(self) -> None:
        """Everything is there: hash and write what is still in memory. What is wrong and was not written yet
        is not written any more."""
        if self._target is not None and self._descriptor >= 0:
            if self._pieces:
                self._flush()
            return
        data = b"".join(self._pieces)
        self._hash(data)
        if self._target is not None and not self.differs:
            self._create_own()
            self._write(data)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def differs(self) -> str:
        """After `finish`: why the bytes are not those of the expected digest; empty when they are."""
        if self._digest is None:
            return ""
        found = self._judge.hexdigest()
        wanted = self._digest.value.lower()
        return "" if found == wanted else f"its {self._digest.algorithm} is {found}, not {wanted}"

    @property
    def data(self) -> bytes:
        """Of a file in memory."""
        return b"".join(self._pieces) if self._target is None else b""

    def release(self) -> None:
        """Let go of a complete file; it may have another name by now."""
        self._remove_note()
        self._close()

    def keep(self) -> None:
        """Leave what is there for a later run."""
        if self._target is None or not self.have:
            self.discard()
            return
        if self._pieces:
            self._flush()
        if self.file != self._target:
            self.discard()
            return
        self._write_note()
        self._close()

    def discard(self) -> None:
        """Remove what is there."""
        self._pieces.clear()
        if self._descriptor >= 0 and self.file is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.file)
            self._remove_note()
        self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def _note(self) -> Path:
        assert self._target is not None
        return Path(self._target).with_suffix(".json")

    @property
    def _digest_text(self) -> str | None:
        return ":".join(self._digest) if self._digest else None

    def _write_note(self) -> None:
        if self.file != self._target:
            return
        note = {**self.half._asdict(), "size": self._size, "digest": self._digest_text}
        replace_file(self._note, json.dumps(note).encode(), durable=False)
        self._noted = True

    def _remove_note(self) -> None:
        if self._noted and self.file == self._target:
            with contextlib.suppress(FileNotFoundError):
                self._note.unlink()
            self._noted = False
