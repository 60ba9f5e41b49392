# SPDX-License-Identifier: GPL-3.0-or-later
from orchestrator.upgrade.journal import EventName
from orchestrator.upgrade.report.cleaning import Editor
from orchestrator.upgrade.report.elapsed import place
from orchestrator.upgrade.report.model import Stretch
from orchestrator.upgrade.report.timeline import conditions, downtimes, gaps, phases, sessions
from orchestrator.upgrade.runstate import fold
from tests.support.journals import Script


def a_run() -> Script:
    script = Script().begin().found("web").after(1).phase("backends-down").stop("web", 1).after(2)
    return script.phase("all-up").start("web", 3).after(1).end()


def test_a_service_goes_through_its_conditions() -> None:
    assert conditions(place(a_run().events))["web"] == (
        Stretch("up", 0, 1),
        Stretch("stopping", 1, 2),
        Stretch("down", 2, 4),
        Stretch("starting", 4, 7),
        Stretch("up", 7, 8),
    )


def test_a_service_that_failed_to_start_has_failed_whatever_its_manager_says_afterwards() -> None:
    script = Script().begin().found("web").after(1).tell(EventName.SERVICE_STARTING, service="web").after(5)
    script.tell(EventName.SERVICE_FAILED, service="web", reason="503").stopped(
        "web failed", 5, web="up"
    ).after(60)
    assert conditions(place(script.go_on().events))["web"][-1] == Stretch("failed", 6, 66)


def test_what_was_on_its_way_when_the_runner_died_is_not_known_to_have_arrived() -> None:
    script = Script().begin().found("web").tell(EventName.SERVICE_STOPPING, service="web").after(1)
    script.phase("x").after(60).go_on().after(2).tell(EventName.SERVICE_DOWN, service="web", seconds=1)
    assert [s.name for s in conditions(place(script.events))["web"]] == ["stopping", "unknown", "down"]


def test_downtime_is_what_the_run_state_calls_downtime() -> None:
    events = a_run().events
    (down,), still = downtimes(place(events))
    assert (down, still) == (Stretch("down", 1, 7), False)
    assert down.until - down.at == fold(events).downtime


def test_downtime_goes_on_through_a_power_cut() -> None:
    script = Script().begin().after(1).stop("web").reboot(600).go_on().start("web", 2).end()
    ((down,), _) = downtimes(place(script.events))
    assert down.until - down.at == 1 + 600 + 2


def test_what_is_still_down_is_down_to_the_end() -> None:
    (down,), still = downtimes(place(Script().begin().stop("web").after(9).stopped("no").events))
    assert still
    assert down.until == 10


def test_a_phase_ends_with_the_next_with_the_stop_and_with_the_last_word_of_a_dead_runner() -> None:
    script = Script().begin().phase("a").after(1).phase("b").after(2).stopped("no").after(50)
    script.go_on().phase("b").after(3).tell(EventName.NOTE, text="last word").after(70).go_on().phase(
        "c"
    ).after(1).end()
    found = phases(place(script.events), Editor())
    assert [(p.name, p.until - p.at) for p in found] == [("a", 1), ("b", 2), ("b", 3), ("c", 1)]


def test_every_session_says_how_it_ended_and_every_gap_why() -> None:
    script = (
        Script().begin().after(1).phase("a").after(30).go_on(invoker="boot").after(1).stopped("disk full")
    )
    script.after(40).start("web").tell(EventName.RECOVERED, paid=[]).reboot(90).go_on().after(1).end()
    axis = place(script.events)
    found = sessions(axis, Editor(), running=False)
    assert [(s.verb, s.ended) for s in found] == [
        ("began", "died"),
        ("continued", "stopped"),
        ("recovered", "recovered"),
        ("continued", "done"),
    ]
    assert found[1].reason == "disk full"
    assert [gap.why for gap in gaps(axis, found)] == [
        "the runner died without a word: it was killed",
        "the run had stopped",
        "services were recovered, and the host was started anew meanwhile",
    ]


def test_a_session_without_an_end_has_died_or_is_at_work() -> None:
    axis = place(Script().begin().phase("a").events)
    assert [sessions(axis, Editor(), running=r)[-1].ended for r in (True, False)] == ["running", "died"]
