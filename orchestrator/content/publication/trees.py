# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees of hard links into the pool: made new, or made out of one that is no longer needed."""

import errno
import os
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from orchestrator.content.model import StoredFile
from orchestrator.content.pool import Pool
from orchestrator.errors import BadContent

# Directories by path ("" is the tree itself), in each the digest of every file.
_Plan = dict[str, dict[str, str]]
# What file systems say of names that are too long, or no text to them.
_UNFIT = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)


def shape(tree: Path, pool: Pool, files: Iterable[StoredFile]) -> None:
    """Make `tree` hold just `files`, as hard links into the pool (copies where an inode has no links left).

    What is there already and is the very file of the pool stays, so that a small change takes little time;
    anything else is removed. Not durable. Raises BadContent when a file's bytes are not in the pool or the
    file system cannot hold its name, and OSError.
    """
    plan: _Plan = {"": {}}
    for file in files:
        _add(plan, file)
    base, objects = str(tree), str(pool.objects)
    there = _sweep(base, objects, plan) if tree.exists() else set[str]()
    _fill(base, objects, plan, there)


def _add(plan: _Plan, file: StoredFile) -> None:
    directory, _, name = file.path.rpartition("/")
    if directory not in plan:
        parent = directory
        while parent not in plan:
            plan[parent] = {}
            parent = parent.rpartition("/")[0]
    plan[directory][name] = file.sha256


def _sweep(base: str, objects: str, plan: _Plan) -> set[str]:
    """Remove what does not belong into the tree, and take what does out of `plan`; the directories that stay."""
    directories = [""]
    for directory in directories:
        names, prefix = plan[directory], f"{directory}/" if directory else ""
        with os.scandir(f"{base}/{directory}") as entries:
            for entry in entries:
                name = entry.name
                if entry.is_dir(follow_symlinks=False):
                    if prefix + name in plan:
                        directories.append(prefix + name)
                    else:
                        shutil.rmtree(entry.path)
                elif name in names and _inode(objects, names[name]) == entry.inode():
                    del names[name]
                else:
                    os.unlink(entry.path)
    return set(directories)


def _inode(objects: str, sha256: str) -> int:
    try:
        return os.stat(f"{objects}/{sha256[:2]}/{sha256}").st_ino
    except FileNotFoundError:
        return 0


def _fill(base: str, objects: str, plan: _Plan, there: Collection[str]) -> None:
    for directory in sorted(plan):
        place = f"{base}/{directory}" if directory else base
        try:
            if directory not in there:
                os.mkdir(place)
                Path(place).chmod(0o755)  # a umask must not keep the web server out
            for name, sha256 in plan[directory].items():
                if not _link(f"{objects}/{sha256[:2]}/{sha256}", f"{place}/{name}"):
                    raise BadContent(f"the bytes of {place}/{name} ({sha256}) are not in the pool")
        except OSError as error:
            if error.errno not in _UNFIT:
                raise
            name = error.filename2 or error.filename
            raise BadContent(f"{name}: the file system does not take the name: {error.strerror}") from None


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
    shutil.rmtree(tree, ignore_errors=True)
