# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees of hard links into the pool: made new, or made out of one that is no longer needed."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from orchestrator.content.model import StoredFile
from orchestrator.content.pool import Pool
from orchestrator.errors import BadContent

# Directories by path ("" is the tree itself), in each the digest of every file.
_Plan = dict[str, dict[str, str]]


def shape(tree: Path, pool: Pool, files: Iterable[StoredFile], optional: Iterable[StoredFile] = ()) -> None:
    """Make `tree` hold just `files`, as hard links into the pool (copies where an inode has no links left).

    What is there already and is the very file of the pool stays, so that a small change takes little time;
    anything else is removed. Of `optional` files those are left out whose bytes are not in the pool. Not
    durable. Raises BadContent when a file's bytes are not in the pool or the file system cannot take its
    path, and OSError.
    """
    plan: _Plan = {"": {}}
    for file in files:
        _add(plan, file)
    needed = {directory: dict(names) for directory, names in plan.items()}
    for file in optional:
        _add(plan, file)
    if tree.exists():
        _sweep(tree, pool, plan)
    else:
        os.mkdir(tree)
    _fill(tree, pool, plan, needed)


def _add(plan: _Plan, file: StoredFile) -> None:
    directory, _, name = file.path.rpartition("/")
    if directory not in plan:
        parent = directory
        while parent not in plan:
            plan[parent] = {}
            parent = parent.rpartition("/")[0]
    plan[directory][name] = file.sha256


def _sweep(tree: Path, pool: Pool, plan: _Plan) -> None:
    """Remove what does not belong into `tree`; take what does out of `plan`."""
    directories = [""]
    for directory in directories:
        names = plan[directory]
        with os.scandir(tree / directory) as entries:
            for entry in entries:
                below = f"{directory}/{entry.name}" if directory else entry.name
                if entry.is_dir(follow_symlinks=False):
                    if below in plan:
                        directories.append(below)
                    else:
                        shutil.rmtree(entry.path)
                elif entry.name in names and _is_pooled(entry, pool, names[entry.name]):
                    del names[entry.name]
                else:
                    os.unlink(entry.path)


def _is_pooled(entry: "os.DirEntry[str]", pool: Pool, sha256: str) -> bool:
    try:
        return os.stat(f"{pool.objects}/{sha256[:2]}/{sha256}").st_ino == entry.inode()
    except FileNotFoundError:
        return False


def _fill(tree: Path, pool: Pool, plan: _Plan, needed: _Plan) -> None:
    objects = str(pool.objects)
    # One look tells whether the umask, or an access list, takes from the mode that directories are made with.
    os.chmod(tree, 0o755)
    for directory in sorted(plan):
        place = f"{tree}/{directory}" if directory else str(tree)
        try:
            if directory and not os.path.isdir(place):
                os.mkdir(place)
                os.chmod(place, 0o755)
            for name, sha256 in plan[directory].items():
                if not _link(f"{objects}/{sha256[:2]}/{sha256}", f"{place}/{name}"):
                    if name in needed.get(directory, ()):
                        raise BadContent(
                            f"{directory}/{name}".lstrip("/") + f": its bytes ({sha256}) are not in the pool"
                        )
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL):
                raise BadContent(f"{error.filename}: this file system cannot hold the name") from None
            raise


def _link(pooled: str, place: str) -> bool:
    """False when the pool has no such file."""
    try:
        os.link(pooled, place)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno != errno.EMLINK:
            raise
        shutil.copyfile(pooled, place)
        os.chmod(place, 0o644)
    return True


def remove(tree: Path) -> None:
    """Remove a tree, as far as that can be done; what is left is tried again by the next run."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(tree, ignore_errors=True)
