# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has done, is doing and owes, folded from its events."""

import pytest

from orchestrator.upgrade.journal import Event, EventName
from orchestrator.upgrade.runstate import (
    BACKUP,
    Attempt,
    Found,
    Outcome,
    RunState,
    StepStatus,
    fold,
    found_to_json,
)
from tests.support.plans import attempt, event, run_of

A, B = "upgrade/0010_a", "default/0020_b"
BEGUN = event("run-started", run="0001-x", boot="b")


def debt(kind: str, service: str = "", *, mono: float = 0, time: str = "", paid: bool = False) -> Event:
    return event("debt-paid" if paid else "debt", mono=mono, time=time, kind=kind, service=service)


def test_no_events_are_no_run() -> None:
    state = fold([])
    assert state == RunState()
    assert not state.unfinished
    assert not state.touched


def test_a_run_is_unfinished_from_its_first_event_to_its_end() -> None:
    started = event("run-started", run="0001-x", user="me", from_version="1", to_version="2", boot="b")
    state = fold([started])
    assert state.unfinished
    assert (state.run, state.user, state.from_version, state.to_version) == ("0001-x", "me", "1", "2")
    stopped = run_of(event("run-stopped", reason="why", exit_code=1))
    assert stopped.unfinished
    assert (stopped.stop_reason, stopped.exit_code) == ("why", 1)
    ended = run_of(event("run-ended", outcome="done", exit_code=0, time="2026-11-20T11:00:00.000Z"))
    assert not ended.unfinished
    assert (ended.outcome, ended.exit_code, ended.ended) == (Outcome.DONE, 0, "2026-11-20T11:00:00.000Z")


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_ends_a_run(outcome: Outcome) -> None:
    assert not run_of(event("run-ended", outcome=outcome.value)).unfinished


def test_a_continued_run_forgets_why_it_stopped_and_may_go_to_another_version() -> None:
    state = run_of(
        event("run-stopped", reason="why", exit_code=1), event("run-continued", boot="c", to_version="3")
    )
    assert (state.continued, state.stop_reason, state.to_version, state.boot) == (1, "", "3", "c")


@pytest.mark.parametrize("name", EventName)
def test_no_event_needs_more_than_its_own_fields(name: EventName) -> None:
    fields = {
        "run": "1", "services": {}, "question": "q", "answer": True, "kind": "held", "service": "s", "phase": "p",
        "step": A, "attempt": 1, "number": 1, "status": "done", "outcome": "done",
    }  # fmt: skip
    fold([Event(1, "", 0.0, name, fields)])
    fold([BEGUN, *attempt(A, "done"), Event(9, "", 0.0, name, fields)])


# Attempts -------------------------------------------------------------------------------------------------


def test_an_attempt_runs_until_its_end_is_on_record() -> None:
    state = run_of(*attempt(A, None))
    assert state.in_flight == Attempt(A, 1, "2026-11-20T10:00:00.000Z", "same")
    assert not state.finished(A)
    assert state.failures == []
    ended = run_of(*attempt(A, "done"))
    assert ended.in_flight is None
    assert ended.finished(A)


@pytest.mark.parametrize("status", StepStatus)
def test_an_attempt_is_good_or_a_failure(status: StepStatus) -> None:
    state = run_of(*attempt(A, status.value))
    good = status in (StepStatus.DONE, StepStatus.NOT_APPLICABLE)
    assert (state.finished(A), [one.step for one in state.failures]) == (good, [] if good else [A])


def test_the_last_attempt_counts() -> None:
    state = run_of(*attempt(A, "failed"), *attempt(B, "failed"), *attempt(A, "done", 2))
    assert [one.step for one in state.failures] == [B]
    last = state.last_attempt(A)
    assert last is not None
    assert (last.number, last.status) == (2, StepStatus.DONE)
    assert [one.status for one in state.attempts[A]] == ["failed", "done"]


def test_an_end_without_a_beginning_is_passed_over() -> None:
    assert run_of(event("step-ended", step=A, attempt=1, status="done")).attempts == {}


def test_a_run_begun_anew_counts_from_there() -> None:
    state = run_of(*attempt(A, "done"), *attempt(B, "failed"), event("run-restarted"))
    assert not state.finished(A)
    assert state.failures == []
    assert state.counting_attempt(A) is None
    assert state.last_attempt(A) is not None, "numbers of attempts go on"
    again = run_of(*attempt(A, "done"), event("run-restarted"), *attempt(A, "failed", 2))
    assert [one.number for one in again.failures] == [2]


def test_a_step_still_running_when_the_run_is_begun_anew_is_still_waited_for() -> None:
    assert run_of(*attempt(A, None), event("run-restarted")).in_flight is not None


