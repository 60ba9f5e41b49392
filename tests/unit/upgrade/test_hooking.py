# SPDX-License-Identifier: GPL-3.0-or-later
"""What a package's script, and the boot, decide from what they find."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.errors import ExitCode
from orchestrator.upgrade.hooking import (
    Circumstances,
    Deed,
    Left,
    Live,
    Policy,
    Work,
    decide,
    decide_boot,
    exit_code_of,
    hook_ends,
    left_by,
)
from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.plan import Question
from orchestrator.upgrade.requests import Request
from orchestrator.upgrade.runstate import RunState, fold

POLICIES: tuple[Policy, ...] = ("run", "schedule", "notify")
DUE = Work(steps=("upgrade/0100_a.sh",), due=1)
RISK = Question("0100", "upgrade/0100_a.sh drops the old index")
HOST, IMAGE = Circumstances(), Circumstances(("this is a chroot",))
BUSY = Circumstances(live=Live("run 0003 (pid 8)"))
COVERED = Circumstances(live=Live("run 0003 (pid 8)", covers=True))


# Work -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("work", "there_is"),
    [
        (Work(), False),
        (Work(due=2), False),
        (Work(steps=("upgrade/0100_a.sh",), due=1), True),
        (Work(unfinished="0003-x"), True),
        (Work(due=2, requested=True), True),
        (Work(due=0, requested=True), False),
        (Work(due=2, from_version="1.0", to_version="2.0"), True),
        (Work(due=2, from_version=None, to_version="2.0"), True),
        (Work(due=0, from_version="1.0", to_version="2.0"), False),
        (Work(due=2, from_version="2.0", to_version="2.0"), False),
        (Work(due=2, from_version="2.0", to_version=None), False),
    ],
)
def test_steps_that_always_run_are_work_for_a_new_version_or_a_request_alone(
    work: Work, there_is: bool
) -> None:
    assert work.any == there_is
    assert (decide(work, HOST, "run").deed is Deed.RUN) == there_is


# A package's script -----------------------------------------------------------------------------------------


def test_on_a_host_at_work_the_upgrade_is_run_with_nothing_in_its_way() -> None:
    assert decide(DUE, HOST, "run").deed is Deed.RUN


@pytest.mark.parametrize("policy", POLICIES)
def test_where_no_upgrade_can_run_the_boot_is_to_run_it_unless_the_policy_only_tells(policy: Policy) -> None:
    decision = decide(DUE, IMAGE, policy)
    assert (decision.deed, decision.why) == (Deed.RECORD, "this is a chroot")
    assert decision.at_boot == (policy != "notify")
    assert not decision.start
    assert not decision.announce, "nobody is there"


def test_all_obstacles_are_told() -> None:
    assert decide(DUE, Circumstances(("one", "two")), "run").why == "one; two"


@pytest.mark.parametrize(("policy", "at_boot"), [("schedule", True), ("notify", False)])
def test_other_policies_leave_it_and_tell(policy: Policy, at_boot: bool) -> None:
    decision = decide(DUE, HOST, policy)
    assert (decision.deed, decision.at_boot, decision.announce) == (Deed.RECORD, at_boot, True)
    assert f"hook: {policy}" in decision.why


@pytest.mark.parametrize(("here", "policy"), list(itertools.product([HOST, IMAGE, BUSY], POLICIES)))
def test_what_needs_consent_is_never_run_nor_left_to_a_boot(here: Circumstances, policy: Policy) -> None:
    decision = decide(replace(DUE, questions=(RISK,)), here, policy)
    assert (decision.deed, decision.at_boot, decision.start) == (Deed.RECORD, False, False)


@pytest.mark.parametrize(
    ("work", "here", "why"),
    [
        (replace(DUE, packaging=("upgrade/0100_a.sh",)), HOST, "upgrade/0100_a.sh needs the package manager"),
        (replace(DUE, packaging=("a", "b")), HOST, "a, b need the package manager"),
        (DUE, BUSY, "run 0003 (pid 8) is under way"),
    ],
)
def test_what_is_in_the_way_only_now_is_waited_for_by_the_unit(
    work: Work, here: Circumstances, why: str
) -> None:
    decision = decide(work, here, "run")
    assert (decision.deed, decision.start, decision.at_boot) == (Deed.RECORD, True, True)
    assert decision.why.startswith(why)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("work", [replace(DUE, questions=(RISK,)), Work(unfinished="0003-x"), DUE])
def test_without_the_products_version_nothing_is_run_nor_left_to_a_boot_of_a_host_at_work(
    work: Work, policy: Policy
) -> None:
    unknown = replace(work, version_known=False)
    for here in (HOST, BUSY):
        decision = decide(unknown, here, policy)
        assert (decision.deed, decision.at_boot, decision.start) == (Deed.RECORD, False, False)
        assert decision.why == "the product's version is not known"
        assert decision.announce
    image = decide(unknown, IMAGE, policy)
    assert image.why == "this is a chroot"
    assert image.at_boot == (policy != "notify" and not work.questions), "it may need a host at work"


@pytest.mark.parametrize("policy", POLICIES)
def test_what_a_run_under_way_has_in_its_plan_is_not_asked_for_again(policy: Policy) -> None:
    decision = decide(DUE, COVERED, policy)
    assert decision.deed is Deed.NOTHING
    assert decision.why == "run 0003 (pid 8) is under way and does what is due"


def test_every_exit_code_of_an_upgrade_has_one_for_package_managers() -> None:
    assert {code for code, _ in hook_ends()} == set(ExitCode)
    assert {code for code in ExitCode if exit_code_of(code) == 0} == {ExitCode.DONE, ExitCode.LOSSES}
    assert all(end.what and end.code in (0, 1) for _, end in hook_ends())


# The boot ---------------------------------------------------------------------------------------------------

ASKED = Left(asked="deb toy", at_boot=True)


@pytest.mark.parametrize(
    ("left", "policy", "resume", "start"),
    [
        (Left(), "run", True, False),
        (Left(steps=2), "run", True, False),
        (ASKED, "run", False, True),
        (ASKED, "schedule", False, True),
        (ASKED, "notify", True, False),
        (replace(ASKED, at_boot=False), "run", True, False),
        (Left(run="0003-x"), "run", True, True),
        (Left(run="0003-x"), "notify", True, True),
        (Left(run="0003-x"), "run", False, False),
        (Left(run="0003-x", stopped="a step failed"), "run", True, False),
        (replace(ASKED, run="0003-x", stopped="a step failed"), "run", True, False),
        (replace(ASKED, run="0003-x"), "run", False, False),
        (replace(ASKED, live=True), "run", True, False),
    ],
)
def test_the_boot_goes_on_only_where_that_was_wanted_and_nothing_has_failed(
    left: Left, policy: Policy, resume: bool, start: bool
) -> None:
    decision = decide_boot(left, policy, resume=resume)
    assert decision.start == start
    assert bool(decision.why) == (left != Left())


def cut(deaths: int) -> RunState:
    return RunState(run="0003-x", deaths=deaths)


def test_what_has_taken_the_host_down_twice_is_not_run_by_a_third_boot() -> None:
    asked = Request("deb toy", "why", at_boot=True)
    once, twice, between = (
        left_by(cut(0), "backup", asked),
        left_by(cut(1), "backup", asked),
        left_by(cut(1), "", asked),
    )
    assert decide_boot(once, "run", resume=True).start
    decision = decide_boot(twice, "run", resume=True)
    assert (decision.start, decision.why) == (False, "run 0003-x died twice in backup")
    assert decide_boot(replace(twice, deaths=3), "run", resume=True).why.endswith("died 3 times in backup")
    assert "resume_at_boot: no" in decide_boot(twice, "run", resume=False).why
    decision = decide_boot(between, "run", resume=True)
    assert (decision.start, decision.why) == (False, "run 0003-x died twice without finishing a step")
    assert left_by(None, "", asked) == Left(asked="deb toy", at_boot=True)


@pytest.mark.parametrize(
    ("between", "number"),
    [
        ((), 1),
        ((("run-continued", {}),), 2),
        ((("step-ended", {"step": "backup", "status": "unknown"}), ("run-continued", {})), 2),
        ((("step-ended", {"step": "backup", "status": "done"}), ("run-continued", {})), 1),
        ((("run-stopped", {"reason": "a step failed"}), ("run-continued", {})), 0),
        ((("run-continued", {}), ("run-restarted", {})), 0),
    ],
)
def test_deaths_are_counted_until_a_step_is_finished(
    between: tuple[tuple[str, dict[str, Any]], ...], number: int
) -> None:
    told: list[tuple[str, dict[str, Any]]] = [
        ("run-started", {"run": "0003-x"}),
        ("step-started", {"step": "backup", "attempt": 1}),
        ("run-continued", {}),
    ]
    events = [
        Event(n, "t", 0.0, EventName(name), fields) for n, (name, fields) in enumerate([*told, *between])
    ]
    assert fold(events).deaths == number
