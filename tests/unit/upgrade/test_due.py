# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps are due and why: rule of the step, mark in the history, what an unfinished run says of it."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.upgrade.due import DUE_REASONS, Reason, matches
from orchestrator.upgrade.header import RunRule
from orchestrator.upgrade.history import Mark
from tests.support.plans import attempt, event, history, plan, run_of, step

ONCE = step("upgrade/0120_x.sh")
ALWAYS = step("default/0120_x.sh")
ON_CHANGE = step("default/0120_x.sh", run=RunRule.ON_CHANGE)
RULES = {"once": ONCE, "always": ALWAYS, "on-change": ON_CHANGE}

# Rule of the step -> line of the history -> reason, in a new run. The fingerprint of the inputs is `f`.
IN_A_NEW_RUN = {
    "once": {
        "": Reason.DUE,
        "0120_x.sh": Reason.DONE,
        "0120_x.sh t same status=done": Reason.DONE,
        "0120_x.sh t other status=done": Reason.DONE,
        "0120_x.sh t same status=marked": Reason.MARKED,
        "0120_x.sh t same status=skipped": Reason.SKIPPED,
        "0120_x.sh t same status=baseline": Reason.BASELINE,
        "0120_x.sh t same status=imported": Reason.DONE,
        "0120_x.sh t same status=unheard-of": Reason.DONE,
        "0120_y.sh t same status=done": Reason.DUE,
        "0130_z.sh t same status=done": Reason.DUE,
    },
    "always": {
        "": Reason.ALWAYS,
        "0120_x.sh": Reason.ALWAYS,
        "0120_x.sh t same status=skipped": Reason.ALWAYS,
    },
    "on-change": {
        "": Reason.DUE,
        "0120_x.sh t same status=done inputs=f": Reason.UNCHANGED,
        "0120_x.sh t same status=marked inputs=f": Reason.UNCHANGED,
        "0120_x.sh t same status=skipped inputs=g": Reason.SKIPPED,
        "0120_x.sh t same status=done inputs=g": Reason.CHANGED,
        "0120_x.sh t other status=done inputs=f": Reason.CHANGED,
        "0120_x.sh t same status=done": Reason.CHANGED,
        "0120_x.sh": Reason.CHANGED,
    },
}


@pytest.mark.parametrize(
    ("rule", "line", "reason"),
    [(rule, line, reason) for rule, table in IN_A_NEW_RUN.items() for line, reason in table.items()],
)
def test_the_decision_in_a_new_run(rule: str, line: str, reason: Reason) -> None:
    (planned,) = plan(RULES[rule], history=history(line), fingerprints={"default/0120_x.sh": "f"}).steps
    assert planned.reason is reason
    assert planned.due == (reason in DUE_REASONS)


# How the last attempt in the unfinished run ended -> reason, where the history says nothing of it.
IN_A_CONTINUED_RUN = {
    None: Reason.RUNNING,
    "unknown": Reason.INTERRUPTED,
    "done": Reason.FINISHED,
    "not-applicable": Reason.FINISHED,
    "failed": Reason.FAILED,
    "later": Reason.FAILED,
    "timed-out": Reason.FAILED,
    "stopped": Reason.FAILED,
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("status", "reason"), IN_A_CONTINUED_RUN.items())
def test_the_decision_in_a_continued_run(rule: str, status: str | None, reason: Reason) -> None:
    one = RULES[rule]
    run = run_of(*attempt(one.id, status))
    assert plan(one, resumed=run).steps[0].reason is reason


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("status", [None, "done", "failed"])
def test_only_the_last_attempt_counts(rule: str, status: str | None) -> None:
    one = RULES[rule]
    run = run_of(*attempt(one.id, "failed"), *attempt(one.id, "done", 2), *attempt(one.id, status, 3))
    assert plan(one, resumed=run).steps[0].reason is IN_A_CONTINUED_RUN[status]


@pytest.mark.parametrize("rule", RULES)
def test_what_the_run_has_not_come_to_is_decided_as_in_a_new_one(rule: str) -> None:
    expected = plan(RULES[rule]).steps[0].reason
    assert plan(RULES[rule], resumed=run_of()).steps[0].reason is expected


@pytest.mark.parametrize(
    ("rule", "line", "reason"),
    [
        ("once", "", Reason.DUE),
        ("once", "0120_x.sh t same status=done", Reason.DONE),
        ("always", "", Reason.ALWAYS),
        ("on-change", "0120_x.sh t same status=done inputs=f", Reason.UNCHANGED),
    ],
)
def test_a_run_begun_anew_forgets_its_attempts_but_not_the_history(
    rule: str, line: str, reason: Reason
) -> None:
    one = RULES[rule]
    run = run_of(*attempt(one.id, "failed"), *attempt(one.id, "done", 2), event("run-restarted"))
    made = plan(one, resumed=run, history=history(line), fingerprints={one.id: "f"})
    assert made.steps[0].reason is reason


@pytest.mark.parametrize("mark", Mark)
@pytest.mark.parametrize("status", [None, "unknown", "failed", "done"])
def test_a_line_of_the_history_outweighs_what_the_unfinished_run_says_of_a_one_shot(
    mark: Mark, status: str | None
) -> None:
    run = run_of(*attempt(ONCE.id, status))
    made = plan(ONCE, resumed=run, history=history(f"0120_x.sh t same status={mark}"))
    assert not made.steps[0].due


