# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the files of a Debian repository are: suites below `dists/`, flat directories, names by digest.

An entry of a source's `repositories` is what follows the address in sources.list(5): `suite component...`,
or for a flat repository a directory that ends with a slash (`./` is the source's own).
"""

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.content.model import KEY_FILE, Digest, safe_path
from orchestrator.errors import Invalid

# How apt spells the digests in Release files and below by-hash/; the strongest first, as apt chooses.
SPELLINGS = {"sha512": "SHA512", "sha256": "SHA256", "sha1": "SHA1", "md5": "MD5Sum"}
# What a by-hash name is worth having for: apt asks for the strongest digest that is listed.
BY_HASH = ("sha512", "sha256")
_METADATA = ("InRelease", "Release", "Packages", "Sources", "Contents-", "Translation-", "Index")


@dataclass(frozen=True, slots=True)
class Layout:
    """One repository. `directory` is that of its Release file ("" for the source's own), `suite` is empty
    and there are no `components` when it is flat."""

    repository: str
    directory: str
    suite: str = ""
    components: tuple[str, ...] = ()

    @property
    def flat(self) -> bool:
        return not self.suite

    def path(self, name: str) -> str:
        """Of a file that Release lists as `name`, in the source's tree."""
        return f"{self.directory}/{name}" if self.directory else name


def parse_layout(repository: str) -> Layout:
    """Raises Invalid when it is neither a suite with components nor a directory with its slash."""
    place, *components = repository.split()
    flat = place.endswith("/")
    wrong = ""
    if flat and components:
        wrong = "a flat repository (a name that ends with a slash) has no components"
    elif not flat and not components:
        wrong = f"name its components ({place} main), or end a flat repository with a slash"
    if wrong:
        raise Invalid(f"repository {repository!r}: {wrong}")
    try:
        if flat:
            bare = place.strip("/")
            return Layout(repository, "" if bare in ("", ".") else safe_path(bare))
        parts = tuple(dict.fromkeys(safe_path(component) for component in components))
        return Layout(repository, "dists/" + safe_path(place), safe_path(place), parts)
    except ValueError as error:
        raise Invalid(f"repository {repository!r}: {error}") from None


def parse_layouts(repositories: Iterable[str]) -> tuple[Layout, ...]:
    """All of a source. A suite has one Release file, so it is named once: raises Invalid otherwise."""
    found: dict[str, Layout] = {}
    for repository in repositories:
        if not repository.split():
            raise Invalid("an entry of repositories is empty")
        layout = parse_layout(repository)
        other = found.setdefault(layout.directory, layout)
        if other is not layout:
            raise Invalid(
                f"repositories {other.repository!r} and {repository!r} are of one suite: write one entry "
                "with the components of both"
            )
    return tuple(found.values())


def by_hash(path: str, digest: Digest) -> str:
    """The name that a file has by its digest, beside its own."""
    directory = posixpath.dirname(path)
    name = f"by-hash/{SPELLINGS[digest.algorithm]}/{digest.value}"
    return f"{directory}/{name}" if directory else name


def lasts(path: str) -> bool:
    """Whether the file at `path` is the same for ever: by-hash names, and all that is no metadata and no key."""
    if "/by-hash/" in f"/{path}":
        return True
    return not path.startswith(("dists/", KEY_FILE)) and not posixpath.basename(path).startswith(_METADATA)


def package_place(component: str, origin: str, file_name: str) -> str:
    """Where a package lies in a pool of Debian's form: by the first letter of its source (`libx` for lib...)."""
    prefix = origin[:4] if origin.startswith("lib") and len(origin) > 3 else origin[:1]
    return f"pool/{component}/{prefix}/{origin}/{file_name}"
