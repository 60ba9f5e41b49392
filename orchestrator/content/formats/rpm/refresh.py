# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring the metadata of an rpm source up to date: ask for repomd.xml, believe it or not, bring its records in."""

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.content.fetching import Brought, Ending, EntryReply, Fetcher, Wanted
from orchestrator.content.formats import Trust
from orchestrator.content.formats.rpm import markup, repomd
from orchestrator.content.formats.rpm.reading import Reading, base_of
from orchestrator.content.formats.rpm.repomd import Record, Repomd
from orchestrator.content.model import FileRef, Metadata, StoredFile, Validators
from orchestrator.content.source import Source
from orchestrator.errors import BadContent, Invalid, Problem, Stale, TransferFailed

if TYPE_CHECKING:
    from orchestrator.content.signatures import Keyring

# Forms of other records for clients that we do not write for, and differences between packages that we do not
# have: a tree with our own metadata goes without.
_OURS_WITHOUT = ("prestodelta", "deltainfo")
_OTHER_FORMS = ("_db", "_zck")
_STRONG = ("sha256", "sha384", "sha512")
_MISSING = (Ending.NOT_FOUND, Ending.WRONG_CONTENT)


def refresh(source: Source, fetcher: Fetcher, held: Sequence[Metadata], trust: Trust) -> tuple[Metadata, ...]:
    """As `Format.refresh`. Raises Invalid, too, when nothing says how to verify a repository."""
    selection = _selection(source)
    by_repository = {metadata.repository: metadata for metadata in held}
    return tuple(
        _Repository(source, repository, fetcher, trust, selection).refresh(by_repository.get(repository))
        for repository in source.repositories
    )


def carried_over(type_: str) -> bool:
    """Whether a record of this type has a place in metadata of our own."""
    return type_ not in _OURS_WITHOUT and not type_.endswith(_OTHER_FORMS)


def _selection(source: Source) -> str:
    """Digest of what decides which records are brought in, and by which keys they are believed."""
    try:
        keys = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in source.keys)
    except OSError:
        from orchestrator.content.signatures import Keyring

        Keyring.load(source.keys)
        raise
    return hashlib.sha256(json.dumps(["rpm", source.rebuilt, source.unsigned, keys]).encode()).hexdigest()


