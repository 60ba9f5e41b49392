# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact sets of files by the digest of their list: what a snapshot is, what an export sends, what a receipt confirms.

    root/inventories/<aa>/<sha256>      the list (the form of `publication.inventory`, without lingering files)

Equal sets have equal digests, on every server: the list is sorted and holds nothing but digests, sizes and paths.
"""

import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from orchestrator.content.model import StoredFile
from orchestrator.content.pool import make_public_directory
from orchestrator.content.publication.inventory import Inventory, from_bytes, make_inventory, to_bytes
from orchestrator.errors import BadContent, Refused
from orchestrator.host.files import replace_file


def list_bytes(files: Iterable[StoredFile]) -> bytes:
    """The list of an exact set. Raises BadContent for paths that lead out of it, and two files at one place."""
    return to_bytes(make_inventory(files, [], lambda _: False))


def digest_of(listed: bytes) -> str:
    return hashlib.sha256(listed).hexdigest()


def read_list(listed: bytes, name: str) -> Sequence[StoredFile]:
    """The files of a list that may be anybody's. Raises BadContent, naming `name`, for what is not in its normal
    form: only one list has the digest of a set."""
    own = from_bytes(listed, name).own
    try:
        make_inventory(own, [], lambda _: False)
    except BadContent as error:
        raise BadContent(f"{name}: {error.message}") from None
    if any(file.path >= after.path for file, after in pairwise(own)):
        raise BadContent(f"{name}: its files are not sorted, or one is there twice")
    return own


def each_file(listed: bytes) -> Iterator[StoredFile]:
    """The files of a list that is one (its digest was checked), one after the other, in little memory."""
    for line in io.BytesIO(listed):
        if line[:1] != b"#":
            sha256, size, path = os.fsdecode(line[:-1]).split(" ", 2)
            yield StoredFile(path, int(size), sha256)


class Inventories:
    """The lists that this server knows."""

    def __init__(self, root: Path) -> None:
        self._root = root / "inventories"

    def path(self, digest: str) -> Path:
        return self._root / digest[:2] / digest

    def keep(self, files: Sequence[StoredFile]) -> str:
        """Its digest; the list is on the disk. `files` are of a tree that was published: sorted and checked."""
        listed = to_bytes(Inventory(files))
        digest = digest_of(listed)
        path = self.path(digest)
        if not path.exists():
            make_public_directory(path.parent)
            replace_file(path, listed)
        return digest

    def forget(self, digest: str) -> None:
        self.path(digest).unlink(missing_ok=True)

    def knows(self, digest: str) -> bool:
        return self.path(digest).exists()

    def read(self, digest: str) -> Sequence[StoredFile]:
        """Raises Refused when it is not known here, BadContent when it is damaged."""
        try:
            listed = self.path(digest).read_bytes()
        except FileNotFoundError:
            raise Refused(f"the inventory {digest[:12]} is not known here") from None
        return from_bytes(listed, str(self.path(digest))).own
