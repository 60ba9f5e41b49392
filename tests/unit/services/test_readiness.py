# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for readiness, with a manager and probes that answer from a script."""

import itertools
import time
from collections.abc import Callable

import pytest

from orchestrator.errors import ExitCode, Interrupted, ServiceFailed
from orchestrator.services.readiness import (
    GRACE,
    LOG_LINES,
    ReadyProbe,
    look,
    ready_probes,
    wait_for_probe,
    wait_until_ready,
)
from orchestrator.services.service import READY, Activity, Marks, Readiness, Verdict, starting
from tests.support.loopback import loopback_server, silent
from tests.support.probes import NO_MARKS, spec_of
from tests.support.scripted import ScriptedManager, ScriptedProbe
from tests.support.servers import LOOPBACK, free_port

FAILED = Verdict(Readiness.FAILED, "exit-code")
GONE = Verdict(Readiness.GONE, "inactive")
BUSY = starting("still loading")


def probe(*verdicts: Verdict, stable: int = 1) -> tuple[ReadyProbe, ScriptedProbe]:
    scripted = ScriptedProbe(list(verdicts))
    return ReadyProbe(spec_of({"tcp": "127.0.0.1:1", "stable": stable}), scripted), scripted


def running(log: tuple[str, ...] = ()) -> ScriptedManager:
    return ScriptedManager(Activity.RUNNING, log=log)


def wait(
    manager: ScriptedManager,
    *probes: ReadyProbe,
    timeout: float = 10.0,
    cancelled: Callable[[], bool] = lambda: False,
    seen: list[Verdict] | None = None,
) -> float:
    observe = (lambda _: None) if seen is None else seen.append
    return wait_until_ready(
        "web", manager, probes, NO_MARKS, timeout=timeout, cancelled=cancelled, observe=observe
    )


# One look -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("activity", "readiness"),
    [
        (Activity.RUNNING, Readiness.READY),
        (Activity.STARTING, Readiness.STARTING),
        (Activity.STOPPING, Readiness.STARTING),
        (Activity.UNKNOWN, Readiness.STARTING),
        (Activity.FAILED, Readiness.FAILED),
        (Activity.STOPPED, Readiness.GONE),
    ],
)
def test_a_look_asks_the_manager_first(activity: Activity, readiness: Readiness) -> None:
    passing = ScriptedProbe([READY])
    verdict = look(ScriptedManager(activity, detail="its words"), [passing], NO_MARKS)
    assert verdict.readiness is readiness
    assert len(passing.asked) == (activity is Activity.RUNNING)
    assert verdict.reason == (
        "" if activity is Activity.RUNNING else f"its manager says {activity}: its words"
    )


def test_a_look_ends_at_the_first_probe_that_does_not_pass() -> None:
    first, second, third = ScriptedProbe([READY]), ScriptedProbe([BUSY]), ScriptedProbe([FAILED])
    assert look(running(), [first, second, third], NO_MARKS) == BUSY
    assert [len(scripted.asked) for scripted in (first, second, third)] == [1, 1, 0]


def test_a_look_hands_the_marks_to_every_probe() -> None:
    marks = Marks({"/var/log/web.log": (12, 34)})
    scripted = ScriptedProbe([READY])
    assert look(running(), [scripted], marks) is READY
    assert scripted.asked == [marks]


def test_a_service_without_probes_is_ready_when_it_runs() -> None:
    assert look(running(), [], NO_MARKS) is READY
    assert wait(running()) < 10


# The wait -----------------------------------------------------------------------------------------


def test_waiting_ends_when_all_probes_pass_and_tells_every_look() -> None:
    slow, _ = probe(BUSY, BUSY, READY)
    quick, scripted = probe(READY)
    seen: list[Verdict] = []
    assert wait(running(), quick, slow, seen=seen) < 10
    assert seen == [BUSY, BUSY, READY]
    assert len(scripted.asked) == 3


def test_a_probe_must_pass_as_often_in_a_row_as_it_wants() -> None:
    flapping, scripted = probe(READY, READY, BUSY, READY, READY, READY, stable=3)
    seen: list[Verdict] = []
    wait(running(), flapping, seen=seen)
    assert len(scripted.asked) == 6
    assert [verdict.reason for verdict in seen] == [
        "passed 1 of 3 times in a row",
        "passed 2 of 3 times in a row",
        "still loading",
        "passed 1 of 3 times in a row",
        "passed 2 of 3 times in a row",
        "",
    ]


def test_every_probe_counts_for_itself() -> None:
    thorough, _ = probe(READY, stable=3)
    late, scripted = probe(BUSY, BUSY, BUSY, READY)
    wait(running(), thorough, late)
    assert len(scripted.asked) == 4


def test_a_manager_that_says_stopped_in_between_starts_the_count_anew() -> None:
    manager = ScriptedManager(Activity.RUNNING, Activity.STARTING, Activity.RUNNING)
    wanted, scripted = probe(READY, stable=2)
    wait(manager, wanted)
    assert len(scripted.asked) == 3


