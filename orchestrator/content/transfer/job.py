# SPDX-License-Identifier: GPL-3.0-or-later
"""One request on its way from address to address: what is sent, what is done with what comes, what then."""

import os
import random
from pathlib import Path

from orchestrator.content.fetching import Ending
from orchestrator.content.model import Validators
from orchestrator.content.transfer.access import Standing
from orchestrator.content.transfer.addresses import is_within, origin_of, shown, split_userinfo
from orchestrator.content.transfer.part import Part
from orchestrator.content.transfer.policy import (
    Half,
    Itinerary,
    Opening,
    Verdict,
    judge_failure,
    judge_opening,
    judge_status,
    range_headers,
)
from orchestrator.content.transfer.reply import Head
from orchestrator.content.transfer.requests import Request, Result
from orchestrator.content.transfer.rules import GO_ON, Again, Rules
from orchestrator.host import clock

_SCHEMES = ("http", "https", "file")
_MOST_REDIRECTS = 10
_BOUNDLESS = 1 << 62
# Of a body that is not the file: less is read to the end, so that the connection can be used again.
_MOST_REASONS = 3
_WASTE = 64 * 1024
_UNBUFFERED_NOTE = 512 * 1024
_ABORT = -1


class Job:
    """Methods raise OSError for the disk of the target, but not `body`: the next that is called does. `lines`
    takes the heads of answers."""

    def __init__(self, index: int, request: Request, rules: Rules) -> None:
        self.index, self.request = index, request
        self.target = None if request.target is None else os.fspath(request.target)
        self.lines: list[bytes] = []
        self.attempts = 0
        self.url = ""  # what is asked now: an address, or where it redirected to
        self._origin = origin_of("")
        self.part = Part(self.target, request.size, request.digest)
        self._rules, self._meter = rules, rules.meter
        self._paced = bool(rules.pace.rate)
        self._itinerary = Itinerary(len(request.urls), rules.retries)
        limit = _BOUNDLESS if request.limit is None else request.limit
        self._most = limit if request.size is None else request.size
        self._address = ""
        self._userinfo: tuple[str, str] | None = None
        self._whole = self._struck = False
        self._fault: OSError | None = None
        self._new_attempt()

    def _new_attempt(self) -> None:
        self._asked_from = self._waste = self._redirects = 0
        self.taking = False  # whether the body of the answer is the file's
        self._restart = False
        self._verdict: Verdict | None = None
        self._head: Head | None = None
        self.lines.clear()

    # Before the network ---------------------------------------------------------------------------

    def begin(self) -> Result | Again:
        """Choose the first address."""
        return self._choose(GO_ON)

    def begin_with_what_is_left(self) -> Result | Again:
        """The same, after a look at what an earlier run left."""
        self.part.load(self._rules.halted)
        self._meter.add(lost=-self.part.have)
        if self.part.complete and self.request.digest is not None:
            self.part.finish()
            if not self.part.differs:
                return self._result(Ending.DONE)
            self.forget()
        return self.begin()

    def _choose(self, go_on: Again) -> Result | Again:
        """Make the itinerary's current address the one to ask, or tell how it ended."""
        while (current := self._itinerary.current) is not None:
            self._address, self._userinfo = split_userinfo(self.request.urls[current])
            self.url = self._address
            self._origin = origin_of(self.url)
            if self._origin.scheme not in _SCHEMES:
                why = "not an address of http, https or file"
            elif self._rules.health.given_up(self._origin):
                why = "given up, its host has failed too often"
            else:
                return go_on
            where = shown(self.url)
            self._itinerary.failed(Verdict(Ending.UNREACHABLE, again=False, why=f"{where}: {why}"))
        return self._lost()

    @property
    def halted(self) -> bool:
        return self._rules.halted()

    @property
    def local(self) -> bool:
        return self._origin.scheme == "file"

    def standing(self) -> Standing:
        """Who we are to the host that is asked now."""
        request, origin = self.request, self._origin
        own = is_within(origin, origin_of(split_userinfo(request.owner or request.urls[0])[0]))
        userinfo = self._userinfo if self._userinfo and is_within(origin, origin_of(self._address)) else None
        return Standing(request.access, own, origin.scheme == "https", userinfo)

    def start(self) -> tuple[str, ...]:
        """A request for `url` goes out: header lines of its own."""
        if not self._redirects:
            self.attempts += 1
        self._head, self._waste = None, 0
        self.lines.clear()
        known, headers = self.request.known, []
        if known is not None and known.etag:
            headers.append(f"If-None-Match: {known.etag}")
        if known is not None and known.last_modified:
            headers.append(f"If-Modified-Since: {known.last_modified}")
        if self._struck:  # a proxy may hold the wrong bytes
            headers.append("Cache-Control: no-cache")
        part = self.part
        if part.have:
            known_digest = self.request.digest is not None and not self._whole
            ranged = range_headers(part.have, part.half, self._address, digest_known=known_digest)
            if ranged is None or self._whole:
                self.forget()
            else:
                self._asked_from = part.have
                headers.extend(ranged)
        return tuple(headers)

    # While it is answered -------------------------------------------------------------------------

    def body(self, data: bytes) -> int | None:
        """Bytes of the answer's body, from libcurl; _ABORT when no more of them are wanted."""
        size = len(data)
        if self.taking or self._open_or_fail():
            self._meter.came += size
            return None if self._take_or_fail(data, size) else _ABORT
        self._meter.add(more=size, lost=size)
        self._waste += size
        refused = self._verdict or self._restart or self._fault or self._waste > _WASTE
        return _ABORT if refused else None

    def take(self, data: bytes) -> bool:
        """Bytes of the file from elsewhere. Whether more are wanted."""
        self._meter.add(more=len(data))
        return self._take(data, len(data))

    def _take_or_fail(self, data: bytes, size: int) -> bool:
        """Within libcurl nothing may be raised."""
        try:
            return self._take(data, size)
        except OSError as error:
            self._fault = error
            return False

    def _take(self, data: bytes, size: int) -> bool:
        part = self.part
        if self._paced:
            self._rules.pace.spend(size, clock.monotonic())
        if part.have + size > self._most:
            self._meter.add(lost=size)
            self._too_large()
            return False
        part.write(data, size)
        return True

    def _open_or_fail(self) -> bool:
        try:
            return self._open()
        except OSError as error:
            self._fault = error
            return False

    def _open(self) -> bool:
        """Whether the body that begins is the file's."""
        head = self._head = Head(self.lines)
        if head.status not in (200, 206):
            return False
        size = self.request.size
        content_range = head.field(b"content-range") if head.status == 206 else ""
        opening = judge_opening(head.status, content_range, self._asked_from, head.length, size)
        if opening is Opening.WRONG:
            said = "" if head.length is None else f": it has {head.length} bytes, not {size}"
            said = said if head.status == 200 else ": part of the file, which was not asked for"
            self._verdict = Verdict(Ending.WRONG_CONTENT, False, f"not the file{said}")
            return False
        if opening is Opening.RESTART:
            self._restart = True
            return False
        self.taking = True
        if opening is Opening.FROM_START:
            self._asked_from = 0
            if self.part.have:
                self.forget()
            if size is None or size > _UNBUFFERED_NOTE:
                self._remember_source(head)
        else:
            self.part.resumed = True
        return True

    def _too_large(self) -> None:
        if self.part.resumed:
            self._restart = True
            return
        why = f"not the file: it has more than {self._most} bytes"
        self._verdict = Verdict(Ending.WRONG_CONTENT, again=False, why=why)

    def _remember_source(self, head: Head) -> None:
        self.part.half = Half(self._address, *head.validators)

    def forget(self) -> None:
        self._meter.add(lost=self.part.have)
        self.part.reset()

    def stopped(self) -> Result | Again:
        """No more bytes are wanted of an address that is not libcurl's."""
        return self.failed(self._verdict) if self._verdict else GO_ON

    # After the answer -----------------------------------------------------------------------------

    def ended(self, number: int, text: str, location: str) -> Result | Again:
        """The request is over: with libcurl's error `number` and `text`, or with an answer, which may
        redirect to `location`."""
        if self._fault is not None:
            raise self._fault
        if self._restart:
            return self._from_start()
        verdict, head = self._verdict, self._head or Head(self.lines)
        if verdict is None and number and head.status < 300:
            if self.part.complete and self.request.digest is not None:
                return self.complete(None)  # all came, but for the farewell
            self._keep_source()
            verdict = judge_failure(number, shown(text))
        if verdict is not None:
            return self.failed(verdict)
        return self._answered(head, location)

    def _answered(self, head: Head, location: str) -> Result | Again:
        status = head.status
        if status < 500 and status not in (408, 429):
            self._rules.health.answered(self._origin)
        if status in (200, 206):
            if self.taking or self._open():
                return self.complete(head.validators if self.request.digest is None else None)
            return self.failed(self._verdict) if self._verdict else self._from_start()
        if status == 304 and self.request.known is not None:
            return self.not_modified()
        if status in (301, 302, 303, 307, 308) and location:
            return self._redirected(location)
        if status == 416 and self._asked_from:
            return self._from_start()
        verdict = judge_status(status, head.field(b"retry-after"), clock.now().timestamp())
        return self.failed(verdict._replace(why=verdict.why + self._about_credentials(status)))

    def complete(self, validators: Validators | None) -> Result | Again:
        """All that the address has of the file has come."""
        size = self.request.size
        if size is not None and self.part.have < size:
            self._keep_source()
            why = f"the answer ended after {self.part.have} of {size} bytes"
            return self.failed(Verdict(Ending.UNREACHABLE, again=True, why=why))
        self.part.finish()
        if why := self.part.differs:
            if self.part.resumed and not self._whole:
                return self._from_start()
            return self.failed(Verdict(Ending.WRONG_CONTENT, again=False, why=f"not the file: {why}"))
        return self._result(Ending.DONE, validators)

    def _keep_source(self) -> None:
        if self.part.have and self.taking and not self._asked_from:
            self._remember_source(Head(self.lines))

    def _redirected(self, location: str) -> Result | Again:
        self._redirects += 1
        if self._redirects > _MOST_REDIRECTS:
            return self.failed(Verdict(Ending.FORBIDDEN, again=False, why="it redirects without end"))
        url = split_userinfo(location)[0]
        origin = origin_of(url)
        if origin.scheme not in _SCHEMES[:2]:
            why = f"it redirects to {shown(url)[:200]}"
            return self.failed(Verdict(Ending.FORBIDDEN, again=False, why=why))
        self.url, self._origin = url, origin
        return GO_ON

    def _about_credentials(self, status: int) -> str:
        access = self.request.access
        if status not in (401, 403) or not (access.user or access.netrc or access.headers):
            return ""
        return "" if self.standing().own else " (the source's credentials are for another host)"

    def _from_start(self) -> Again:
        """Once more, all of it: what was added to does not fit."""
        self.forget()
        self._whole = True
        self.url, self._origin = self._address, origin_of(self._address)
        self._new_attempt()
        return GO_ON

    def failed(self, verdict: Verdict) -> Result | Again:
        """The address did not give the file: what now?"""
        where = shown(self.url)
        if verdict.ending is Ending.WRONG_CONTENT:
            self.forget()
            verdict = verdict._replace(again=self._itinerary.alone and not self._struck)
            self._struck = True
        before = self._itinerary.current
        self._itinerary.failed(verdict._replace(why=f"{where}: {verdict.why}"))
        self._new_attempt()
        delay, current = 0.0, self._itinerary.current
        if current is not None and self._itinerary.tries_before:
            asked_for = verdict.retry_after if current == before else 0.0
            delay = self._rules.backoff.delay(self._itinerary.tries_before - 1, asked_for, random.random)
        return self._choose(Again(delay, f"{where}: {verdict.why}"))

    # The end --------------------------------------------------------------------------------------

    def not_modified(self) -> Result:
        return self._result(Ending.NOT_MODIFIED)

    def _result(self, ending: Ending, validators: Validators | None = None) -> Result:
        part, url = self.part, shown(self.url)
        if ending is not Ending.DONE:
            return Result(ending, url, attempts=self.attempts)
        file: Path | str | None = part.file
        if isinstance(self.request.target, Path):
            file = Path(part.file or "")
        return Result(ending, url, file, part.sha256, part.have, validators, self.attempts, "", part.data)

    def _lost(self) -> Result:
        """Every address has failed for good."""
        verdicts = self._itinerary.verdicts()
        addresses = [split_userinfo(url)[0] for url in self.request.urls]
        if not verdicts:
            return Result(Ending.NOT_FOUND, "", why="no address to ask")
        for index, ending, _ in verdicts:
            if ending is Ending.UNREACHABLE:
                self._rules.health.exhausted(origin_of(addresses[index]))
        ending = verdicts[0][1]
        why = "; ".join(why for _, _, why in verdicts[:_MOST_REASONS])
        return Result(ending, shown(addresses[verdicts[0][0]]), attempts=self.attempts, why=why)

    def close(self, result: Result | None) -> None:
        """Let go of the bytes: taken (DONE), of use for another run (UNREACHABLE, or interrupted: None), or of
        none."""
        if result is None or result.ending is Ending.UNREACHABLE:
            self.part.keep()
        elif result.ending is Ending.DONE:
            self.part.release()
        else:
            self.part.discard()
        kept = result is not None and result.ending is Ending.DONE
        self._meter.add(lost=0 if kept else self.part.have, files=int(result is not None))
