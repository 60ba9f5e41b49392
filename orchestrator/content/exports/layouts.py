# SPDX-License-Identifier: GPL-3.0-or-later
"""What in a repository's tree is metadata, and by which names clients know its parts. Pure.

Metadata is what a client reads before it asks for packages: it changes from snapshot to snapshot, and goes with an
export whole.
"""

import posixpath
import re
from collections.abc import Callable, Iterable

from orchestrator.content.catalog.model import RepositoryType
from orchestrator.content.model import KEY_FILE

_DEB_INDEX = re.compile(
    r"(?:In)?Release(?:\.gpg)?|(?:Packages|Sources|Index|Contents-[^/]*|Translation-[^/]*)(?:\..*)?"
)
_DEB_PACKAGES = re.compile(r"(dists/.+)/(?:binary-[^/]+/Packages|source/Sources)(?:\.[^/]*)?")
_OF_A_COMPONENT = re.compile(r"/(?:binary-[^/]+|source)/Release$")
_DEB_RELEASES = ("InRelease", "Release")
_REPOMD = "repodata/repomd.xml"
_LISTS = ("PULP_MANIFEST", KEY_FILE)


def is_metadata(type_: RepositoryType) -> Callable[[str], bool]:
    """Whether the file at a path of a tree of this type is metadata."""
    return {"deb": _deb_metadata, "rpm": _rpm_metadata, "file": _is_list}[type_]


def _deb_metadata(path: str) -> bool:
    if path.startswith(("dists/", "by-hash/")):
        return True
    return _is_list(path) or "/by-hash/" in path or bool(_DEB_INDEX.fullmatch(posixpath.basename(path)))


def _rpm_metadata(path: str) -> bool:
    return path.startswith("repodata/") or "/repodata/" in path or _is_list(path)


def _is_list(path: str) -> bool:
    return path in _LISTS


def names_a_part(type_: RepositoryType) -> Callable[[str], bool]:
    """Whether a path of metadata says something of what clients name."""
    return {"deb": _names_a_deb_part, "rpm": _names_an_rpm_part, "file": lambda _: False}[type_]


def _names_a_deb_part(path: str) -> bool:
    return posixpath.basename(path) in _DEB_RELEASES or bool(_DEB_PACKAGES.fullmatch(path))


def _names_an_rpm_part(path: str) -> bool:
    return path == _REPOMD or path.endswith(f"/{_REPOMD}")


def suites(type_: RepositoryType, parts: Iterable[str]) -> tuple[str, ...]:
    """What clients name of a repository of which these paths are the `names_a_part`: deb "suite component..." or the
    directory of a flat one ("./"), rpm the directories that have a repodata ("." for the tree itself)."""
    if type_ == "deb":
        found = _deb_suites(parts)
    else:
        found = sorted(_directory(path, _REPOMD) or "." for path in parts)
    return tuple(name for name in found if name.isprintable() and _is_text(name))


def _deb_suites(paths: Iterable[str]) -> list[str]:
    """A suite is where a Release file is; a component what stands between that and its Packages."""
    packages, releases = set(), set()
    for path in paths:
        found = _DEB_PACKAGES.fullmatch(path)
        if found:
            packages.add(found[1])
        elif not _OF_A_COMPONENT.search(path):
            releases.add(posixpath.dirname(path))
    components: dict[str, list[str]] = {each: [] for each in releases if each.startswith("dists/")}
    for place in sorted(packages):
        suite = max((each for each in components if place.startswith(f"{each}/")), key=len, default="")
        if suite and not place.endswith("/debian-installer"):
            components[suite].append(place.removeprefix(f"{suite}/"))
    flat = [f"{each}/" if each else "./" for each in releases if not each.startswith("dists/")]
    named = [" ".join([suite.removeprefix("dists/"), *parts]) for suite, parts in components.items() if parts]
    return sorted(named) + sorted(flat)


def _directory(path: str, below: str) -> str:
    return path.removesuffix(below).rstrip("/")


def _is_text(name: str) -> bool:
    """Whether it is text that any server can write down: file names may be any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