def test_a_record_in_the_history_is_for_the_attempt_before_it() -> None:
    recorded = [*attempt(A, "done"), event("history-recorded", step=A)]
    assert run_of(*recorded).recorded == {A}
    assert run_of(*recorded, *attempt(A, "done", 2)).recorded == set()


def test_after_a_recovery_the_backup_is_to_be_made_again() -> None:
    made = attempt(BACKUP, "done")
    assert run_of(*made).finished(BACKUP)
    assert not run_of(*made, event("recovered", paid=[])).finished(BACKUP)
    assert run_of(*made, event("recovered", paid=[]), *attempt(BACKUP, "done", 2)).finished(BACKUP)


# Services, debts, answers --------------------------------------------------------------------------------


def test_what_was_found_first_stays_true() -> None:
    first = {"db": Found(up=True, enabled=True), "web": Found(up=False, enabled=False, detail="exited")}
    later = {"db": Found(up=False, enabled=True), "new": Found(up=True, enabled=True)}
    state = run_of(
        event("services-found", services=found_to_json(first)),
        event("services-found", services=found_to_json(later)),
    )
    assert state.found == {**first, "new": later["new"]}
    assert [name for name, fact in state.found.items() if fact.stays_down] == ["web"]


def test_a_debt_is_owed_until_it_is_paid() -> None:
    events = [debt("stopped", "db"), debt("held", "db"), debt("maintenance"), debt("held", "db", paid=True)]
    state = run_of(*events)
    assert set(state.debts) == {"stopped:db", "maintenance"}
    assert state.touched
    paid = run_of(
        *events,
        debt("stopped", "db", paid=True),
        debt("maintenance", paid=True),
        debt("held", "x", paid=True),
    )
    assert paid.debts == {}


def test_a_run_that_entered_a_phase_has_touched_something() -> None:
    assert run_of(event("phase-entered", phase="all-up")).touched
    assert not run_of(*attempt("check/0010_c", "failed")).touched


def test_answers_and_skipped_steps_are_kept() -> None:
    state = run_of(
        event("answered", question="0010", answer=True), event("step-skipped", step="0020", reason="not here")
    )
    assert (state.answers, state.skipped) == ({"0010": True}, {"0020": "not here"})


def test_how_long_services_took_is_kept_by_verb() -> None:
    state = run_of(
        event("service-down", service="db", seconds=1.5),
        event("service-ready", service="db", seconds=2.5),
        event("service-ready", service="db", seconds=3.5),
    )
    assert state.service_seconds == {"db": {"stop": 1.5, "start": 3.5}}


# Downtime ---------------------------------------------------------------------------------------------------


def test_downtime_is_from_the_first_stop_until_nothing_is_stopped() -> None:
    state = run_of(
        debt("held", "db", mono=5),
        debt("stopped", "web", mono=10),
        debt("stopped", "db", mono=11),
        debt("stopped", "db", mono=20, paid=True),
        debt("stopped", "web", mono=25, paid=True),
        debt("held", "db", mono=30, paid=True),
    )
    assert (state.downtime, state.down_since) == (15, None)


def test_downtimes_add_up_and_one_that_lasts_is_not_counted_yet() -> None:
    events = [
        debt("stopped", "db", mono=10),
        debt("stopped", "db", mono=13, paid=True),
        debt("stopped", "db", mono=20),
    ]
    state = run_of(*events)
    assert state.downtime == 3
    assert state.down_since is not None
    assert run_of(*events, debt("stopped", "db", mono=24, paid=True)).downtime == 7


def test_maintenance_mode_is_downtime() -> None:
    state = run_of(
        debt("maintenance", mono=1),
        debt("stopped", "db", mono=2),
        debt("stopped", "db", mono=5, paid=True),
        debt("maintenance", mono=9, paid=True),
    )
    assert state.downtime == 8


@pytest.mark.parametrize(
    ("boot", "time", "mono", "downtime"),
    [
        ("b", "2026-11-20T10:00:05.000Z", 15, 5),
        ("b", "2026-11-20T09:00:00.000Z", 15, 5),  # the clock was set back: the monotonic one counts
        ("b", "2027-11-20T09:00:00.000Z", 15, 5),
        ("b", "2026-11-20T10:00:05.000Z", 5, 0),
        ("c", "2026-11-20T10:05:00.500Z", 3, 300.5),  # after a reboot only the wall clock is there
        ("c", "2026-11-20T09:00:00.000Z", 3, 0),  # and it was set back: at least never negative
    ],
)
def test_downtime_across_boots_and_clocks_that_were_set(
    boot: str, time: str, mono: float, downtime: float
) -> None:
    state = run_of(
        debt("stopped", "db", mono=10, time="2026-11-20T10:00:00.000Z"),
        event("run-continued", boot=boot),
        debt("stopped", "db", mono=mono, time=time, paid=True),
    )
    assert state.downtime == downtime