def test_a_line_taken_out_makes_a_step_of_the_unfinished_run_due_again() -> None:
    events = [*attempt(ONCE.id, "done"), event("history-recorded", step=ONCE.id)]
    assert plan(ONCE, resumed=run_of(*events)).steps[0].reason is Reason.DUE
    again = [*events, *attempt(ONCE.id, "done", 2)]
    assert plan(ONCE, resumed=run_of(*again)).steps[0].reason is Reason.FINISHED, (
        "its line is still to be written"
    )


# Deployments, selections, notes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("apply", "deployment", "due"),
    [((), None, True), ((), "katello", True), (("katello",), "katello", True), (("a", "katello"), "katello", True),
     (("katello",), "headpin", False), (("katello",), None, False), (("katello",), "kat", False)],
)  # fmt: skip
def test_a_step_runs_only_where_it_applies(apply: tuple[str, ...], deployment: str | None, due: bool) -> None:
    (planned,) = plan(step("upgrade/0120_x.sh", apply=apply), deployment=deployment).steps
    assert planned.due == due
    if not due:
        assert planned.reason is Reason.OTHER_DEPLOYMENT
        assert planned.notes == ("applies to " + ", ".join(apply),)


@pytest.mark.parametrize(
    ("pattern", "means"),
    [
        ("120", True),
        ("0120", True),
        ("00120", True),
        ("12", False),
        ("0120_x.sh", True),
        ("upgrade/0120_x.sh", True),
        ("default/0120_x.sh", False),
        ("0120*", True),
        ("01[0-9]0_*", True),
        ("*/0120_x.sh", True),
        ("*", True),
        ("upgrade/*", True),
        ("0120_X.sh", False),
        ("", False),
        ("\u00b2", False),
    ],
)
def test_a_pattern_means_a_number_a_name_or_a_glob(pattern: str, means: bool) -> None:
    assert matches(pattern, ONCE) == means


@pytest.mark.parametrize(
    ("only", "skip", "reasons"),
    [
        ((), (), [Reason.DUE, Reason.ALWAYS, Reason.DUE]),
        (("0010",), (), [Reason.DUE, Reason.NOT_SELECTED, Reason.NOT_SELECTED]),
        (("0010", "upgrade/*"), (), [Reason.DUE, Reason.NOT_SELECTED, Reason.DUE]),
        ((), ("default/*",), [Reason.DUE, Reason.SKIP_ASKED, Reason.DUE]),
        (("*",), ("0030",), [Reason.DUE, Reason.ALWAYS, Reason.SKIP_ASKED]),
        (("0030",), ("0030",), [Reason.NOT_SELECTED, Reason.NOT_SELECTED, Reason.SKIP_ASKED]),
    ],
)
def test_a_selection_keeps_steps_from_running(
    only: tuple[str, ...], skip: tuple[str, ...], reasons: list[Reason]
) -> None:
    steps = (step("upgrade/0010_a"), step("default/0020_b"), step("upgrade/0030_c"))
    assert [planned.reason for planned in plan(*steps, only=only, skip=skip).steps] == reasons


def test_a_selection_says_nothing_of_what_is_done_already() -> None:
    made = plan(ONCE, history=history("0120_x.sh"), only=("0999",), skip=("0120",))
    assert made.steps[0].reason is Reason.DONE


def test_what_may_become_due_during_the_run_is_subject_to_the_selection() -> None:
    parts: dict[str, Any] = {
        "history": history("0120_x.sh t same status=done inputs=f"),
        "fingerprints": {ON_CHANGE.id: "f"},
    }
    assert plan(ON_CHANGE, only=("0999",), **parts).steps[0].reason is Reason.NOT_SELECTED
    assert plan(ON_CHANGE, skip=("0120",), **parts).steps[0].reason is Reason.SKIP_ASKED


def test_a_lower_number_that_came_later_runs_and_is_said_to_be_new() -> None:
    steps = [step("upgrade/0110_new"), ONCE, step("upgrade/0130_next"), step("default/0010_always")]
    made = plan(*steps, history=history("0120_x.sh"))
    assert [(planned.step.number, planned.notes) for planned in made.due] == [
        (10, ()),
        (110, ("new, although 0120_x.sh already ran",)),
        (130, ()),
    ]


def test_a_line_of_a_step_that_is_gone_makes_nothing_new() -> None:
    assert plan(ONCE, history=history("0130_gone")).steps[0].notes == ()


@pytest.mark.parametrize(("sha256", "notes"), [("same", ()), ("", ()), ("other", ("changed since it ran",))])
def test_a_one_shot_that_changed_since_it_ran_is_a_note(sha256: str, notes: tuple[str, ...]) -> None:
    assert plan(ONCE, history=history(f"0120_x.sh t {sha256}")).steps[0].notes == notes


def test_an_on_change_step_says_what_changed() -> None:
    for line, note in (
        ("0120_x.sh t other", "its content changed"),
        ("0120_x.sh t same inputs=g", "its inputs changed"),
    ):
        made = plan(ON_CHANGE, history=history(line), fingerprints={ON_CHANGE.id: "f"})
        assert made.steps[0].notes == (note,)


def test_an_override_is_told() -> None:
    (planned,) = plan(step("upgrade/0120_x.sh", overrides=Path("/vendor/upgrade/0120_x.sh"))).steps
    assert planned.notes == ("overrides /vendor/upgrade/0120_x.sh",)
