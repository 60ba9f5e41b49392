# SPDX-License-Identifier: GPL-3.0-or-later
"""The file everything hangs on: InRelease, or Release with Release.gpg; asked for, verified, believed or not."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from orchestrator.content.fetching import Ending, EntryReply, Fetcher
from orchestrator.content.formats import Trust
from orchestrator.content.formats.deb.layout import Layout
from orchestrator.content.formats.deb.release import (
    Release,
    clear_text,
    differences,
    parse_release,
    show_time,
)
from orchestrator.content.model import Metadata, Validators
from orchestrator.content.signatures import Keyring
from orchestrator.content.source import Source
from orchestrator.errors import BadContent, OrchestratorError, Stale, TransferFailed

# Debian's, the largest there is, has 150 KB; its signature half a KB.
_LIMIT = 32 << 20
_ABSENT = (Ending.NOT_FOUND, Ending.FORBIDDEN)  # some stores answer 403 for what they do not have
_OVERRIDE = "--allow-stale takes it all the same"


class Reread(Exception):  # a request, not an error
    """Something does not fit together, as when an upstream changes while it is read."""

    def __init__(self, error: OrchestratorError) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(frozen=True, slots=True)
class Entry:
    """`files`: names and bytes for the tree, the one that was asked for conditionally first. `reply` is its."""

    files: tuple[tuple[str, bytes], ...]
    release: Release
    reply: EntryReply
    signers: tuple[str, ...]


class EntryReader:
    """Reads the entry of one repository once."""

    def __init__(self, source: Source, layout: Layout, fetcher: Fetcher, trust: Trust) -> None:
        self.source, self.layout, self.fetcher, self.trust = source, layout, fetcher, trust

    def read(self, reusable: Metadata | None, newest: Metadata | None) -> Entry | None:
        """None when the upstream is what `reusable` was read from. `newest` is what must not be gone behind.

        Raises Reread, BadContent, Stale, TransferFailed.
        """
        first = reusable.entry[0].role if reusable else "InRelease"
        reply = self._ask(first, reusable.validators if reusable else None)
        if reusable and self._same(reply, reusable):
            self._refuse_expired(reusable.valid_until, reply.url)
            return None
        if first == "InRelease" and reply.ending is Ending.DONE:
            entry = self._from_inrelease(reply)
        elif first == "InRelease" and reply.ending in _ABSENT:
            entry = self._from_release(self._ask("Release", None), reply)
        elif first == "Release" and reply.ending in (Ending.DONE, *_ABSENT):
            return self.read(None, newest)  # it changed: perhaps there is an InRelease now
        else:
            raise _refusal(reply)
        self._refuse_stale(entry, newest)
        self._warn_of_names(entry)
        return entry

    def _ask(self, name: str, known: Validators | None) -> EntryReply:
        return self.fetcher.entry(self.layout.path(name), known, _LIMIT)

    @staticmethod
    def _same(reply: EntryReply, held: Metadata) -> bool:
        if reply.ending is Ending.NOT_MODIFIED:
            return True
        return reply.ending is Ending.DONE and hashlib.sha256(reply.data).hexdigest() == held.entry[0].sha256

    @cached_property
    def _keyring(self) -> Keyring:
        return Keyring.load(self.source.keys)

    def _from_inrelease(self, reply: EntryReply) -> Entry:
        signers: tuple[str, ...] = ()
        if self.source.unsigned:
            text = clear_text(reply.data)
        else:
            text, signers = self._keyring.verify_clear(reply.data, reply.url)
        release = parse_release(text, reply.url)
        files = (("InRelease", reply.data), *self._beside(release, reply))
        return Entry(files, release, reply, signers)

    def _beside(self, release: Release, inrelease: EntryReply) -> Sequence[tuple[str, bytes]]:
        """Release and Release.gpg, which must say the same as InRelease; for a tree that is the upstream's."""
        reply = self._ask("Release", None)
        if reply.ending is not Ending.DONE:
            if reply.ending is Ending.UNREACHABLE and not self.source.rebuilt:
                raise _refusal(reply)  # or the tree would be without it until the upstream changes
            if reply.ending not in _ABSENT:
                self.trust.warn(f"Release cannot be compared with InRelease: {reply}")
            return ()
        try:
            beside = parse_release(reply.data, reply.url)
        except BadContent as error:  # some servers have a page for everything they do not have
            self.trust.warn(f"{error.message}: InRelease is used alone")
            return ()
        difference = differences(release, beside)
        if difference:
            raise Reread(BadContent(f"{inrelease.url} and {reply.url} disagree: {difference}"))
        if self.source.rebuilt:
            return ()
        signature = self._ask("Release.gpg", None)
        if signature.ending is Ending.UNREACHABLE:
            raise _refusal(signature)
        if signature.ending is not Ending.DONE:
            return (("Release", reply.data),) if self.source.unsigned else ()
        self._verify(reply, signature)
        return ("Release", reply.data), ("Release.gpg", signature.data)

    def _from_release(self, reply: EntryReply, inrelease: EntryReply) -> Entry:
        if reply.ending is not Ending.DONE:
            # Where neither is there, the address is wrong; where one is forbidden, that is what to tell.
            raise _refusal(reply if reply.ending not in _ABSENT else inrelease)
        signature = self._ask("Release.gpg", None)
        if signature.ending is Ending.DONE:
            signers = self._verify(reply, signature)
            files: tuple[tuple[str, bytes], ...] = (("Release", reply.data), ("Release.gpg", signature.data))
        elif self.source.unsigned:
            files, signers = (("Release", reply.data),), ()
        elif signature.ending in _ABSENT:
            raise BadContent(
                f"{reply.url} is not signed: there is neither InRelease nor Release.gpg",
                hint="`unsigned: true` does without",
            )
        else:
            raise _refusal(signature)
        return Entry(files, parse_release(reply.data, reply.url), reply, signers)

    def _verify(self, release: EntryReply, signature: EntryReply) -> tuple[str, ...]:
        if self.source.unsigned:
            return ()
        try:
            return self._keyring.verify_detached(release.data, signature.data, release.url)
        except BadContent as error:
            raise Reread(error) from None  # one of the two may be newer than the other

    def _refuse_stale(self, entry: Entry, newest: Metadata | None) -> None:
        url, date = entry.reply.url, entry.release.date
        self._refuse_expired(entry.release.valid_until, url)
        if newest and newest.date is not None and (date is None or date < newest.date):
            told = show_time(date) if date is not None else "no date"
            self._stale(f"{url} is older ({told}) than what the mirror has ({show_time(newest.date)})")
        if date is not None and date > self.trust.now + 86400:
            self.trust.warn(f"{url} is dated in the future: {show_time(date)}")

    def _refuse_expired(self, valid_until: float | None, url: str) -> None:
        if valid_until is not None and valid_until < self.trust.now:
            self._stale(f"{url} expired on {show_time(valid_until)}: the upstream is no longer kept up")

    def _stale(self, message: str) -> None:
        if not self.trust.allow_stale:
            raise Stale(message, hint=_OVERRIDE)
        self.trust.warn(message)

    def _warn_of_names(self, entry: Entry) -> None:
        names = [entry.release.fields[name] for name in ("Suite", "Codename") if name in entry.release.fields]
        suite = self.layout.suite
        if suite and names and suite not in names and suite.partition("/")[0] not in names:
            self.trust.warn(f"{entry.reply.url} is of {' or '.join(names)}, not of {suite}")


def _refusal(reply: EntryReply) -> OrchestratorError:
    if reply.ending is Ending.WRONG_CONTENT:
        return BadContent(str(reply))
    return TransferFailed(str(reply))
