# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the indexes that a Release file lists a mirror brings in, and in which compression.

To read an index one compression does: xz, because its bytes cross the network and its second of work does
not matter beside that. A mirror that is the upstream's byte for byte gets every compressed form there is,
so that any client works; the plain form only where there is no other (archives list it, for the digest of
what is unpacked, and mostly do not have it). Translations, package lists of command-not-found and AppStream
data are copied where the metadata is, and left out where we write our own.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.content.compression import plain_name
from orchestrator.content.formats.deb.layout import Layout
from orchestrator.content.formats.deb.release import Release
from orchestrator.content.model import StoredFile, safe_path
from orchestrator.content.source import Source
from orchestrator.errors import BadContent, Invalid

# In the order they are asked for; and the order of what is quickest to read, where several are there.
_FETCH = (".xz", ".zst", ".gz", ".bz2", ".lzma", "")
_READ = ("", ".zst", ".gz", ".xz", ".lzma", ".bz2")


class IndexRole(StrEnum):
    PACKAGES = "Packages"
    UDEBS = "Packages of udebs"
    SOURCES = "Sources"
    TRANSLATION = "Translation"
    CONTENTS = "Contents"
    COMMANDS = "Commands"
    APPSTREAM = "AppStream"
    RELEASE = "Release of an index"
    IMAGES = "SHA256SUMS"
    BY_HASH = "by-hash"


@dataclass(frozen=True, slots=True)
class Choice:
    """An index that is wanted. `name` as Release lists it, without compression; `forms` are the listed names
    of it, the one to ask for first at the beginning. `required`: without it there is no mirror."""

    name: str
    role: IndexRole
    forms: tuple[str, ...]
    required: bool


def choose(release: Release, layout: Layout, source: Source, address: str) -> list[Choice]:
    """What of a Release file's list the source asks for.

    Raises BadContent when there is no Packages index of a component; naming `address`.
    """
    patterns = list(_patterns(source, release, layout))
    chosen = []
    for name, forms in _by_plain_name(release.files).items():
        for pattern, role, required in patterns:
            if pattern.fullmatch(name):
                chosen.append(Choice(_safe(name, address), role, forms, required))
                break
    _refuse_missing(chosen, layout, release, source, address)
    return chosen


def missing_architectures(chosen: Sequence[Choice], layout: Layout, source: Source) -> list[tuple[str, str]]:
    """Component and architecture that the source names and the Release file does not list."""
    names = {choice.name for choice in chosen}
    return [
        (component, architecture)
        for component in layout.components
        for architecture in source.architectures
        if f"{component}/binary-{architecture}/Packages" not in names
    ]


def selection_digest(source: Source) -> str:
    """Changes when anything changes that decides which indexes are brought in, from where, or whom we believe.
    Raises Invalid for a key file that cannot be read."""
    options = [
        source.baseurls,
        source.mirrorlist,
        source.metalink,
        source.architectures,
        source.translations,
        source.contents,
        source.sources,
        source.installer,
        source.rebuilt,
        source.unsigned,
        [_file_digest(source.name, path) for path in source.keys if not source.unsigned],
    ]
    return hashlib.sha256(json.dumps(options).encode()).hexdigest()


def readable(indexes: Iterable[StoredFile], role: IndexRole) -> list[StoredFile]:
    """One form of each index of this role: the one that is quickest to read."""
    best: dict[str, StoredFile] = {}
    for stored in indexes:
        if stored.role == role:
            plain = plain_name(stored.path)
            held = best.setdefault(plain, stored)
            if _READ.index(stored.path.removeprefix(plain)) < _READ.index(held.path.removeprefix(plain)):
                best[plain] = stored
    return list(best.values())


_Row = tuple[str, IndexRole, bool]


