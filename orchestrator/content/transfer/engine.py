# SPDX-License-Identifier: GPL-3.0-or-later
"""The transfer: the only part of the program that talks to content servers."""

import concurrent.futures
import threading
from collections import deque
from collections.abc import Callable, Sequence

from orchestrator.content.source import Common
from orchestrator.content.transfer.loop import Batch, Loop
from orchestrator.content.transfer.policy import Backoff, Pace
from orchestrator.content.transfer.requests import Request, Result, Retrying, Tally
from orchestrator.content.transfer.rules import Meter, Rules
from orchestrator.errors import Interrupted
from orchestrator.host import clock

Watch = Callable[[Tally | Retrying], None]
# Seconds: how often the caller's thread looks at `stop` and tells the tally, and what "lately" means.
_TURN = 0.1
_LATELY = 5.0
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
        backoff: Backoff | None = None,
    ) -> None:
        self._common, self._watch, self._stop = common, watch, stop
        self._backoff = backoff or Backoff(common.retry_delay)
        self._loop: Loop | None = None
        self._pace = Pace(common.rate_limit)
        self._connections = max(1, common.connections)
        if common.rate_limit:
            self._connections = max(1, min(self._connections, common.rate_limit // _SLOWEST_CONNECTION))

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
        progress = _Progress(rules.meter, len(requests), bytes_total)
        if self._loop is None:
            self._loop = Loop(self._common, self._connections)
        try:
            self._run(self._loop, batch, progress)
        finally:
            batch.abandon()
        self._tell(batch, progress)
        return [result for result in batch.results if result is not None]

    def close(self) -> None:
        """Close all connections."""
        if self._loop is not None:
            self._loop.close()
            self._loop = None

    def _run(self, loop: Loop, batch: Batch, progress: "_Progress") -> None:
        with concurrent.futures.ThreadPoolExecutor(1, "transfer") as threads:
            try:
                running = threads.submit(loop.run, batch)
                self._wait(running, batch, progress)
            finally:
                batch.halt.set()
        running.result()

    def _wait(self, running: concurrent.futures.Future[None], batch: Batch, progress: "_Progress") -> None:
        while concurrent.futures.wait([running], _TURN).not_done:
            if not batch.halt.is_set():  # else it has failed, which is told next
                if self._stop():
                    raise Interrupted("stopped while files were fetched")
                self._tell(batch, progress)

    def _tell(self, batch: Batch, progress: "_Progress") -> None:
        while not batch.retries.empty():
            self._watch(batch.retries.get())
        self._watch(progress.tally())


class _Progress:
    """The tally of a batch, from what its jobs have moved."""

    def __init__(self, meter: Meter, files: int, bytes_total: int) -> None:
        self._meter, self._files, self._bytes_total = meter, files, bytes_total
        self._lately = deque([(clock.monotonic(), 0)])

    def tally(self) -> Tally:
        meter, moment = self._meter, clock.monotonic()
        self._lately.append((moment, meter.received))
        while len(self._lately) > 2 and moment - self._lately[0][0] > _LATELY:
            self._lately.popleft()
        since, before = self._lately[0]
        rate = (meter.received - before) / max(moment - since, 0.001)
        total = max(self._bytes_total, meter.have)
        return Tally(meter.files, self._files, meter.have, total, rate)
