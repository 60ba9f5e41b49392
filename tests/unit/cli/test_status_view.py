# SPDX-License-Identifier: GPL-3.0-or-later
"""The status in words, for a terminal of 80 columns."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.cli.layout import fold
from orchestrator.cli.status import Status, Stop
from orchestrator.cli.status_view import status_lines

PROGRESS: dict[str, Any] = {
    "step": "upgrade/3010_author_table.sh",
    "number": 3,
    "total": 12,
    "elapsed": 125.0,
    "expected": 60.0,
    "quiet": 34.0,
    "service": "",
    "said": "12 of 40 tables",
}
UNIT = "orchestrator-upgrade-20261120T101112Z-4711.service"
RUNNING = Status(
    "running",
    "0003-20261120T101500Z",
    progress=PROGRESS,
    phase="backends-up",
    debts=("held:web", "stopped:web"),
    since="2026-11-20T10:15:00.000Z",
    elapsed=310.0,
    left=185.0,
    end="2026-11-20T10:23:15Z",
    steps=12,
    steps_done=2,
    services={"db": "up", "search": "starting", "web": "down"},
    stop=Stop(safe=True, when="after-step", command=f"systemctl stop {UNIT}"),
    user="root",
    invoker="terminal",
    pid=812,
    unit=UNIT,
)


def text(status: Status, width: int = 80) -> str:
    lines = [line for item in status_lines(status) for line in fold(item, width)]
    assert all(len(line.text) <= width or line.style == "command" for line in lines)
    return " ".join(" ".join(line.text for line in lines).split())


def test_a_run_tells_where_it_is_and_when_it_will_end() -> None:
    told = text(RUNNING)
    assert "Run 0003-20261120T101500Z is under way (pid 812, root, at a terminal, since 2026-" in told
    assert f"unit: {UNIT}" in told
    assert "phase: backends-up, 2 of 12 steps are done" in told
    assert "step: upgrade/3010_author_table.sh (3 of 12), for 2 min 05 s, usually 1 min 00 s" in told
    assert "so far: 12 of 40 tables" in told
    assert "silent: for 34 s" in told
    assert "run: for 5 min 10 s, about 3 min 05 s left, until about " in told
    assert "services: held down: web; starting: search; up: db" in told


@pytest.mark.parametrize("width", [40, 80, 160])
def test_it_fits(width: int) -> None:
    text(RUNNING, width)


def test_an_end_that_is_known_in_part_is_told_so() -> None:
    assert "over 3 min 05 s left, not before " in text(replace(RUNNING, left_at_least=True))
    assert "nothing is known of its end" in text(replace(RUNNING, left=None, end=None))


def test_a_step_far_over_its_usual_time_is_named() -> None:
    assert "usually 1 min 00 s: far longer than usual" in text(replace(RUNNING, far_over=True))


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        (Stop(True, "after-step", "kill -TERM 1"), "safe, it stops after this step; search, web would stay"),
        (Stop(True, "now", "kill -TERM 1"), "safe, nothing was stopped or changed yet"),
        (Stop(False, "after-step", "kill -TERM 1"), "not now: the step must not be interrupted"),
        (Stop(True, "after-services", "kill -TERM 1"), "safe, it stops after the service that is on its way"),
        (Stop(True, "asked", "kill -TERM 1"), "it was asked to, and stops after the step"),
    ],
)
def test_it_says_what_a_request_to_stop_would_do(stop: Stop, words: str) -> None:
    assert f"stopping: {words}" in text(replace(RUNNING, stop=stop))


def test_it_says_how_to_ask() -> None:
    assert text(RUNNING).endswith(f"systemctl stop {UNIT}")
    attended = replace(RUNNING, unit=None, stop=Stop(True, "after-step", "kill -TERM 812", terminal=True))
    assert text(attended).endswith("Ctrl-C where it runs, or kill -TERM 812")
    unattended = replace(attended, stop=Stop(True, "after-step", "kill -TERM 812"))
    assert text(unattended).endswith("stay down kill -TERM 812")


def test_services_on_their_way_are_told_with_what_is_heard_of_them() -> None:
    waiting = {
        **PROGRESS,
        "step": "waiting for db: refused",
        "service": "db",
        "reason": "refused",
        "elapsed": 4.0,
    }
    assert "now: waiting for db: refused, for 4.0 s" in text(replace(RUNNING, progress=waiting))


def test_somebody_who_works_without_a_run_is_named() -> None:
    holder = {"pid": 7, "purpose": "services stop", "user": "ann", "since": "10:00"}
    assert text(Status("running", holder=holder)) == (
        "orchestrator services stop (pid 7, ann, since 10:00) is under way."
    )


def test_a_request_that_waits_is_told() -> None:
    request = {"by": "deb toy", "reason": "an image is built", "at_boot": True, "time": "2026-11-20T10:00Z"}
    told = text(Status("never", request=request, next="orchestrator upgrade"))
    assert told == (
        "No upgrade has run yet. An upgrade was asked for by deb toy at 2026-11-20T10:00Z. "
        "waits: an image is built runs: at the next boot now: orchestrator upgrade"
    )
    left = {**request, "at_boot": False}
    assert "at the next boot" not in text(Status("never", request=left, next="orchestrator upgrade"))
    unfinished = Status("unfinished", "0001-x", request=request, next="orchestrator upgrade")
    assert text(unfinished).count("orchestrator upgrade") == 1
