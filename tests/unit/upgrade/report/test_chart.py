# SPDX-License-Identifier: GPL-3.0-or-later
from pathlib import Path

import pytest

from orchestrator.upgrade.journal import EventName
from orchestrator.upgrade.report import make_report
from orchestrator.upgrade.report.chart import LEAST, MOST_STEPS, Bar, Chart, lay_out, merge
from orchestrator.upgrade.report.scale import GAP, make_scale
from tests.support.journals import Script


def chart_of(script: Script, directory: Path) -> Chart:
    return lay_out(make_report(directory, script.save(directory)))


def row(chart: Chart, label: str) -> tuple[Bar, ...]:
    return next(row.bars for row in chart.rows if row.label == label)


def test_time_is_to_scale() -> None:
    scale = make_scale(200, [])
    assert [scale.x(at) for at in (0, 50, 200, 300)] == [0, 25, 100, 100]


def test_a_gap_has_its_own_width_whatever_its_length() -> None:
    scale = make_scale(1_000_100, [(50, 1_000_050)])
    assert scale.x(1_000_050) - scale.x(50) == pytest.approx(GAP)
    assert scale.x(50) == pytest.approx((100 - GAP) / 2)
    assert scale.x(1_000_100) == pytest.approx(100)


def test_many_gaps_leave_most_of_the_room_to_the_work() -> None:
    gaps = [(float(at), at + 50.0) for at in range(10, 1000, 100)]
    scale = make_scale(1000, gaps)
    assert sum(scale.x(until) - scale.x(at) for at, until in gaps) < 40


def test_nothing_took_any_time() -> None:
    assert make_scale(0, []).x(0) in (0, 100)


def test_bars_are_as_long_as_what_they_stand_for(tmp_path: Path) -> None:
    script = Script().begin().step("upgrade/3010_a.sh", 25).step("upgrade/3020_b.sh", 75).end()
    (first,), (second,) = (
        row(chart_of(script, tmp_path), step) for step in ("upgrade/3010_a.sh", "upgrade/3020_b.sh")
    )
    assert (first.x, first.width) == (0, 25)
    assert (second.x, second.width) == (25, 75)


def test_an_instant_can_still_be_seen_and_stays_inside(tmp_path: Path) -> None:
    script = Script().begin().step("upgrade/3010_a.sh", 1000).step("upgrade/3020_b.sh", 0).end()
    (bar,) = row(chart_of(script, tmp_path), "upgrade/3020_b.sh")
    assert bar.width == LEAST
    assert bar.x + bar.width <= 100


def test_attempts_stand_in_one_row_and_failures_are_crossed(tmp_path: Path) -> None:
    script = (
        Script().begin().step("upgrade/3010_a.sh", 1, "failed").step("upgrade/3010_a.sh", 1, attempt=2).end()
    )
    chart = chart_of(script, tmp_path)
    assert [bar.look for bar in row(chart, "upgrade/3010_a.sh")] == ["failed", "done"]
    (found,) = [row for row in chart.rows if row.label == "upgrade/3010_a.sh"]
    assert [mark.look for mark in found.marks] == ["cross"]


def test_attempts_before_the_run_was_begun_anew_are_pale(tmp_path: Path) -> None:
    script = Script().begin().step("upgrade/3010_a.sh").stopped("no").go_on().tell(EventName.RUN_RESTARTED)
    chart = chart_of(script.step("upgrade/3010_a.sh", attempt=2).end(), tmp_path)
    assert [bar.look for bar in row(chart, "upgrade/3010_a.sh")] == ["done old", "done"]


def test_of_many_steps_the_longest_and_the_failed_have_rows_of_their_own(tmp_path: Path) -> None:
    script = Script().begin()
    for number in range(3000, 3100):
        script.step(
            f"default/{number}_x.sh", 0.1 + (number == 3050) * 9, "failed" if number == 3007 else "done"
        )
    labels = [
        row.label for row in chart_of(script.end("done-with-failures", 3), tmp_path).rows if not row.heading
    ]
    assert len(labels) == MOST_STEPS
    assert {"default/3007_x.sh", "default/3050_x.sh", f"{100 - MOST_STEPS + 1} shorter ones"} <= set(labels)


def test_neighbours_that_nobody_could_tell_apart_are_one_bar() -> None:
    bars = [Bar(number / 100, 0.005, "done", "") for number in range(10_000)]
    (merged,) = merge([*bars, Bar(100, 0.1, "done", "")])
    assert merged.x == 0
    assert merged.width == pytest.approx(100.1)


@pytest.mark.parametrize("seconds", [0.5, 8, 75, 900, 8000, 90_000, 900_000])
def test_the_axis_has_some_round_times(tmp_path: Path, seconds: float) -> None:
    chart = chart_of(Script().begin().step("upgrade/3010_a.sh", seconds).end(), tmp_path)
    assert 2 <= len(chart.ticks) <= 12
    assert all(0 <= tick.x <= 100 for tick in chart.ticks)
    apart = [later.x - earlier.x for earlier, later in zip(chart.ticks, chart.ticks[1:], strict=False)]
    assert min(apart) >= 10


def test_times_go_on_by_the_clock_after_a_gap(tmp_path: Path) -> None:
    script = (
        Script()
        .begin()
        .step("upgrade/3010_a.sh", 60)
        .reboot(7200)
        .go_on()
        .step("upgrade/3020_b.sh", 60)
        .end()
    )
    labels = [tick.label for tick in chart_of(script, tmp_path).ticks]
    assert labels[0] == "10:15:00"
    assert labels[-1].startswith("12:1")


def test_drifts_and_interrupts_stand_where_they_happened(tmp_path: Path) -> None:
    script = Script().begin().found("web").after(5)
    script.tell(EventName.SERVICE_DRIFTED, service="web", wanted="up", found="gone", after="").after(5).end()
    chart = chart_of(script, tmp_path)
    ((mark,),) = [row.marks for row in chart.rows if row.label == "web"]
    assert (mark.look, mark.x) == ("drift", 50)
