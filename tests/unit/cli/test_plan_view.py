# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as lines: transitions, steps with reasons, times, the point of no return, questions."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.layout import fold
from orchestrator.cli.plan_view import plan_lines
from orchestrator.errors import Problem
from orchestrator.upgrade.plan import Plan
from orchestrator.upgrade.scripts import Kind, Masked
from orchestrator.upgrade.situation import Durations
from tests.support.plans import application, attempt, backend, event, history, plan, run_of, step

SERVICES = {"web": application("db"), "db": backend()}
STEPS = (
    step("check/0010_room", name="Enough room"),
    step("default/0020_files", name="Move files", estimate=5.0),
    step("upgrade/0030_index", name="Drop the index", risk="drops the index"),
    step("upgrade/0040_done", name="Long ago"),
    step("upgrade/3010_schema", name="New schema"),
    step("default/6010_smoke", name="Smoke test", apply=("other",)),
)


def text(made: Plan, *, everything: bool = False, **how: Any) -> list[str]:
    lines = plan_lines(made, "Toy", everything=everything, **how)
    return [line.text for item in lines for line in fold(item, None)]


def test_a_plan_tells_everything_in_running_order() -> None:
    made = plan(
        *STEPS,
        services=SERVICES,
        history=history("0040_done t other"),
        durations=Durations({"upgrade/3010_schema": 65.0, "stop web": 1.0}),
        from_version="1.0",
        to_version="2.0",
    )
    assert [" ".join(line.split()) for line in text(made, everything=True)] == [
        "Toy 1.0 -> 2.0: 3 steps to run",
        "Before anything is stopped",
        "check/0010_room Enough room",
        "Phase backends-down (0001-2999)",
        "stop web, db",
        "default/0020_files always ~5.0 s Move files",
        "--- point of no return ---",
        "upgrade/0030_index due Drop the index; new, although 0040_done already ran",
        "Phase backends-up (3000-5999)",
        "start db",
        "upgrade/3010_schema due ~1 min 05 s New schema",
        "At the end",
        "start web",
        "Not due",
        "upgrade/0040_done done Long ago; changed since it ran",
        "default/6010_smoke other deployment Smoke test; applies to other",
        "Expected time: at least 1 min 11 s; downtime: at least 1 min 11 s; no duration is known for 1 of 3 steps",
        "Point of no return: upgrade/0030_index; until then the data is as it was",
        "Asks: upgrade/0030_index drops the index (answer with --accept 0030)",
    ]


def test_a_short_plan_only_counts_what_is_not_due() -> None:
    lines = text(plan(*STEPS, history=history("0040_done")))
    assert "2 steps not due" in lines
    assert not any("Long ago" in line for line in lines)


@pytest.mark.parametrize(
    ("parts", "title"),
    [
        ({}, "Toy: 1 step to run"),
        ({"to_version": "2.0"}, "Toy 2.0: 1 step to run"),
        ({"from_version": "2.0", "to_version": "2.0"}, "Toy 2.0: 1 step to run"),
        ({"from_version": "1.0"}, "Toy: 1 step to run"),
        ({"history": history("0010_a")}, "Toy: nothing is due"),
        ({"resumed": run_of()}, "Toy: 1 step to run, continues run 0001-x"),
    ],
)
def test_the_title_tells_versions_and_how_much_is_to_do(parts: dict[str, Any], title: str) -> None:
    assert text(plan(step("upgrade/0010_a"), **parts))[0] == title


def test_with_nothing_due_there_are_no_times_and_no_questions() -> None:
    made = plan(step("upgrade/0010_a", risk="x"), history=history("0010_a"))
    assert text(made) == ["Toy: nothing is due", "1 step not due"]


@pytest.mark.parametrize(
    ("steps", "downtime"),
    [(("default/6010_a",), "downtime: none"), (("default/3010_a",), "downtime: about 6.0 s")],
)
def test_the_downtime_is_told_and_where_there_is_none(steps: tuple[str, ...], downtime: str) -> None:
    made = plan(
        *(step(one, estimate=5.0) for one in steps),
        services=SERVICES,
        durations=Durations({"start web": 1.0}),
    )
    assert any(downtime in line for line in text(made))


def test_a_point_of_no_return_that_was_passed_is_said_to_be() -> None:
    one = step("upgrade/0010_a")
    lines = text(plan(one, resumed=run_of(*attempt(one.id, "failed"))))
    assert "Point of no return: passed; one-shot steps of this run have begun" in lines
    assert "  --- point of no return ---" not in lines


def test_notes_and_refusals_stand_at_the_end() -> None:
    made = plan(step("default/0010_a"), masked=(Masked(Kind.CHECK, "0020_b", Path("/own/check/0020_b")),))
    lines = text(made, refusals=[Problem("version", "too old", "install it")])
    assert "Note: check/0020_b is masked by /own/check/0020_b" in lines
    assert lines[-1] == "REFUSED version: too old (install it)"


def test_a_continued_plan_without_steps_tells_what_it_starts() -> None:
    run = run_of(event("debt", kind="stopped", service="db"))
    made = plan(services=SERVICES, resumed=run, up=frozenset())
    assert text(made) == ["Toy: nothing is due, continues run 0001-x", "At the end", "  start  db, web"]
