# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines for what takes long: every so often while it is silent, once when it is far over its usual time."""

import pytest

from orchestrator.cli.heartbeat import Heartbeat, far_over
from orchestrator.cli.reporters import PlainReporter
from orchestrator.upgrade.reporter import Progress
from tests.support.plans import event

STEP = "upgrade/0120_x.sh"


def step(elapsed: float, quiet: float, expected: float | None = None) -> Progress:
    return Progress("r", "all-up", STEP, 1, 2, elapsed=elapsed, expected=expected, quiet=quiet)


def service(elapsed: float) -> Progress:
    text = "waiting for db: refused"
    return Progress("r", "", text, 1, 2, elapsed, expected=None, quiet=0.0, service="db", reason="refused")


def told(beat: Heartbeat, *moments: Progress) -> list[str]:
    return [line for progress in moments for line in beat.lines(progress)]


def test_a_silent_step_gets_a_line_every_minute() -> None:
    moments = [step(second / 10, second / 10, 180.0) for second in range(3000)]
    assert told(Heartbeat(), *moments) == [
        f"  ...    {STEP}: {minutes} min so far, silent for {minutes} min, usually 3 min"
        for minutes in range(1, 5)
    ]


def test_a_step_that_speaks_gets_none() -> None:
    assert told(Heartbeat(), *(step(float(second), second % 50) for second in range(1000))) == []


def test_silence_counts_from_the_last_output() -> None:
    beat = Heartbeat()
    moments = [step(float(second), float(second if second < 90 else second - 90)) for second in range(200)]
    assert told(beat, *moments) == [
        f"  ...    {STEP}: 1 min so far, silent for 1 min",
        f"  ...    {STEP}: 2 min so far, silent for 1 min",
    ]


def test_a_step_that_is_tried_again_begins_anew() -> None:
    beat = Heartbeat()
    assert len(told(beat, step(61.0, 61.0))) == 1
    beat.forget(STEP)
    assert told(beat, step(59.0, 59.0)) == []
    assert len(told(beat, step(61.0, 61.0))) == 1


def test_a_service_that_is_waited_for_gets_a_line_too() -> None:
    moments = [service(float(second)) for second in range(150)]
    assert told(Heartbeat(), *moments) == [
        f"  ...    waiting for db: refused: {minutes} min so far" for minutes in (1, 2)
    ]


def test_two_services_at_once_do_not_mix() -> None:
    beat = Heartbeat()
    other = Progress("r", "", "waiting for web", 1, 2, 61.0, expected=None, quiet=0.0, service="web")
    assert len(told(beat, service(61.0), other, service(62.0), other)) == 2


@pytest.mark.parametrize(
    ("elapsed", "expected", "over"),
    [
        (1000.0, None, False),
        (61.0, 1.0, False),  # not by much
        (62.0, 1.0, True),
        (299.0, 100.0, False),  # not three times
        (301.0, 100.0, True),
    ],
)
def test_far_over_is_thrice_and_a_minute(elapsed: float, expected: float | None, over: bool) -> None:
    assert far_over(elapsed, expected) is over


def test_a_step_far_over_its_usual_time_is_named_once_though_it_speaks() -> None:
    moments = [step(float(second), 0.0, 60.0) for second in range(1000)]
    assert told(Heartbeat(), *moments) == [
        f"  ...    {STEP}: 3 min so far, usually 1 min: far longer than usual"
    ]


def test_plain_output_has_these_lines(capsys: pytest.CaptureFixture[str]) -> None:
    view = PlainReporter("orchestrator upgrade", heartbeat=5.0)
    view.event(event("step-started", step=STEP, attempt=1))
    for second in range(12):
        view.progress(step(float(second), float(second)))
    assert capsys.readouterr().out.splitlines() == [
        f"  run    {STEP}",
        f"  ...    {STEP}: 5.0 s so far, silent for 5.0 s",
        f"  ...    {STEP}: 10 s so far, silent for 10 s",
    ]
