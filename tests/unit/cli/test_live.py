# SPDX-License-Identifier: GPL-3.0-or-later
"""The live view between its threads: those of the runner tell it what happens, another one draws it."""

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.cli.live import LiveReporter
from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.reporter import Progress


def event(name: EventName, **fields: Any) -> Event:
    return Event(1, "2026-01-01T00:00:00.000Z", 0.0, name, fields)


@pytest.fixture
def busy_threads() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def watch(rounds: int) -> None:
    for _ in range(rounds):
        view = LiveReporter("orchestrator upgrade", verbose=False)
        view._live.refresh_per_second = 2000
        for number in range(50):
            step = f"upgrade/{number:04}_x.sh"
            view.event(event(EventName.STEP_STARTED, step=step, phase="all-up"))
            view.progress(Progress("r", "all-up", step, 1, 2, elapsed=0.1, expected=None, quiet=0.0))
            view.output(step, b"one\ntwo\n")
            view.event(event(EventName.STEP_ENDED, step=step, status="done", seconds=0.1))
        view.event(event(EventName.RUN_ENDED, outcome="done", downtime=0))


@pytest.mark.usefixtures("busy_threads")
def test_whoever_tells_and_whoever_draws_never_wait_for_each_other() -> None:
    watcher = threading.Thread(target=watch, args=(8,), daemon=True)
    watcher.start()
    watcher.join(30)
    assert not watcher.is_alive()
