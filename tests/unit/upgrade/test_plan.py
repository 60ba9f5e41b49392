# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as a whole: phases entered, services moved, expected times, questions, notes."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from orchestrator.upgrade.header import RunRule
from orchestrator.upgrade.plan import Plan, Question
from orchestrator.upgrade.runstate import Found
from orchestrator.upgrade.scripts import Kind, Masked, Step
from orchestrator.upgrade.situation import Durations
from orchestrator.upgrade.targets import Transition, start_order, stop_order
from tests.support.plans import (
    DISABLED,
    DOWN,
    PHASES,
    UP,
    UP_DISABLED,
    application,
    attempt,
    backend,
    event,
    external,
    history,
    phase,
    plan,
    run_of,
    step,
)

SERVICES = {"web": application("db"), "db": backend(), "remote": external()}
IN_PHASE = {
    "backends-down": step("upgrade/0010_a"),
    "backends-up": step("upgrade/3010_b"),
    "all-up": step("upgrade/6010_c"),
}
FOUND = {"up": UP, "down": DOWN, "down and disabled": DISABLED, "up and disabled": UP_DISABLED}


def moves(made: Plan) -> list[tuple[str | None, tuple[str, ...], tuple[str, ...]]]:
    return [(move.phase, move.stop, move.start) for move in made.transitions]


# Phases and services --------------------------------------------------------------------------------------


def subsets() -> list[tuple[str, ...]]:
    return [names for size in (1, 2, 3) for names in itertools.combinations(IN_PHASE, size)]


@pytest.mark.parametrize("entered", subsets(), ids=" ".join)
@pytest.mark.parametrize(("web", "db"), list(itertools.product(FOUND, FOUND)))
def test_services_are_as_promised_in_every_phase_and_nothing_else_is_moved(
    entered: tuple[str, ...], web: str, db: str
) -> None:
    found = {"web": FOUND[web], "db": FOUND[db], "remote": UP}
    made = plan(*(IN_PHASE[name] for name in entered), services=SERVICES, found=found)
    assert [one.name for one in made.entered] == list(entered)
    assert [move.phase for move in made.transitions] == [*entered, None]
    up = {name for name, fact in found.items() if fact.up}
    for move in made.transitions:
        assert set(move.stop) <= up - {"remote"}
        assert not set(move.start) & up
        up = up - set(move.stop) | set(move.start)
        for name in ("web", "db"):
            assert (name in up) == may_be_up(name, move.phase, found[name]), f"{name} in {move.phase}"
    if entered == ("all-up",):
        assert not any(move.stop for move in made.transitions)


def may_be_up(name: str, phase_name: str | None, found: Found) -> bool:
    """Whether the phase has the service up; at the end all are but those that were down and are disabled."""
    wanted = phase(phase_name).wants(SERVICES[name].tier) == "up" if phase_name else True
    return wanted and not found.stays_down


def test_a_service_down_and_disabled_that_a_phase_wants_up_is_left_alone() -> None:
    made = plan(IN_PHASE["all-up"], services=SERVICES, found={"web": UP, "db": DISABLED, "remote": UP})
    assert moves(made) == [("all-up", (), ()), (None, (), ())]


def test_with_nothing_due_no_phase_is_entered_and_nothing_is_moved() -> None:
    made = plan(IN_PHASE["backends-down"], services=SERVICES, found={"db": DOWN}, history=history("0010_a"))
    assert (made.entered, made.transitions, made.questions, made.downtime) == ((), (), (), None)
    assert not made.pending


def test_a_run_that_is_continued_still_starts_what_it_stopped_though_nothing_is_due() -> None:
    run = run_of(event("debt", kind="stopped", service="db"), event("phase-entered", phase="backends-down"))
    made = plan(
        services=SERVICES, found={"web": UP, "db": UP, "remote": UP}, up=frozenset(["remote"]), resumed=run
    )
    assert moves(made) == [(None, (), ("db", "web"))]
    assert made.pending


def test_a_run_that_is_continued_moves_what_is_up_now_to_where_it_must_be() -> None:
    run = run_of(event("phase-entered", phase="backends-down"))
    made = plan(
        IN_PHASE["backends-down"],
        services=SERVICES,
        found=dict.fromkeys(SERVICES, UP),
        up=frozenset(["db"]),
        resumed=run,
    )
    assert moves(made) == [("backends-down", ("db",), ()), (None, (), ("db", "web"))]


def test_applications_stop_before_backends_and_start_after_them_in_the_order_of_after() -> None:
    services = {
        "cache": backend(),
        "db": backend("cache"),
        "index": backend("db"),
        "api": application(),
        "web": application("api"),
        "worker": application("index"),
    }
    assert start_order(services, services) == ("cache", "db", "index", "api", "worker", "web")
    assert stop_order(services, services) == ("web", "worker", "api", "index", "db", "cache")
    assert start_order(["web", "cache"], services) == ("cache", "web")
    assert stop_order(["index", "cache"], services) == ("index", "cache"), "also through what is not moved"
    assert start_order([], services) == ()