def test_the_pauses_grow_from_short_to_a_fifth_of_a_second() -> None:
    moments: list[float] = []
    patient, _ = probe(*[BUSY] * 6, READY)
    wait_until_ready(
        "web",
        running(),
        [patient],
        NO_MARKS,
        timeout=10,
        cancelled=lambda: False,
        observe=lambda _: moments.append(time.monotonic()),
    )
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert 0.04 < pauses[0] < 0.15
    assert all(0.18 < pause < 0.8 for pause in pauses[-2:])


def test_a_failed_probe_ends_the_wait_at_once() -> None:
    broken, scripted = probe(BUSY, FAILED)
    with pytest.raises(ServiceFailed, match=r"web failed after \d\.\d s of waiting: exit-code") as caught:
        wait(running(), broken, timeout=60)
    assert len(scripted.asked) == 2
    assert caught.value.exit_code is ExitCode.SERVICE


def test_a_failed_manager_ends_the_wait_at_once() -> None:
    manager = ScriptedManager(Activity.STARTING, Activity.FAILED, detail="status 3")
    with pytest.raises(ServiceFailed, match=r"web failed after .* its manager says failed: status 3"):
        wait(manager, timeout=60)


def test_the_failure_carries_the_last_lines_of_the_log() -> None:
    log = tuple(f"line {number}" for number in range(100))
    broken, _ = probe(FAILED)
    with pytest.raises(ServiceFailed) as caught:
        wait(running(log), broken)
    assert [problem.what for problem in caught.value.problems] == list(log[-LOG_LINES:])
    assert {problem.where for problem in caught.value.problems} == {"web"}


def test_at_the_end_of_the_time_the_last_reason_is_told_and_what_helps() -> None:
    never, _ = probe(starting("not yet"), starting("still loading"))
    began = time.monotonic()
    with pytest.raises(
        ServiceFailed, match=r"web is not ready after \d\.\d s of waiting: still loading"
    ) as caught:
        wait(running(), never, timeout=0.3)
    assert 0.3 <= time.monotonic() - began < 5
    assert "services.web.ready_timeout" in caught.value.hint


def test_the_last_look_is_made_when_the_time_is_over() -> None:
    seen: list[Verdict] = []
    never, _ = probe(BUSY)
    with pytest.raises(ServiceFailed):
        wait(running(), never, timeout=0, seen=seen)
    assert seen == [BUSY]


def test_a_manager_that_tells_late_of_the_start_is_given_a_moment() -> None:
    seen: list[Verdict] = []
    wait(ScriptedManager(Activity.STOPPED, Activity.STOPPED, Activity.RUNNING), seen=seen)
    assert [verdict.readiness for verdict in seen] == [
        Readiness.STARTING,
        Readiness.STARTING,
        Readiness.READY,
    ]


def test_what_stays_down_is_gone_after_the_moment_of_grace() -> None:
    gone, _ = probe(GONE)
    began = time.monotonic()
    with pytest.raises(ServiceFailed, match=r"web is down after \d\.\d s of waiting: inactive"):
        wait(running(), gone, timeout=60)
    assert GRACE <= time.monotonic() - began < 10


def test_a_service_that_dies_on_its_way_up_is_not_waited_for() -> None:
    manager = ScriptedManager(*[Activity.RUNNING] * 5, Activity.STOPPED)
    never, _ = probe(BUSY)
    with pytest.raises(ServiceFailed, match=r"web is down after .*: its manager says stopped"):
        wait(manager, never, timeout=60)


def test_a_cancelled_wait_ends_in_the_middle_of_a_pause() -> None:
    began = time.monotonic()
    never, _ = probe(BUSY)
    with pytest.raises(Interrupted, match="while waiting for web"):
        wait(running(), never, timeout=60, cancelled=lambda: time.monotonic() - began > 0.6)
    assert time.monotonic() - began < 10


def test_a_wait_that_is_cancelled_before_it_begins_asks_nothing() -> None:
    never, scripted = probe(BUSY)
    with pytest.raises(Interrupted):
        wait(running(), never, cancelled=lambda: True)
    assert scripted.asked == []


def test_an_external_service_is_waited_for_by_its_probes_alone() -> None:
    # Its manager always says that it runs.
    probes = ready_probes([spec_of({"tcp": f"{LOOPBACK}:{free_port()}"})])
    with pytest.raises(ServiceFailed, match=r"web is not ready after \d\.\d s .* Connection refused"):
        wait(running(), *probes, timeout=0.2)


def test_one_probe_can_be_waited_for_without_a_service() -> None:
    with loopback_server(silent) as server:
        assert wait_for_probe(spec_of({"tcp": server.address}), 5) < 5
    with pytest.raises(
        ServiceFailed, match=r"what the tcp probe asks for is not ready after \d\.\d s of waiting: .* refused"
    ):
        wait_for_probe(spec_of({"tcp": server.address}), 0.2)
