# SPDX-License-Identifier: GPL-3.0-or-later
"""The `dir` format: trees that clients use as they are, of hard links into the pool, or of copies elsewhere.

A link is the file of the pool itself: it takes no room, and what writes into it damages the pool and every tree
that has it (`mirror verify` and `export verify` find that). Such an export is to be read: copied, served, burnt. It
is not made read-only, because its mode is that of the published trees, too.

Where the file system is another one (or takes no links), every object is copied and hashed on the way; what an
earlier run copied stays when its bytes are those of its digest.
"""

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

from orchestrator.content.model import StoredFile
from orchestrator.content.pool import Pool, hash_file
from orchestrator.content.publication import trees
from orchestrator.errors import BadContent
from orchestrator.host.files import write_all

_PIECE = 1 << 20
# What file systems say that are not the pool's, or have no links, or let us have none of somebody else's files.
_NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)


def build(tree: Path, pool: Pool, files: Sequence[StoredFile], tell: Callable[[int], None]) -> bool:
    """Make `tree` hold just `files`; whether they are links. Not durable. `tell` is called with bytes that are there
    now; what it raises ends the work. Raises BadContent when bytes are not in the pool, not what they should be, or
    the file system cannot hold a name; OSError."""
    if _can_link(tree, pool, files):
        trees.shape(tree, pool, files)
        tell(sum(file.size for file in files))
        return True
    _sweep(tree, {file.path for file in files})
    made: set[str] = set()
    for file in files:
        _make_directories(tree, file.path.rpartition("/")[0], made)
        _copy(pool, file, f"{tree}/{file.path}", tell)
    return False


def _can_link(tree: Path, pool: Pool, files: Iterable[StoredFile]) -> bool:
    """Try it with the first file that is there."""
    trial = tree.with_name(f".{tree.name}.link")
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            trial.unlink()
        try:
            os.link(pool.object(file.sha256), trial)
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno in _NO_LINKS:
                return False
            if error.errno != errno.EMLINK:
                raise
        else:
            trial.unlink()
        break
    return True


def _sweep(tree: Path, wanted: set[str]) -> None:
    """Remove what does not belong into `tree`."""
    directories = {str(above) for path in wanted for above in PurePosixPath(path).parents}
    for directory, names, files in os.walk(tree, topdown=True):
        inside = os.path.relpath(directory, tree)
        prefix = "" if inside == "." else f"{inside}/"
        for name in files:
            if prefix + name not in wanted:
                os.unlink(f"{directory}/{name}")
        for name in list(names):
            if os.path.islink(f"{directory}/{name}") or prefix + name not in directories:
                names.remove(name)
                _remove(Path(directory) / name)


def _remove(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path)


def _make_directories(tree: Path, path: str, made: set[str]) -> None:
    if path in made:
        return
    if path:
        _make_directories(tree, path.rpartition("/")[0], made)
    place = tree / path
    place.mkdir(exist_ok=True)
    place.chmod(0o755)
    made.add(path)


def _copy(pool: Pool, file: StoredFile, place: str, tell: Callable[[int], None]) -> None:
    """Raises BadContent, and leaves nothing at `place`, when the bytes in the pool are not those of the digest."""
    if _is_there(file, place):
        tell(file.size)
        return
    digest = hashlib.sha256(usedforsecurity=False)
    try:
        source = os.open(pool.object(file.sha256), os.O_RDONLY)
    except FileNotFoundError:
        raise BadContent(f"the bytes of {file.path} ({file.sha256}) are not in the pool") from None
    try:
        # Only the end of the copy has the right size: half of one is not taken for a whole one.
        target = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
        try:
            os.fchmod(target, 0o644)
            while data := os.read(source, _PIECE):
                digest.update(data)
                write_all(target, data)
                tell(len(data))
        except OSError as error:
            error.filename = error.filename or place
            raise
        finally:
            os.close(target)
    finally:
        os.close(source)
    if digest.hexdigest() != file.sha256:
        os.unlink(place)
        raise BadContent(
            f"{file.path} is damaged in the pool: its bytes are not those of {file.sha256}",
            hint="`orchestrator repository sync` of its repository, with --repair, brings it in again",
        )


def _is_there(file: StoredFile, place: str) -> bool:
    try:
        return os.lstat(place).st_size == file.size and hash_file(place)[0] == file.sha256
    except OSError:
        return False