def test_any_services_in_any_order_are_moved_one_after_what_they_need() -> None:
    names = ["a", "b", "c", "d"]
    edges = list(itertools.combinations(names, 2))
    for chosen in itertools.product([True, False], repeat=len(edges)):
        after: dict[str, list[str]] = {name: [] for name in names}
        for (earlier, later), wanted in zip(edges, chosen, strict=True):
            if wanted:
                after[later].append(earlier)
        services = {name: backend(*after[name]) for name in names}
        order = start_order(names, services)
        assert sorted(order) == names
        assert all(order.index(other) < order.index(name) for name in names for other in after[name])
        stopped = stop_order(names, services)
        assert all(stopped.index(other) > stopped.index(name) for name in names for other in after[name])


# Times ----------------------------------------------------------------------------------------------------

SECONDS = {
    "stop web": 1.0,
    "stop db": 2.0,
    "start db": 4.0,
    "start web": 8.0,
    "upgrade/0010_a": 16.0,
    "upgrade/3010_b": 32.0,
    "upgrade/6010_c": 64.0,
}


@pytest.mark.parametrize(
    ("entered", "total", "downtime"),
    [
        (("all-up",), 64, None),
        (("backends-up",), 1 + 32 + 8, 1 + 32 + 8),
        (("backends-down",), 3 + 16 + 12, 3 + 16 + 12),
        (("backends-down", "backends-up"), 3 + 16 + 4 + 32 + 8, 3 + 16 + 4 + 32 + 8),
        (("backends-down", "all-up"), 3 + 16 + 12 + 64, 3 + 16 + 12),
        (("backends-up", "all-up"), 1 + 32 + 8 + 64, 1 + 32 + 8),
        (tuple(IN_PHASE), 127, 63),
    ],
)
def test_the_downtime_is_from_the_first_stop_until_all_are_ready(
    entered: tuple[str, ...], total: float, downtime: float | None
) -> None:
    made = plan(*(IN_PHASE[name] for name in entered), services=SERVICES, durations=Durations(SECONDS))
    assert (made.seconds, made.downtime, made.seconds_unknown) == (total, downtime, 0)


def test_nothing_is_down_longer_because_something_was_down_before() -> None:
    found = {"web": DOWN, "db": DOWN, "remote": UP}
    made = plan(IN_PHASE["backends-down"], services=SERVICES, found=found, durations=Durations(SECONDS))
    assert made.downtime is None


def test_this_hosts_own_durations_come_before_the_authors_estimate() -> None:
    steps = [
        step("default/6010_a", estimate=5.0),
        step("default/6020_b", estimate=5.0),
        step("default/6030_c"),
    ]
    made = plan(*steps, durations=Durations({"default/6010_a": 1.0}))
    assert [planned.estimate for planned in made.steps] == [1.0, 5.0, None]
    assert (made.seconds, made.seconds_unknown) == (6.0, 1)


def test_the_point_of_no_return_is_the_first_one_shot_that_is_due() -> None:
    steps = [step("default/0005_z"), *IN_PHASE.values()]
    assert plan(*steps).no_return == "upgrade/0010_a"
    assert plan(*steps, history=history("0010_a")).no_return == "upgrade/3010_b"
    assert plan(*steps, skip=("0010",)).no_return == "upgrade/3010_b"
    assert plan(step("default/0005_z")).no_return is None


@pytest.mark.parametrize(
    ("events", "passed"),
    [
        ([], False),
        (attempt("default/0005_z", "done"), False),
        (attempt("check/0001_c", "done"), False),
        (attempt("upgrade/0010_a", "failed"), True),
        (attempt("upgrade/0010_a", None), True),
    ],
)
def test_the_point_of_no_return_is_passed_once_a_one_shot_has_begun(events: list[Any], passed: bool) -> None:
    assert plan(*IN_PHASE.values(), resumed=run_of(*events)).no_return_passed == passed


# Questions --------------------------------------------------------------------------------------------------

CONTINUE = Question("continue", "Go on?", routine=True)


def test_a_plan_with_something_due_asks_the_routine_question_last() -> None:
    assert plan(step("default/0010_a")).questions == (CONTINUE,)
    risky = step("upgrade/0010_a", risk="drops all")
    assert plan(risky).questions == (Question("0010", "upgrade/0010_a drops all"), CONTINUE)


