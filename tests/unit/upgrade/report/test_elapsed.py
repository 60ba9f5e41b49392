# SPDX-License-Identifier: GPL-3.0-or-later
from orchestrator.upgrade.journal import EventName
from orchestrator.upgrade.report.elapsed import Break, place
from orchestrator.upgrade.runstate import Instant
from tests.support.journals import BEGIN, Script


def test_within_a_boot_the_monotonic_clock_counts() -> None:
    script = Script().begin().after(5)
    script.wall = BEGIN  # somebody sets the clock back
    axis = place(script.tell(EventName.NOTE, text="late").events)
    assert [placed.at for placed in axis.placed] == [0, 5]
    assert axis.end == axis.at_work == 5


def test_across_boots_the_wall_clock_counts_and_a_gap_is_seen() -> None:
    axis = place(Script().begin().after(10).phase("all-up").reboot(600).go_on().after(3).end().events)
    assert [placed.at for placed in axis.placed] == [0, 10, 610, 613]
    assert axis.breaks == [Break(10, 610, died=True, rebooted=True)]
    assert axis.at_work == 13


def test_a_runner_that_was_killed_leaves_a_gap_within_the_boot() -> None:
    axis = place(Script().begin().after(10).phase("all-up").after(60).go_on().after(1).end().events)
    assert axis.breaks == [Break(10, 70, died=True, rebooted=False)]


def test_a_run_that_has_stopped_and_is_recovered_and_continued_has_three_sessions() -> None:
    script = (
        Script()
        .begin()
        .after(1)
        .stopped("no")
        .after(100)
        .start("web")
        .tell(EventName.RECOVERED, paid=["stopped:web"])
    )
    axis = place(script.after(50).go_on().after(1).end().events)
    assert [gap.died for gap in axis.breaks] == [False, False]
    assert axis.placed[-1].session == 3
    assert axis.at_work == 1 + 2 + 1


def test_a_recovery_after_a_power_cut_is_known_by_its_clock() -> None:
    script = Script().begin().after(1).stop("web").reboot(300).start("web").tell(EventName.RECOVERED, paid=[])
    (gap,) = place(script.events).breaks
    assert gap == Break(2, 302, died=True, rebooted=True)


def test_a_run_under_way_lasts_until_now() -> None:
    script = Script().begin().after(1).phase("all-up")
    now = Instant("2026-11-20T10:16:00.000Z", script.mono + 7, script.boot)
    assert place(script.events, now).end == 8


def test_a_clock_that_went_back_over_a_reboot_makes_no_time_negative() -> None:
    script = Script().begin().after(10).phase("all-up").reboot(-3600).go_on().after(2).end()
    assert place(script.events).end == 12


def test_no_events_are_no_time() -> None:
    assert place([]).end == 0
