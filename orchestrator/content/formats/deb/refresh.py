# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading one deb repository's metadata: asked for conditionally, verified, its indexes brought in.

The way of one reading: InRelease (or Release and Release.gpg where there is none), its signature, its dates,
Release beside InRelease compared with it, then the chosen indexes, by-hash first. Where an index is not what
the Release file says, the upstream probably changed in between: everything is read once more, and only then
it is an error.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.content.compression import plain_name
from orchestrator.content.fetching import Brought, Ending, Fetcher, Wanted
from orchestrator.content.formats import Trust
from orchestrator.content.formats.deb.entry import Entry, EntryReader, Reread
from orchestrator.content.formats.deb.layout import BY_HASH, Layout, by_hash, parse_layouts
from orchestrator.content.formats.deb.plain import MOST, read_plain
from orchestrator.content.formats.deb.release import Release
from orchestrator.content.formats.deb.selection import (
    Choice,
    IndexRole,
    choose,
    missing_architectures,
    readable,
    selection_digest,
)
from orchestrator.content.model import Digest, FileRef, Metadata, StoredFile, Validators
from orchestrator.content.source import Source
from orchestrator.errors import BadContent, Invalid, TransferFailed

# An index that is larger unpacked than this, and than this many times its size, must be announced.
_UNANNOUNCED, _TIMES = 64 << 20, 100
_ABSENT = (Ending.NOT_FOUND, Ending.FORBIDDEN)


def refresh(source: Source, fetcher: Fetcher, held: Sequence[Metadata], trust: Trust) -> tuple[Metadata, ...]:
    """See `Format.refresh`. Raises Invalid for repositories or keys that cannot be."""
    layouts = parse_layouts(source.repositories)
    if not source.unsigned and not source.keys:
        raise Invalid(
            f"{source.name}: nothing says whose signature to believe",
            hint="name its keys (keys: [file]), or say `unsigned: true`",
        )
    selection = selection_digest(source)
    known = {metadata.repository: metadata for metadata in held}
    return tuple(
        _Reading(source, layout, fetcher, trust, selection, known.get(layout.repository)).run()
        for layout in layouts
    )


