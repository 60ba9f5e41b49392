# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients are shown of views: directories of links to snapshots' trees, and one link to each of these.

    root/views/<organization>/<view>/<n>/<product>/<repository> -> the tree of a snapshot; complete before it is shown
    root/published/<organization>/<environment>/<view> -> root/views/<organization>/<view>/<n>

All links are relative: the root may be mounted elsewhere.
"""

import contextlib
import os
import shutil
from collections.abc import Container, Mapping
from pathlib import Path

from orchestrator.content.pool import make_public_directory
from orchestrator.errors import Refused
from orchestrator.host.files import fsync_directory, sync_file_system


def make_version(place: Path, contents: Mapping[str, Path]) -> None:
    """The directory `place` with a link to each tree, by its path; complete and on the disk when its name appears."""
    if _holds_just(place, contents):
        return
    new = place.with_name(f".{place.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(place, ignore_errors=True)
    make_public_directory(place.parent)
    make_public_directory(new)
    for path, tree in contents.items():
        make_public_directory((new / path).parent)
        # Relative to where it will be, which is as deep.
        (new / path).symlink_to(os.path.relpath(tree, (place / path).parent))
    sync_file_system(place.parent)
    new.rename(place)
    fsync_directory(place.parent)


def _holds_just(place: Path, contents: Mapping[str, Path]) -> bool:
    there = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_symlink()}
    return there == set(contents) and all(_leads_to(place / path, tree) for path, tree in contents.items())


def _leads_to(link: Path, target: Path) -> bool:
    try:
        return os.path.normpath(link.parent / link.readlink()) == os.path.normpath(target)
    except OSError:
        return False


def switch(link: Path, target: Path) -> bool:
    """Let `link` lead to `target` by one rename, durably; whether it did not before. Raises Refused when something
    that is no link is in the way."""
    if _leads_to(link, target):
        return False
    if link.exists() and not link.is_symlink():
        raise Refused(
            f"{link} is in the way: it is no link of ours", hint=f"move it away: mv {link} {link}.old"
        )
    make_public_directory(link.parent)
    new = link.with_name(f".{link.name}.new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    new.symlink_to(os.path.relpath(target, link.parent))
    new.replace(link)
    fsync_directory(link.parent)
    return True


def remove(link: Path) -> None:
    """Take a link away, durably, if it is there."""
    if link.is_symlink():
        link.unlink()
        fsync_directory(link.parent)


def sweep_shown(published: Path, shown: Mapping[str, Container[str]], versions: Path) -> None:
    """Remove from `published`, the directory of an organization, the links to `versions` of views that are not `shown`
    (by environment), and the directories of environments that are none any more. Nothing else is touched."""
    for directory in _directories(published):
        for link in list(directory.iterdir()):
            if (
                link.is_symlink()
                and link.name not in shown.get(directory.name, ())
                and _is_below(link, versions)
            ):
                remove(link)
        if directory.name not in shown:
            with contextlib.suppress(OSError):  # somebody else has something there
                directory.rmdir()


def _is_below(link: Path, versions: Path) -> bool:
    return Path(os.path.normpath(link.parent / link.readlink())).is_relative_to(versions)


def sweep_versions(versions: Path, known: Mapping[str, Container[int]]) -> None:
    """Remove from `versions`, the directory of an organization's views, those that are not `known` (by view), and what
    is half made."""
    for view in _directories(versions):
        for version in _directories(view):
            if not version.name.isdecimal() or int(version.name) not in known.get(view.name, ()):
                shutil.rmtree(version, ignore_errors=True)
        if view.name not in known:
            with contextlib.suppress(OSError):
                view.rmdir()


def _directories(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return [each for each in path.iterdir() if each.is_dir() and not each.is_symlink()]
