# SPDX-License-Identifier: GPL-3.0-or-later
"""Acts side by side: what may begin when, and what a failure or an interrupt leaves undone."""

import os
import signal
import threading
from collections.abc import Mapping
from threading import Barrier, Event

import pytest

from orchestrator.errors import Problem, ServiceFailed
from orchestrator.services.parallel import run_in_order

# web and worker need both databases; proxy needs web.
STACK: Mapping[str, set[str]] = {
    "postgresql": set(),
    "redis": set(),
    "web": {"postgresql", "redis"},
    "worker": {"postgresql", "redis"},
    "proxy": {"web", "postgresql", "redis"},
}
PATIENCE = 10


def test_everything_is_done_once_and_after_all_it_needs() -> None:
    done: list[str] = []

    def act(name: str) -> None:
        assert STACK[name] <= set(done)
        done.append(name)

    run_in_order(STACK, act)
    assert sorted(done) == sorted(STACK)


def test_independent_ones_run_side_by_side() -> None:
    together = Barrier(2)

    def act(name: str) -> None:
        if name in ("postgresql", "redis"):
            together.wait(PATIENCE)

    run_in_order(STACK, act)


def test_a_slow_one_holds_up_only_what_needs_it() -> None:
    after_quick = Event()

    def act(name: str) -> None:
        if name == "slow":
            assert after_quick.wait(PATIENCE)
        if name == "after-quick":
            after_quick.set()

    run_in_order({"slow": set(), "quick": set(), "after-quick": {"quick"}}, act)


def test_no_more_run_at_a_time_than_there_are_workers() -> None:
    lock = threading.Lock()
    now, most = 0, 0

    def act(_: str) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        Event().wait(0.01)
        with lock:
            now -= 1

    run_in_order({str(number): set() for number in range(12)}, act, workers=3)
    assert most == 3


def test_after_a_failure_nothing_new_begins_and_what_runs_is_waited_for() -> None:
    begun: list[str] = []
    finished: list[str] = []
    failed = Event()

    def act(name: str) -> None:
        begun.append(name)
        if name == "postgresql":
            failed.set()
            raise ServiceFailed("postgresql failed")
        assert failed.wait(PATIENCE)
        Event().wait(0.3)
        finished.append(name)

    with pytest.raises(ServiceFailed, match="postgresql failed"):
        run_in_order(STACK, act)
    assert sorted(begun) == ["postgresql", "redis"]
    assert finished == ["redis"]


def test_after_a_failure_not_even_what_needs_nothing_begins() -> None:
    begun: list[str] = []

    def act(name: str) -> None:
        begun.append(name)
        raise ServiceFailed(name)

    with pytest.raises(ServiceFailed):
        run_in_order({"a": set(), "b": set(), "c": set()}, act, workers=1)
    assert begun == ["a"]


def test_the_first_error_is_raised_and_tells_the_others() -> None:
    first = Event()

    def act(name: str) -> None:
        if name == "redis":
            first.set()
            raise ServiceFailed("redis failed", problems=[Problem("redis", "its log")])
        assert first.wait(PATIENCE)
        Event().wait(0.05)
        raise ServiceFailed("postgresql is not ready", problems=[Problem("postgresql", "another log")])

    with pytest.raises(ServiceFailed, match="redis failed") as caught:
        run_in_order({"postgresql": set(), "redis": set()}, act)
    assert [str(problem) for problem in caught.value.problems] == [
        "redis: its log",
        "postgresql: postgresql is not ready",
        "postgresql: another log",
    ]


def test_errors_of_other_kinds_are_raised_as_they_are_with_notes() -> None:
    together = Barrier(2)

    def act(name: str) -> None:
        together.wait(PATIENCE)
        raise RuntimeError(name)

    with pytest.raises(RuntimeError) as caught:
        run_in_order({"a": set(), "b": set()}, act)
    assert caught.value.__notes__ in (["a: a"], ["b: b"])


# Repeated: the interrupt should find the main thread at different places.
@pytest.mark.parametrize("delay", [0.0, 0.00005, 0.0001, 0.0002, 0.0003, 0.001, 0.01])
def test_an_interrupt_waits_for_what_runs_and_begins_nothing_new(delay: float) -> None:
    finished: list[str] = []

    def act(name: str) -> None:
        Event().wait(delay)
        os.kill(os.getpid(), signal.SIGINT)
        Event().wait(0.3)
        finished.append(name)

    with pytest.raises(KeyboardInterrupt):
        run_in_order({"first": set(), "second": {"first"}}, act)
    assert finished == ["first"]


def test_names_that_wait_for_each_other_are_an_error_not_an_endless_wait() -> None:
    done: list[str] = []
    with pytest.raises(ValueError, match=r"\['a', 'b'\]"):
        run_in_order({"a": {"b"}, "b": {"a"}, "c": set()}, done.append)
    assert done == ["c"]


def test_nothing_to_do_is_done() -> None:
    run_in_order({}, pytest.fail)
