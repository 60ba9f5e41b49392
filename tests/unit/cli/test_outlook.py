# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a run still takes: what its plan expects, less what has been done."""

from typing import Any

import pytest

from orchestrator.cli.outlook import Outlook
from orchestrator.upgrade.reporter import Progress
from tests.support.plans import event


def plan(**estimates: float | None) -> dict[str, Any]:
    """Steps a, b, ... with these estimates; on the way into `down` 10 s for two services, at the end 20 s for one."""
    return {
        "phases": ["down", "up"],
        "steps": [
            {"id": name, "phase": "down", "due": True, "estimate": seconds}
            for name, seconds in estimates.items()
        ]
        + [{"id": "not", "phase": "up", "due": False, "estimate": 1000.0}],
        "transitions": [
            {"phase": "down", "stop": ["db", "web"], "start": [], "seconds": 10.0},
            {"phase": "up", "stop": [], "start": ["db"], "seconds": 6.0},
            {"phase": None, "stop": [], "start": ["web"], "seconds": 20.0},
        ],
    }


def running(step: str, elapsed: float) -> Progress:
    return Progress("r", "down", step, 1, 2, elapsed=elapsed, expected=None, quiet=0.0)


def seconds(outlook: Outlook, progress: Progress | None = None) -> float:
    left = outlook.left(progress)
    return left.seconds if left else 0.0


def test_at_the_beginning_it_is_all_that_the_plan_expects() -> None:
    assert seconds(Outlook(plan(a=100.0, b=50.0))) == 186.0


def test_what_is_done_is_left_no_more() -> None:
    outlook = Outlook(plan(a=100.0, b=50.0))
    outlook.follow(event("service-down", service="web", seconds=1.0))
    assert seconds(outlook) == 181.0
    outlook.follow(event("step-ended", step="a", status="done", seconds=70.0))
    assert seconds(outlook) == 81.0
    assert seconds(outlook, running("b", 20.0)) == 61.0
    assert seconds(outlook, running("b", 200.0)) == 31.0, "a step that is late counts nothing"
    outlook.follow(event("step-ended", step="b", status="failed", seconds=70.0))
    assert seconds(outlook) == 81.0, "it is to be done again"


def test_a_phase_that_is_entered_has_the_ones_before_it_behind_it() -> None:
    outlook = Outlook(plan(a=100.0))
    outlook.follow(event("phase-entered", phase="up"))
    assert seconds(outlook) == 126.0


def test_services_restarted_in_between_do_not_count_for_others() -> None:
    outlook = Outlook(plan(a=100.0))
    for _ in range(3):
        outlook.follow(event("service-ready", service="db", seconds=1.0))
    assert seconds(outlook) == 130.0


@pytest.mark.parametrize(("estimate", "told"), [(100.0, "about 2 min 16 s"), (None, "over 36 s")])
def test_it_says_when_it_does_not_know_everything(estimate: float | None, told: str) -> None:
    assert str(Outlook(plan(a=estimate)).left(None)) == told


def test_without_a_plan_nothing_is_foreseen() -> None:
    assert Outlook().left(None) is None
    assert Outlook({}).describe(80, None) == "0/0"


@pytest.mark.parametrize(
    ("width", "text"), [(80, "0/1 down, about 2 min 16 s left"), (12, "0/1 down"), (5, "0/1"), (1, "")]
)
def test_where_there_is_no_room_less_is_said(width: int, text: str) -> None:
    outlook = Outlook({**plan(a=110.0), "transitions": [plan()["transitions"][1], plan()["transitions"][2]]})
    outlook.follow(event("phase-entered", phase="down"))
    assert outlook.describe(width, None) == text