def _patterns(
    source: Source, release: Release, layout: Layout
) -> Iterator[tuple[re.Pattern[str], IndexRole, bool]]:
    """Names without compression that are wanted, what they are, and whether one that is listed must be there."""
    component = "" if layout.flat else "(?:" + "|".join(map(re.escape, layout.components)) + ")/"
    for name, role, required in (*_read_indexes(source, release, layout), *_copied(source)):
        yield re.compile(component + name), role, required
        if role is IndexRole.CONTENTS and component:  # beside the components, where archives had it
            yield re.compile(name), role, required


def _read_indexes(source: Source, release: Release, layout: Layout) -> Iterator[_Row]:
    """What is read to know the packages, and what is filtered when the metadata is written anew."""
    named = bool(source.architectures)
    architecture = "|".join(map(re.escape, source.architectures)) if named else "[^/]+"
    packages = f"binary-(?:{architecture}|all)/Packages"
    if not release.serves_all and "all" not in source.architectures:
        packages = f"binary-(?!all/)(?:{architecture})/Packages"
    yield ("Packages" if layout.flat else packages), IndexRole.PACKAGES, named or layout.flat
    if source.sources:
        yield ("Sources" if layout.flat else "source/Sources"), IndexRole.SOURCES, True
    if source.installer:
        yield f"debian-installer/{packages}", IndexRole.UDEBS, named
        yield (
            f"installer-(?:{architecture})/[^/]+/images/(?:SHA256SUMS|MD5SUMS)",
            IndexRole.IMAGES,
            False,
        )
    if source.contents:
        udebs = "(?:udeb-)?" if source.installer else "(?!udeb-)"
        sources = "|source" if source.sources else ""
        yield f"Contents-{udebs}(?:{architecture}|all{sources})", IndexRole.CONTENTS, False
    if source.translations:
        languages = "|".join(map(re.escape, source.translations))
        yield f"i18n/Translation-(?:{languages})", IndexRole.TRANSLATION, False


def _copied(source: Source) -> Iterator[_Row]:
    """What only a tree with the upstream's own metadata gets."""
    if source.rebuilt:
        return
    architecture = "(?:" + ("|".join(map(re.escape, (*source.architectures, "all")))) + ")"
    if not source.architectures:
        architecture = "[^/]+"
    yield f"(?:binary-{architecture}|source)/Release", IndexRole.RELEASE, False
    yield (
        rf"dep11/(?:Components-{architecture}\.yml|CID-Index-{architecture}\.json|icons-[^/]+\.tar)",
        IndexRole.APPSTREAM,
        False,
    )
    yield f"cnf/Commands-{architecture}", IndexRole.COMMANDS, False


def _by_plain_name(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(plain_name(name), []).append(name)
    return {
        plain: tuple(sorted(forms, key=lambda name: _FETCH.index(name.removeprefix(plain))))
        for plain, forms in found.items()
    }


def _safe(name: str, address: str) -> str:
    try:
        if safe_path(name) == name:
            return name
    except ValueError:
        pass
    raise BadContent(f"{address} lists {name!r}, which is no place for an index")


def _refuse_missing(
    chosen: Sequence[Choice], layout: Layout, release: Release, source: Source, address: str
) -> None:
    have = [choice.name for choice in chosen if choice.role is IndexRole.PACKAGES]
    architectures = " ".join(source.architectures) or "any architecture"
    if layout.flat and not have:
        raise BadContent(f"{address} lists no Packages index")
    for component in layout.components:
        if not any(name.startswith(f"{component}/binary-") for name in have):
            offered = _told(release.fields)
            raise BadContent(f"{address} lists no packages of {component!r} for {architectures}{offered}")


def _told(fields: Mapping[str, str]) -> str:
    told = [f"{key.lower()}: {fields[key]}" for key in ("Components", "Architectures") if key in fields]
    return f" ({'; '.join(told)})" if told else ""


def _file_digest(source: str, path: object) -> str:
    try:
        with open(str(path), "rb") as stream:
            return hashlib.sha256(stream.read()).hexdigest()
    except OSError as error:
        raise Invalid(f"{source}: the key {path} cannot be read: {error.strerror}") from None
