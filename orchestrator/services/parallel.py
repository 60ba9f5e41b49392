# SPDX-License-Identifier: GPL-3.0-or-later
"""Acts on services, side by side where `after` allows it: each begins when all it needs are done.

A thread of its own decides what begins. The caller only waits for it: a KeyboardInterrupt, which comes
to the main thread wherever that is, cannot come between beginning an act and knowing that it runs.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event, Thread

from orchestrator.errors import OrchestratorError, Problem
from orchestrator.services.order import next_ones

SEES_SIGNALS_EVERY = 0.05


def run_in_order(required: Mapping[str, set[str]], act: Callable[[str], None], *, workers: int = 8) -> None:
    """Call `act(name)` for every name of `required`, after all that it requires, in threads.

    After a failure nothing new begins and what runs is waited for; then the first error is raised, with
    the others attached. A KeyboardInterrupt does the same. Raises ValueError for a loop.
    """
    course = _Course(required, act, workers)
    thread = Thread(target=course.run, name="services")
    try:
        thread.start()
        # An interrupted Thread.join() would take the thread for dead (CPython 3.11); and a signal that the
        # kernel hands to another thread is seen here only when this one wakes up.
        while not course.over.wait(SEES_SIGNALS_EVERY):
            pass
    except KeyboardInterrupt:
        course.stop.set()
        # If it is not alive, it is not yet: it will find `stop` and begin nothing.
        if thread.is_alive():
            course.over.wait()
        raise
    if course.errors:
        raise _together(course.errors)
    if course.waiting:
        raise ValueError(f"waiting for each other, or for what is not among them: {sorted(course.waiting)}")


class _Course:
    """What is done, what runs, what waits; and what went wrong, in the order of its happening."""

    def __init__(self, required: Mapping[str, set[str]], act: Callable[[str], None], workers: int) -> None:
        self._required, self._act, self._workers = required, act, workers
        self.waiting = set(required)
        self.errors: list[tuple[str, BaseException]] = []
        self.stop, self.over = Event(), Event()
        self._finished: set[str] = set()
        self._running: dict[Future[None], str] = {}
        self._ended: SimpleQueue[Future[None]] = SimpleQueue()

    def run(self) -> None:
        try:
            self._run()
        finally:
            self.over.set()

    def _run(self) -> None:
        with ThreadPoolExecutor(self._workers, thread_name_prefix="service") as pool:
            self._begin(pool)
            while self._running:
                future = self._ended.get()
                name = self._running.pop(future)
                if error := future.exception():
                    self.errors.append((name, error))
                else:
                    self._finished.add(name)
                self._begin(pool)

    def _begin(self, pool: ThreadPoolExecutor) -> None:
        """Begin what may begin now; never more than can run, for nothing in the pool's queue could be held back."""
        free = self._workers - len(self._running)
        for name in next_ones(self.waiting, self._finished, self._required)[:free]:
            if self.errors or self.stop.is_set():
                return
            future = pool.submit(self._act, name)
            self.waiting.remove(name)
            self._running[future] = name
            future.add_done_callback(self._ended.put)


def _together(errors: list[tuple[str, BaseException]]) -> BaseException:
    """The first error, which also tells the others."""
    (_, first), *others = errors
    for name, error in others:
        if isinstance(first, OrchestratorError):
            more = error.problems if isinstance(error, OrchestratorError) else ()
            first.problems = (*first.problems, Problem(name, str(error)), *more)
        else:
            first.add_note(f"{name}: {error}")
    return first
