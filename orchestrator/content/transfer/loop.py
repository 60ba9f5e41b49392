# SPDX-License-Identifier: GPL-3.0-or-later
"""The network thread: all connections on one libcurl multi handle, jobs passing through.

A connection gets its next request before anything else is done about the last one. Hashing and writing are done
here too: a second thread for them costs more than it takes off this one.
"""

import contextlib
import heapq
import itertools
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from orchestrator.content.source import Common
from orchestrator.content.transfer import access, local
from orchestrator.content.transfer.addresses import shown
from orchestrator.content.transfer.job import Job
from orchestrator.content.transfer.requests import Request, Result, Retrying
from orchestrator.content.transfer.rules import Again, Rules
from orchestrator.host import clock

# Seconds: how long the loop waits at most before it looks around; the same when libcurl has no socket to watch.
_PATIENCE = 0.1
_FOR_NOTHING = 0.005
_REDIRECTS = (301, 302, 303, 307, 308)


class Batch:
    """The requests of one fetch."""

    def __init__(
        self,
        requests: Sequence[Request],
        rules: Rules,
        done: Callable[[int, Result], None],
        halt: threading.Event,
    ) -> None:
        self.requests, self.rules, self.halt = requests, rules, halt
        self.results: list[Result | None] = [None] * len(requests)
        self.retries: queue.SimpleQueue[Retrying] = queue.SimpleQueue()
        self.started = 0
        self.live: set[Job] = set()
        self._left: dict[str, frozenset[str]] = {"": frozenset()}
        # To be asked for again.
        self.returned: deque[tuple[Job, Again]] = deque()
        self._done = done

    def start_next(self) -> Job | None:
        """The next request of which nothing was done yet."""
        if self.started >= len(self.requests):
            return None
        job = Job(self.started, self.requests[self.started], self.rules)
        self.started += 1
        self.live.add(job)
        return job

    def is_left(self, target: str | None) -> bool:
        """Whether an earlier run began with this file. One look at its directory is for all files that are there."""
        directory, _, name = (target or "").rpartition("/")
        if directory not in self._left:
            try:
                self._left[directory] = frozenset(os.listdir(directory))
            except OSError:  # told when the file is made
                self._left[directory] = frozenset()
        return name in self._left[directory]

    def settle(self, job: Job, step: Result | Again) -> None:
        """The job has ended, or goes on."""
        if isinstance(step, Again):
            self.returned.append((job, step))
            return
        self.results[job.index] = step
        try:
            self._done(job.index, step)
        finally:
            self.live.discard(job)
            job.close(step)

    def abandon(self) -> None:
        """Leave what is half there for another run, once nobody works at it."""
        for job in self.live:
            with contextlib.suppress(OSError):  # told already, or of no use: the next run asks for all of it
                job.close(None)
        self.live.clear()


class _Slot:
    """A reusable handle, and what it was last given."""

    def __init__(self, easy: Any) -> None:
        self.easy = easy
        self.job: Job | None = None
        self.standing: access.Standing | None = None
        self.fixed: tuple[str, ...] = ()
        self.headers: tuple[str, ...] = ()


class _End(NamedTuple):
    job: Job
    number: int
    text: str
    location: str