class _Repository:
    """One repository of a source, on its way in."""

    def __init__(
        self, source: Source, repository: str, fetcher: Fetcher, trust: Trust, selection: str
    ) -> None:
        self.source, self.repository, self.fetcher, self.trust = source, repository, fetcher, trust
        self.selection = selection
        self.base = base_of(repository)
        self.path = self.base + repomd.ENTRY
        self.pinned = trust.pinned.get(self.path, ())
        if not (source.keys or source.unsigned or self.pinned):
            raise Invalid(
                f"{source.name}: nothing says how to verify {self.path}",
                hint="name the upstream's keys (keys: [FILE]); many rpm upstreams sign their packages but not"
                " their metadata: then say unsigned: true, or use their metalink",
            )

    def refresh(self, held: Metadata | None) -> Metadata:
        usable = held if held and held.selection == self.selection and self._is_whole(held) else None
        reply = self._ask(usable.validators if usable else None)
        if usable and (reply.ending is Ending.NOT_MODIFIED or _is_entry_of(reply.data, usable)):
            return usable
        try:
            return self._take(reply, held)
        except BadContent:
            # The upstream may have changed between the entry file and what hangs on it: once more, all of it.
            return self._take(self._ask(None), held)

    def _is_whole(self, held: Metadata) -> bool:
        size = self.fetcher.pool.size
        return all(size(file.sha256) == file.size for file in (*held.entry, *held.indexes))

    def _ask(self, known: Validators | None) -> EntryReply:
        reply = self.fetcher.entry(self.path, known, repomd.LIMIT)
        if reply.ending in (Ending.DONE, Ending.NOT_MODIFIED):
            return reply
        error = BadContent if reply.ending is Ending.WRONG_CONTENT else TransferFailed
        hint = "an rpm repository has it below its own path" if reply.ending is Ending.NOT_FOUND else ""
        raise error(str(reply), hint=hint)

    def _take(self, reply: EntryReply, held: Metadata | None) -> Metadata:
        """What this entry file says, brought in. Raises BadContent, Stale, TransferFailed."""
        self._hold_to_pins(reply)
        beside, signers = self._verify(reply)
        parsed = repomd.parse(reply.data, reply.url)
        self._refuse_older(parsed, held, reply.url)
        indexes = self._bring(parsed, reply.url)
        pool = self.fetcher.pool
        entry = StoredFile(self.path, len(reply.data), pool.add_bytes(reply.data), "repomd")
        metadata = Metadata(
            self.repository,
            (entry, *beside),
            indexes,
            reply.validators or Validators(),
            reply.url,
            parsed.date,
            None,
            signers,
            self.selection,
        )
        self._check_primary(Reading(metadata, pool))
        return metadata

    def _hold_to_pins(self, reply: EntryReply) -> None:
        strong = [digest for digest in self.pinned if digest.algorithm in _STRONG]
        if self.pinned and not any(repomd.matches(reply.data, digest) for digest in strong):
            raise BadContent(f"{reply.url} is none of the files whose digests the metalink names")

    def _verify(self, reply: EntryReply) -> tuple[tuple[StoredFile, ...], tuple[str, ...]]:
        """Files beside the entry file, and who signed it. A tree as the upstream's has them even when nobody here
        verifies them: its clients may."""
        keyring = self._keyring()
        signature = self._beside(".asc") if keyring or not self.source.rebuilt else None
        signers: tuple[str, ...] = ()
        if keyring is not None:
            if signature is None:
                raise BadContent(
                    f"{reply.url} is not signed: there is no {repomd.ENTRY}.asc",
                    hint="where the upstream signs only its packages, say unsigned: true in the source",
                )
            signers = keyring.verify_detached(reply.data, self.fetcher.pool.read(signature.sha256), reply.url)
        key = self._beside(".key") if not self.source.rebuilt else None
        return tuple(file for file in (signature, key) if file is not None), signers

    def _keyring(self) -> "Keyring | None":
        if self.source.unsigned or not self.source.keys:
            return None
        from orchestrator.content.signatures import Keyring

        return Keyring.load(self.source.keys)

    def _beside(self, suffix: str) -> StoredFile | None:
        reply = self.fetcher.entry(self.path + suffix, None, repomd.LIMIT)
        if reply.ending is Ending.DONE:
            sha256 = self.fetcher.pool.add_bytes(reply.data)
            return StoredFile(self.path + suffix, len(reply.data), sha256, f"repomd{suffix}")
        if reply.ending is Ending.UNREACHABLE:
            raise TransferFailed(str(reply))
        return None

    def _refuse_older(self, parsed: Repomd, held: Metadata | None, url: str) -> None:
        before = held.date if held else None
        if self.trust.allow_stale or before is None or parsed.date is None or parsed.date >= before:
            return
        raise Stale(
            f"{self.source.name}: {url} is older than what is held already"
            f" (timestamp {parsed.date:.0f} against {before:.0f}): it may be a replay",
            hint="if the upstream really went back, say --allow-stale",
        )

    def _bring(self, parsed: Repomd, url: str) -> tuple[StoredFile, ...]:
        rebuilt = self.source.rebuilt
        records = [r for r in parsed.records if not rebuilt or carried_over(r.type)]
        if not rebuilt and parsed.record("prestodelta"):
            self.trust.warn(
                f"{url} names delta packages, which are not mirrored: clients take the whole ones"
            )
        brought = self.fetcher.bring([self._wanted(record) for record in records])
        failed = [one for one in brought if one.stored is None]
        if failed:
            raise _failure(self.source, failed, url)
        return tuple(one.stored for one in brought if one.stored is not None)

    def _wanted(self, record: Record) -> Wanted:
        return Wanted(FileRef(self.base + record.href, record.size, record.digest), role=record.type)

    def _check_primary(self, reading: Reading) -> None:
        """That every client can read it: from here on it is trusted to be well-formed."""
        record = reading.record("primary")
        assert record is not None
        name = reading.name(record)
        tag, _ = markup.check(reading.pieces(record), name)
        if markup.local(tag) != "metadata":
            raise BadContent(f"{name} is no list of packages: its outermost element is <{tag}>")


def _is_entry_of(data: bytes, metadata: Metadata) -> bool:
    return hashlib.sha256(data).hexdigest() == metadata.entry[0].sha256


def _failure(source: Source, failed: Sequence[Brought], url: str) -> BadContent | TransferFailed:
    problems = [Problem(one.url or one.wanted.file.path, one.why or one.ending.value) for one in failed]
    what = f"{source.name}: {len(failed)} of the files that {url} names could not be brought in"
    if all(one.ending in _MISSING for one in failed):
        return BadContent(f"{what}: {problems[0].where}: {problems[0].what}", problems=problems[1:])
    return TransferFailed(what, problems=problems)
