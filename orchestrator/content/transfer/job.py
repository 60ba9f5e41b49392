# SPDX-License-Identifier: GPL-3.0-or-later
"""One request on its way from address to address: what is sent, what is done with what comes, what then."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.content.fetching import Outcome
from orchestrator.content.transfer.access import Standing
from orchestrator.content.transfer.addresses import Origin, is_within, origin_of, shown, split_userinfo
from orchestrator.content.transfer.local import LocalFile, Unreadable
from orchestrator.content.transfer.part import Part
from orchestrator.content.transfer.policy import (
    Backoff,
    Half,
    Health,
    Itinerary,
    Opening,
    Pace,
    Verdict,
    judge_failure,
    judge_opening,
    judge_status,
    range_headers,
)
from orchestrator.content.transfer.reply import Head
from orchestrator.content.transfer.requests import Request, Result
from orchestrator.host import clock

_MOST_REDIRECTS = 10
_BOUNDLESS = 1 << 62
# Of a body that is not the file: less is read to the end, so that the connection can be used again.
_WASTE = 64 * 1024
_UNBUFFERED_NOTE = 512 * 1024
_ABORT = -1


@dataclass(slots=True)
class Meter:
    """What one thread has moved: `received` from the network and from disks, `have` towards complete files."""

    received: int = 0
    have: int = 0
    files: int = 0


@dataclass(slots=True)
class Rules:
    """What all jobs of a batch go by."""

    retries: int
    backoff: Backoff
    pace: Pace
    halted: Callable[[], bool]
    health: Health = field(default_factory=Health)


@dataclass(slots=True, frozen=True)
class Again:
    """The job goes on, `delay` seconds from now; `why` is empty where that is no retry."""

    delay: float = 0.0
    why: str = ""


class Job:
    """Methods raise OSError for the disk of the target. `lines` takes the heads of answers."""

    def __init__(self, index: int, request: Request, rules: Rules, meter: Meter) -> None:
        self.index, self.request = index, request
        self.lines: list[bytes] = []
        self.attempts = 0
        self.url = ""  # what is asked now: an address, or where it redirected to
        self.part = Part(request.target, request.size, request.digest)
        self._rules, self._meter = rules, meter
        self._itinerary = Itinerary(len(request.urls), rules.retries)
        limit = _BOUNDLESS if request.limit is None else request.limit
        self._most = limit if request.size is None else request.size
        self._address, self._userinfo = "", None if False else _NOBODY
        self._whole = self._struck = False
        self._fault: OSError | None = None
        self._new_attempt()

    def _new_attempt(self) -> None:
        self._asked_from = self._waste = self._redirects = 0
        self._opened = self._restart = False
        self._verdict: Verdict | None = None
        self.lines.clear()

    # Before the network ---------------------------------------------------------------------------

    def begin(self) -> Result | Again:
        """Look at what is there already, and choose the first address."""
        self.part.load(self._rules.halted)
        self._meter.have += self.part.have
        if self.part.complete and self.request.digest is not None:
            self.part.finish()
            if not self.part.differs:
                return self._done("", None)
            self._forget()
        return self._choose(Again())

    def _choose(self, go_on: Again) -> Result | Again:
        """Make the itinerary's current address the one to ask, or tell how it ended."""
        while (current := self._itinerary.current) is not None:
            self._address, self._userinfo = split_userinfo(self.request.urls[current])
            self.url = self._address
            if not self._rules.health.given_up(origin_of(self.url)):
                return go_on
            self._itinerary.failed(Verdict(Outcome.UNREACHABLE, False, "given up: it has failed too often"))
        return self._lost()

    @property
    def local(self) -> bool:
        return self.url[:5].lower() == "file:"

    def standing(self) -> Standing:
        """Who we are to the host that is asked now."""
        request = self.request
        origin = origin_of(self.url)
        owner = origin_of(split_userinfo(request.owner or request.urls[0])[0])
        userinfo = self._userinfo if self._userinfo and is_within(origin, origin_of(self._address)) else None
        return Standing(request.access, is_within(origin, owner), origin.scheme == "https", userinfo)

    def start(self) -> tuple[str, ...]:
        """A request for `url` goes out: header lines of its own."""
        if not self._redirects:
            self.attempts += 1
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
                self._forget()
            else:
                self._asked_from = part.have
                headers.extend(ranged)
        return tuple(headers)

    # While it is answered -------------------------------------------------------------------------

    def body(self, data: bytes) -> int | None:
        """Bytes of the answer's body; _ABORT when no more of them are wanted."""
        meter, size = self._meter, len(data)
        meter.received += size
        self._rules.pace.spend(size, clock.monotonic())
        try:
            if not self._opened and not self._open():
                self._waste += size
                refused = self._verdict is not None or self._restart or self._waste > _WASTE
                return _ABORT if refused else None
            if self.part.have + size > self._most:
                self._too_large()
                return _ABORT
            self.part.write(data)
        except OSError as error:
            self._fault = error
            return _ABORT
        meter.have += size
        return None

    def _open(self) -> bool:
        """Whether the body that begins is the file's."""
        head = Head(self.lines)
        if head.status not in (200, 206):
            return False
        size = self.request.size
        opening = judge_opening(
            head.status, head.field(b"content-range"), self._asked_from, head.length, size
        )
        if opening is Opening.WRONG:
            said = "" if head.length is None else f": it has {head.length} bytes, not {size}"
            said = said if head.status == 200 else ": part of the file, which was not asked for"
            self._verdict = Verdict(Outcome.WRONG_CONTENT, False, f"not the file{said}")
            return False
        if opening is Opening.RESTART:
            self._restart = True
            return False
        self._opened = True
        if opening is Opening.FROM_START:
            if self.part.have:
                self._forget()
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
        self._verdict = Verdict(Outcome.WRONG_CONTENT, again=False, why=why)

    def _remember_source(self, head: Head) -> None:
        self.part.half = Half(self._address, *head.validators)

    def _forget(self) -> None:
        self._meter.have -= self.part.have
        self.part.reset()

    # After the answer -----------------------------------------------------------------------------

    def ended(self, number: int, text: str, location: str) -> Result | Again:
        """The request is over: with libcurl's error `number` and `text`, or with an answer, which may
        redirect to `location`."""
        if self._fault is not None:
            raise self._fault
        if self._restart:
            return self._from_start()
        verdict = self._verdict
        if verdict is None and number and not self._refused_early:
            self._keep_source()
            verdict = judge_failure(number, shown(text))
        if verdict is not None:
            return self._failed(verdict)
        return self._answered(Head(self.lines), location)

    @property
    def _refused_early(self) -> bool:
        """Whether we ended it ourselves, in the middle of a body that is of no use."""
        return self._waste > _WASTE

    def _answered(self, head: Head, location: str) -> Result | Again:
        status = head.status
        if status < 500 and status not in (408, 429):
            self._rules.health.answered(origin_of(self.url))
        if status in (200, 206):
            if not self._opened and not self._open():
                return self._from_start() if self._restart else self._failed(self._verdict or _NOTHING)
            return self._complete(head)
        if status == 304 and self.request.known is not None:
            return self._result(Outcome.NOT_MODIFIED, self.url)
        if status in (301, 302, 303, 307, 308) and location:
            return self._redirected(location)
        if status == 416 and self._asked_from:
            return self._from_start()
        verdict = judge_status(status, head.field(b"retry-after"), clock.now().timestamp())
        return self._failed(verdict._replace(why=verdict.why + self._about_credentials(status)))

    def _complete(self, head: Head) -> Result | Again:
        size = self.request.size
        if size is not None and self.part.have < size:
            self._keep_source()
            why = f"the answer ended after {self.part.have} of {size} bytes"
            return self._failed(Verdict(Outcome.UNREACHABLE, again=True, why=why))
        self.part.finish()
        if why := self.part.differs:
            if self.part.resumed and not self._whole:
                return self._from_start()
            return self._failed(Verdict(Outcome.WRONG_CONTENT, again=False, why=f"not the file: {why}"))
        return self._done(self.url, head)

    def _keep_source(self) -> None:
        if self.part.have and self._opened and not self._asked_from:
            self._remember_source(Head(self.lines))

    def _redirected(self, location: str) -> Result | Again:
        self._redirects += 1
        if self._redirects > _MOST_REDIRECTS:
            return self._failed(Verdict(Outcome.FORBIDDEN, again=False, why="it redirects without end"))
        url = split_userinfo(location)[0]
        if origin_of(url).scheme not in ("http", "https"):
            why = f"it redirects to {shown(url)[:200]}"
            return self._failed(Verdict(Outcome.FORBIDDEN, again=False, why=why))
        self.url = url
        return Again()

    def _about_credentials(self, status: int) -> str:
        standing = self.standing()
        bare = standing.access._replace_proxy() if False else standing.access
        if status in (401, 403) and not standing.own and (bare.user or bare.netrc or bare.headers):
            owner = origin_of(self.request.owner or self.request.urls[0])
            return f" (the source's credentials are for {owner.host} alone)"
        return ""

    def _from_start(self) -> Again:
        """Once more, all of it: what was added to does not fit."""
        self._forget()
        self._whole = True
        self.url = self._address
        self._new_attempt()
        return Again()

    def _failed(self, verdict: Verdict) -> Result | Again:
        where = shown(self.url)
        if verdict.outcome is Outcome.WRONG_CONTENT:
            self._forget()
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

    def _done(self, url: str, head: Head | None) -> Result:
        wants_validators = head is not None and self.request.digest is None
        return self._result(Outcome.DONE, url, head.validators if head and wants_validators else None)

    def _result(self, outcome: Outcome, url: str, validators: object = None) -> Result:
        raise NotImplementedError

    def _lost(self) -> Result:
        raise NotImplementedError
