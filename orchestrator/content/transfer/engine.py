# SPDX-License-Identifier: GPL-3.0-or-later
"""The transfer: the only part of the program that talks to content servers."""

import concurrent.futures
import threading
from collections import deque
from collections.abc import Callable, Sequence

from orchestrator.content.source import Common
from orchestrator.content.transfer.job import Rules
from orchestrator.content.transfer.loop import Batch, Loop
from orchestrator.content.transfer.policy import Backoff, Pace
from orchestrator.content.transfer.requests import Request, Result, Retrying, Tally
from orchestrator.errors import Interrupted
from orchestrator.host import clock

Watch = Callable[[Tally | Retrying], None]
# Seconds: how often the caller's thread looks at `stop` and tells the tally, and what "lately" means.
_TURN = 0.1
_LATELY = 5.0
_BACKOFF = Backoff()
# So few requests are no work for several threads, and better sent on a connection that is open.
_FEW = 4
# Below this rate a connection is no longer steady, and fewer are used.
_SLOWEST_CONNECTION = 32 * 1024


def _nobody(_: Tally | Retrying) -> None:
    pass


def _nothing(_index: int, _result: Result) -> None:
    pass


class Transfer:
    """Fetches files over HTTP(S), and from file:// addresses. `watch` and `stop` are called in the thread that
    calls `fetch`, `stop` at least five times a second. Connections live until `close`."""

    def __init__(
        self,
        common: Common,
        *,
        watch: Watch = _nobody,
        stop: Callable[[], bool] = lambda: False,
        backoff: Backoff = _BACKOFF,
    ) -> None:
        self._common, self._watch, self._stop, self._backoff = common, watch, stop, backoff
        self._loops: list[Loop] = []
        self._pace = Pace(common.rate_limit)
        connections = max(1, common.connections)
        if common.rate_limit:
            connections = max(1, min(connections, common.rate_limit // _SLOWEST_CONNECTION))
        threads = min(connections, 2)
        self._shares = [connections // threads + (i < connections % threads) for i in range(threads)]

    def fetch(
        self,
        requests: Sequence[Request],
        *,
        done: Callable[[int, Result], None] = _nothing,
        bytes_total: int | None = None,
    ) -> list[Result]:
        """All of them, in parallel; the results in the order asked.

        `requests` is indexed once for each, when its turn has come. `done` is told of each result as it comes,
        from the transferring threads; until it returns, no other process touches the result's file, which it
        may rename. `bytes_total`: what the known sizes add up to, if the caller knows.

        Never raises for what servers and networks do. Raises OSError, naming the path, when the disk fails,
        Interrupted when `stop` says so, Invalid for a password that cannot be read; what is half there stays
        for the next time.
        """
        if not requests:
            return []
        if bytes_total is None:
            bytes_total = sum(request.size or 0 for request in requests)
        halt = threading.Event()
        rules = Rules(self._common.retries, self._backoff, self._pace, halt.is_set)
        batch = Batch(requests, rules, done, halt)
        loops = self._loops_for(len(requests))
        progress = _Progress(loops, len(requests), bytes_total)
        with concurrent.futures.ThreadPoolExecutor(len(loops), "transfer") as threads:
            try:
                running = [threads.submit(loop.run, batch) for loop in loops]
                self._wait(running, batch, progress)
            finally:
                halt.set()
        for thread in running:
            thread.result()
        self._tell(batch, progress)
        return [result for result in batch.results if result is not None]

    def close(self) -> None:
        """Close all connections."""
        for loop in self._loops:
            loop.close()
        self._loops.clear()

    def _loops_for(self, count: int) -> list[Loop]:
        wanted = 1 if count <= _FEW else len(self._shares)
        while len(self._loops) < wanted:
            self._loops.append(Loop(self._common, self._shares[len(self._loops)]))
        return self._loops[:wanted]

    def _wait(
        self, running: list[concurrent.futures.Future[None]], batch: Batch, progress: "_Progress"
    ) -> None:
        waiting = set(running)
        while True:
            finished, waiting = concurrent.futures.wait(waiting, _TURN, concurrent.futures.FIRST_EXCEPTION)
            if any(thread.exception() for thread in finished):
                batch.halt.set()
            if not waiting:
                return
            if self._stop():
                raise Interrupted("stopped while files were fetched")
            self._tell(batch, progress)

    def _tell(self, batch: Batch, progress: "_Progress") -> None:
        while not batch.retries.empty():
            self._watch(batch.retries.get())
        self._watch(progress.tally())


class _Progress:
    """Adds up what the loops have moved since the batch began."""

    def __init__(self, loops: Sequence[Loop], files: int, bytes_total: int) -> None:
        self._meters = [loop.meter for loop in loops]
        self._files, self._bytes_total = files, bytes_total
        self._begin = self._sums()
        self._lately = deque([(clock.monotonic(), 0)])

    def _sums(self) -> tuple[int, int, int]:
        meters = self._meters
        return sum(m.files for m in meters), sum(m.have for m in meters), sum(m.received for m in meters)

    def tally(self) -> Tally:
        files, have, received = (now - then for now, then in zip(self._sums(), self._begin, strict=True))
        moment = clock.monotonic()
        self._lately.append((moment, received))
        while len(self._lately) > 2 and moment - self._lately[0][0] > _LATELY:
            self._lately.popleft()
        since, before = self._lately[0]
        rate = (received - before) / max(moment - since, 0.001)
        return Tally(files, self._files, have, max(self._bytes_total, have), rate)