def test_what_does_not_run_asks_nothing() -> None:
    risky = step("upgrade/0010_a", risk="drops all", apply=("other",))
    assert plan(risky).questions == ()
    done = step("upgrade/0010_a", risk="drops all")
    assert plan(done, history=history("0010_a")).questions == ()
    assert plan(done, step("default/0020_b"), skip=("0010",)).questions == (CONTINUE,)
    assert plan(step("check/0010_a", risk="none")).questions == ()


@pytest.mark.parametrize(
    ("answer", "asked"), [(None, True), (False, True), (True, False)], ids=["unanswered", "no", "yes"]
)
def test_a_run_that_is_continued_does_not_ask_again_for_what_was_agreed(
    answer: bool | None, asked: bool
) -> None:
    risky = step("upgrade/0010_a", risk="drops all")
    events = attempt(risky.id, "failed")
    if answer is not None:
        events = [event("answered", question="0010", answer=answer), *events]
    assert (len(plan(risky, resumed=run_of(*events)).questions) == 2) == asked


@pytest.mark.parametrize(
    ("rerun_ask", "status", "asked"),
    [(True, "unknown", True), (False, "unknown", False), (True, "failed", False), (True, None, False)],
)
def test_a_step_whose_end_nobody_knows_may_ask_before_it_runs_again(
    rerun_ask: bool, status: str | None, asked: bool
) -> None:
    one = step("upgrade/0010_a", rerun_ask=rerun_ask)
    questions = plan(one, resumed=run_of(*attempt(one.id, status))).questions
    assert [question.id for question in questions] == (["rerun-0010"] if asked else []) + ["continue"]


# Checks, notes, pending --------------------------------------------------------------------------------------


def checks(*steps: Step, **parts: Any) -> list[str]:
    return [one.id for one in plan(*steps, **parts).checks]


def test_checks_are_no_steps_of_a_phase_and_make_nothing_due() -> None:
    made = plan(step("check/0010_a"))
    assert [one.id for one in made.checks] == ["check/0010_a"]
    assert (made.steps, made.entered, made.pending) == ((), (), False)


def test_checks_that_do_not_apply_or_have_passed_in_this_run_are_not_asked() -> None:
    ones = [step("check/0010_a"), step("check/0020_b"), step("check/0030_c", apply=("other",))]
    assert checks(*ones) == ["check/0010_a", "check/0020_b"]
    run = run_of(*attempt("check/0010_a", "done"), *attempt("check/0020_b", "failed"))
    assert checks(*ones, resumed=run) == ["check/0020_b"]
    again = run_of(*attempt("check/0010_a", "done"), event("run-restarted"))
    assert checks(*ones, resumed=again) == ["check/0010_a", "check/0020_b"]


def test_what_is_masked_is_a_note() -> None:
    made = plan(masked=(Masked(Kind.UPGRADE, "0010_a.sh", Path("/own/upgrade/0010_a.sh")),))
    assert made.notes == ("upgrade/0010_a.sh is masked by /own/upgrade/0010_a.sh",)


def test_what_differs_since_the_run_began_is_a_note() -> None:
    steps = [
        step("upgrade/0010_a"),
        step("upgrade/0020_b", sha256="new"),
        step("upgrade/0030_c"),
        step("check/0040_d"),
    ]
    saved = {"upgrade/0010_a": "same", "upgrade/0020_b": "old", "upgrade/0050_e": "same"}
    assert plan(*steps, resumed=run_of(), saved_steps=saved).notes == (
        "upgrade/0020_b was changed since this run began",
        "upgrade/0030_c is new since this run began",
        "upgrade/0050_e is gone since this run began",
    )


@pytest.mark.parametrize(
    ("steps", "parts", "pending"),
    [
        ([], {}, False),
        ([step("default/0010_a")], {}, False),
        ([step("upgrade/0010_a")], {}, True),
        ([step("upgrade/0010_a")], {"history": history("0010_a")}, False),
        ([step("upgrade/0010_a")], {"skip": ("0010",)}, False),
        ([step("default/0010_a", run=RunRule.ON_CHANGE)], {}, True),
        ([], {"resumed": run_of()}, True),
    ],
)
def test_pending_is_work_beyond_what_runs_at_every_upgrade(
    steps: list[Step], parts: dict[str, Any], pending: bool
) -> None:
    assert plan(*steps, **parts).pending == pending


def test_the_steps_of_a_phase_are_those_with_its_numbers() -> None:
    made = plan(*IN_PHASE.values(), step("default/2999_last"))
    assert [[planned.step.number for planned in made.steps_of(one)] for one in PHASES] == [
        [10, 2999],
        [3010],
        [6010],
    ]


def test_a_transition_without_services_is_empty() -> None:
    assert plan(IN_PHASE["all-up"]).transitions == (Transition("all-up"), Transition(None))