@dataclass
class _Reading:
    source: Source
    layout: Layout
    fetcher: Fetcher
    trust: Trust
    selection: str
    held: Metadata | None

    def run(self) -> Metadata:
        try:
            return self._read(self._reusable())
        except Reread as changed:
            self.trust.warn(f"{changed.error.message}: the upstream changes, reading it again")
        try:
            return self._read(None)
        except Reread as changed:
            raise changed.error from None

    def _reusable(self) -> Metadata | None:
        """What is held, if it is what the options ask for and still whole."""
        held, size = self.held, self.fetcher.pool.size
        if held is None or held.selection != self.selection:
            return None
        whole = all(size(stored.sha256) == stored.size for stored in (*held.entry, *held.indexes))
        return held if whole else None

    def _read(self, reusable: Metadata | None) -> Metadata:
        reader = EntryReader(self.source, self.layout, self.fetcher, self.trust)
        entry = reader.read(reusable, self.held)
        if entry is None:
            assert reusable
            return reusable
        return self._complete(entry)

    def _complete(self, entry: Entry) -> Metadata:
        release, address = entry.release, entry.reply.url
        choices = choose(release, self.layout, self.source, address)
        for component, architecture in missing_architectures(choices, self.layout, self.source):
            self.trust.warn(f"{address}: {component} has no packages for {architecture}")
        indexes = self._bring(choices, release, address)
        for stored in (
            *readable(indexes, IndexRole.PACKAGES),
            *readable(indexes, IndexRole.UDEBS),
            *readable(indexes, IndexRole.SOURCES),
        ):
            self._check_plain(stored, release, address)
        pool = self.fetcher.pool
        return Metadata(
            repository=self.layout.repository,
            entry=tuple(
                StoredFile(self.layout.path(name), len(data), pool.add_bytes(data), name)
                for name, data in entry.files
            ),
            indexes=(*indexes, *self._named_by_hash(indexes, release)),
            validators=entry.reply.validators or Validators(),
            url=address,
            date=release.date,
            valid_until=release.valid_until,
            signers=entry.signers,
            selection=self.selection,
        )

    def _base(self, address: str) -> str:
        """What paths follow, in the address of the entry file."""
        return address.removesuffix(address.rpartition("/")[2]).removesuffix(self.layout.path(""))

    def _bring(self, choices: Sequence[Choice], release: Release, address: str) -> list[StoredFile]:
        """Every choice in the forms that are wanted, as far as the upstream has them."""
        have: dict[str, list[StoredFile]] = {choice.name: [] for choice in choices}
        absent: dict[str, Brought] = {}
        waiting = {choice: self._turns(choice) for choice in choices}
        while waiting:
            turn = [(choice, name) for choice, turns in waiting.items() for name in turns.pop(0)]
            wanted = [self._wanted(choice, name, release, address) for choice, name in turn]
            for (choice, _), brought in zip(turn, self.fetcher.bring(wanted), strict=True):
                if brought.stored is not None:
                    have[choice.name].append(brought.stored)
                else:
                    # What is told is why the first is not there: archives list the plain form and have it not.
                    absent.setdefault(choice.name, self._excused(brought))
            waiting = {choice: turns for choice, turns in waiting.items() if turns and not have[choice.name]}
        for choice in choices:
            if not have[choice.name] and choice.required:
                raise Reread(_failure(absent[choice.name]))
        return [stored for choice in choices for stored in have[choice.name]]

    def _turns(self, choice: Choice) -> list[list[str]]:
        """The forms in the order they are asked for; of those of one turn one is enough."""
        compressed = [name for name in choice.forms if name != choice.name]
        if self.source.rebuilt or not compressed:
            return [[name] for name in choice.forms]
        return [compressed, *([[choice.name]] if choice.name in choice.forms else [])]

    def _wanted(self, choice: Choice, name: str, release: Release, address: str) -> Wanted:
        listed = release.files[name]
        digest = listed.digest(weak=self.source.unsigned)
        path = self.layout.path(name)
        if digest is None:
            raise BadContent(
                f"{self._base(address)}{path}: the Release file has only MD5 or SHA-1 of it, which prove nothing",
                hint="only a source with `unsigned: true` is read by them",
            )
        places = (by_hash(path, digest), path) if release.by_hash and digest.algorithm in BY_HASH else (path,)
        return Wanted(FileRef(path, listed.size, digest), places, choice.role)

    def _excused(self, brought: Brought) -> Brought:
        """A file that is listed and absent may have another form. Raises for everything else."""
        if brought.ending in _ABSENT:
            return brought
        error = _failure(brought)
        raise Reread(error) if brought.ending is Ending.WRONG_CONTENT else error

    def _check_plain(self, stored: StoredFile, release: Release, address: str) -> None:
        """Unpack an index, held to what the Release file says of it unpacked, if it says anything."""
        name = plain_name(stored.path)
        listed = release.files.get(name.removeprefix(self.layout.path("")))
        limit = min(MOST, listed.size if listed else max(_UNANNOUNCED, _TIMES * stored.size))
        data = read_plain(stored, self.fetcher.pool, limit, self._base(address))
        digest = listed.digest(weak=True) if listed else None
        if listed and digest:
            found = hashlib.new(digest.algorithm, data, usedforsecurity=False).hexdigest()
            if (len(data), found) != (listed.size, digest.value):
                raise BadContent(f"{stored.path} is not, unpacked, what {address} says of {name}")

    def _named_by_hash(self, indexes: Sequence[StoredFile], release: Release) -> Iterator[StoredFile]:
        if not release.by_hash:
            return
        for stored in indexes:
            listed = release.files[stored.path.removeprefix(self.layout.path(""))]
            for algorithm in BY_HASH:
                if algorithm in listed.digests:
                    path = by_hash(stored.path, Digest(algorithm, listed.digests[algorithm]))
                    yield StoredFile(path, stored.size, stored.sha256, IndexRole.BY_HASH)


def _failure(brought: Brought) -> BadContent | TransferFailed:
    """What to tell of an index that could not be had, with its address."""
    if brought.ending is Ending.WRONG_CONTENT:
        return BadContent(f"a file is not what the Release file says: {brought}")
    if brought.ending in _ABSENT:
        return TransferFailed(f"a file that the Release file lists cannot be had: {brought}")
    return TransferFailed(str(brought))
