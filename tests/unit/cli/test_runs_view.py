# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in words: bars to scale, and the course of a run in its order."""

from typing import Any

import pytest

from orchestrator.cli.runs_view import BAR_CELLS, bar, can_show, course, ending, heading, list_rows
from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.runstate import RunState, fold

FULL, HALF, EIGHTH = "\N{FULL BLOCK}", "\N{LEFT HALF BLOCK}", "\N{LEFT ONE EIGHTH BLOCK}"


@pytest.mark.parametrize(
    ("value", "blocks", "ascii_"),
    [
        (0.0, "", ""),
        (100.0, FULL * 10, "#" * 10),
        (50.0, FULL * 5, "#" * 5),
        (45.0, FULL * 4 + HALF, "#" * 4),
        (0.1, EIGHTH, "#"),
    ],
)
def test_a_bar_is_to_scale(value: float, blocks: str, ascii_: str) -> None:
    assert bar(value, 100.0) == blocks
    assert bar(value, 100.0, blocks=False) == ascii_
    assert len(blocks) <= BAR_CELLS


def test_a_stream_without_blocks_gets_characters_it_has() -> None:
    runs = [("0001-x", RunState(run="0001-x", downtime=3.0)), ("0002-x", RunState(run="0002-x"))]
    assert [row[-1] for row in list_rows(runs, "utf-8")] == [FULL * 10, ""]
    assert [row[-1] for row in list_rows(runs, "latin-1")] == ["#" * 10, ""]
    assert not can_show(FULL, "no such encoding")


def events(*told: tuple[str, dict[str, Any]]) -> list[Event]:
    return [
        Event(number, f"2026-11-20T10:00:{number:02}.000Z", float(number), EventName(name), fields)
        for number, (name, fields) in enumerate(told)
    ]


JOURNAL = events(
    ("run-started", {"run": "0001-x", "steps": 2, "user": "eve", "invoker": "terminal", "to_version": "2"}),
    ("debt", {"kind": "stopped", "service": "web"}),
    ("service-down", {"service": "web", "seconds": 0.5}),
    ("service-down", {"service": "db", "seconds": 2.0}),
    ("phase-entered", {"phase": "backends-down"}),
    ("step-started", {"step": "upgrade/0010_a.sh", "attempt": 1}),
    ("step-ended", {"step": "upgrade/0010_a.sh", "status": "failed", "seconds": 1.0, "message": "exit status 1"}),
    ("run-stopped", {"reason": "upgrade/0010_a.sh failed", "exit_code": 1}),
    ("run-continued", {"user": "bob", "invoker": "boot", "steps": 2}),
    ("step-started", {"step": "upgrade/0010_a.sh", "attempt": 2}),
    ("step-ended", {"step": "upgrade/0010_a.sh", "status": "done", "seconds": 1.0}),
    ("step-started", {"step": "upgrade/0020_b.sh", "attempt": 1}),
)  # fmt: skip


def test_the_course_of_a_run_tells_phases_services_and_attempts() -> None:
    rows = [(row.status, row.seconds, row.cells()[3]) for row in course(JOURNAL)]
    assert rows == [
        ("down", 2.0, "web, db"),
        ("phase", None, "backends-down"),
        ("failed", 1.0, "upgrade/0010_a.sh (try 1): exit status 1"),
        ("stopped", None, "upgrade/0010_a.sh failed"),
        ("continued", None, "by bob (boot)"),
        ("done", 1.0, "upgrade/0010_a.sh (try 2)"),
        ("running", None, "upgrade/0020_b.sh"),
    ]


def test_the_heading_tells_who_when_and_what_became_of_it() -> None:
    state = fold(JOURNAL)
    assert [line.text for line in heading("0001-x", state, JOURNAL, running=False)] == [
        "Run 0001-x: unfinished",
        "  version   2",
        "  started   2026-11-20 10:00:00 UTC by eve (terminal)",
        "  continued 1 time",
        "  downtime  none, and since 2026-11-20 10:00:01 UTC",
    ]
    assert heading("0001-x", state, JOURNAL, running=True)[0].text.endswith("under way")
    assert [line.text for line in ending(state)] == ["still to undo: stopped:web"]
    done = fold([*JOURNAL, *events(("run-ended", {"outcome": "done", "exit_code": 0}))])
    assert heading("0001-x", done, JOURNAL, running=False)[3].text.startswith(
        "  ended     2026-11-20 10:00:00 UTC, after"
    )