class Loop:
    """`connections` requests at once, at most. Used by one thread at a time."""

    def __init__(self, common: Common, connections: int) -> None:
        import pycurl

        self._common = common
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self._connections = connections
        self._idle = [_Slot(pycurl.Curl()) for _ in range(connections)]
        self._active: dict[Any, _Slot] = {}
        self._ready: deque[Job] = deque()
        self._later: list[tuple[float, int, Job]] = []
        self._order = itertools.count()

    def run(self, batch: Batch) -> None:
        """Work at the batch until nothing is left of it, or it is halted. Raises OSError for the disk, and
        OrchestratorError for what is configured."""
        try:
            while not batch.halt.is_set() and self._turn(batch):
                pass
        except BaseException:
            batch.halt.set()
            raise
        finally:
            self._let_go()

    def close(self) -> None:
        """Close all connections."""
        for slot in self._idle:
            slot.easy.close()
        self._multi.close()

    def _turn(self, batch: Batch) -> bool:
        """Give free connections their requests, let libcurl do what it can, see to what has ended. False when
        all is done."""
        self._refill(batch)
        if not self._active:
            if not (self._ready or self._later or batch.returned):
                return False
            self._wait(batch, self._until_later())
            return True
        debt = batch.rules.pace.debt(clock.monotonic())
        if debt:
            self._wait(batch, debt)
            return True
        self._multi.perform()
        ends = self._collect()
        if not ends:
            self._await_network(batch)
            return True
        self._refill(batch)
        self._multi.perform()
        for end in ends:
            batch.settle(end.job, end.job.ended(end.number, end.text, end.location))
        return True

    def _await_network(self, batch: Batch) -> None:
        patience = min(_PATIENCE, self._until_later())
        timeout = self._multi.timeout()
        if timeout >= 0:
            patience = min(patience, timeout / 1000)
        if patience > 0 and self._multi.select(patience) < 0:
            self._wait(batch, min(patience, _FOR_NOTHING))

    def _until_later(self) -> float:
        return max(0.0, self._later[0][0] - clock.monotonic()) if self._later else _PATIENCE

    def _wait(self, batch: Batch, seconds: float) -> None:
        batch.halt.wait(min(_PATIENCE, seconds))

    def _refill(self, batch: Batch) -> None:
        while batch.returned:
            self._take_back(batch, *batch.returned.popleft())
        while self._idle and not batch.halt.is_set():
            job = self._next_job(batch)
            if job is None:
                return
            if job.local:
                batch.settle(job, local.answer(job))
            else:
                self._send(job)

    def _take_back(self, batch: Batch, job: Job, again: Again) -> None:
        if again.why:
            batch.retries.put(Retrying(shown(job.url), job.attempts, again.delay, again.why))
        if again.delay > 0:
            heapq.heappush(self._later, (clock.monotonic() + again.delay, next(self._order), job))
        else:
            self._ready.append(job)

    def _next_job(self, batch: Batch) -> Job | None:
        """One that goes on at once, one whose time has come, or a new one."""
        if self._ready:
            return self._ready.popleft()
        if self._later and self._later[0][0] <= clock.monotonic():
            return heapq.heappop(self._later)[2]
        while not batch.halt.is_set() and (job := batch.start_next()) is not None:
            step = job.begin_with_what_is_left() if batch.is_left(job.target) else job.begin()
            if isinstance(step, Again):
                return job
            batch.settle(job, step)
        return None

    def _send(self, job: Job) -> None:
        import pycurl

        slot = self._idle.pop()
        easy = slot.easy
        standing = job.standing()
        if standing != slot.standing:
            slot.standing = None  # while only some of it is in place
            access.apply(easy, standing, self._common)
            slot.standing, slot.fixed, slot.headers = standing, access.headers_of(standing), ()
        headers = slot.fixed + job.start()
        if headers != slot.headers:
            easy.setopt(pycurl.HTTPHEADER, [line.encode("utf-8", "surrogateescape") for line in headers])
            slot.headers = headers
        easy.setopt(pycurl.URL, job.url.encode("utf-8", "surrogateescape"))
        easy.setopt(pycurl.WRITEFUNCTION, job.body)
        easy.setopt(pycurl.HEADERFUNCTION, job.lines.append)
        slot.job = job
        self._active[easy] = slot
        self._multi.add_handle(easy)

    def _collect(self) -> list[_End]:
        """The requests that are over, their handles free again."""
        ends: list[_End] = []
        while True:
            waiting, good, bad = self._multi.info_read()
            ends.extend(self._end(easy, 0, "") for easy in good)
            ends.extend(self._end(*failure) for failure in bad)
            if not waiting:
                return ends

    def _end(self, easy: Any, number: int, text: str) -> _End:
        import pycurl

        location = b""
        slot = self._active.pop(easy)
        if easy.getinfo(pycurl.RESPONSE_CODE) in _REDIRECTS:
            location = easy.getinfo_raw(pycurl.REDIRECT_URL) or b""
        self._multi.remove_handle(easy)
        self._idle.append(slot)
        job, slot.job = slot.job, None
        assert job is not None
        return _End(job, number, text, location.decode("utf-8", "surrogateescape"))

    def _let_go(self) -> None:
        """Of all requests that are under way."""
        for easy, slot in self._active.items():
            self._multi.remove_handle(easy)
            slot.job = None
            self._idle.append(slot)
        self._active.clear()
        self._ready.clear()
        self._later.clear()
