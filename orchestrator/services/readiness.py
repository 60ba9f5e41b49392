# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until a service is ready: its manager says it runs, and every probe passes.

One look asks the manager, then the probes in order; the first that is not content decides. A wait looks
again and again until every probe has passed `stable` times in a row. `failed` and `gone` end it at once:
what is dead will not become ready by waiting.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.config import model
from orchestrator.config.quantities import show_duration
from orchestrator.errors import Interrupted, Problem, ServiceFailed
from orchestrator.host import clock
from orchestrator.services.probes import make_probe
from orchestrator.services.service import (
    READY,
    Activity,
    Condition,
    Manager,
    Marks,
    Probe,
    Readiness,
    Verdict,
    starting,
)

if TYPE_CHECKING:
    from tenacity import RetryCallState

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 0.2
# Some managers take a moment until they tell of a start that they were ordered.
GRACE = 1.0
LOG_LINES = 20
# How soon a pause notices that it is cancelled.
_NAP = 0.05
_OUTCOME = {Readiness.STARTING: "is not ready", Readiness.FAILED: "failed", Readiness.GONE: "is down"}


@dataclass(frozen=True, slots=True)
class ReadyProbe:
    """A probe and the configuration it was made from."""

    spec: model.AnyProbe
    probe: Probe


def ready_probes(specs: Sequence[model.AnyProbe]) -> tuple[ReadyProbe, ...]:
    return tuple(ReadyProbe(spec, make_probe(spec)) for spec in specs)


def look(manager: Manager, probes: Sequence[Probe], marks: Marks) -> Verdict:
    """One look at a service. READY only when its manager says that it runs and all probes pass."""
    verdict = judge_condition(manager.condition())
    return _ask(probes, marks)[0] if verdict.readiness is Readiness.READY else verdict


def judge_condition(condition: Condition) -> Verdict:
    """What a manager's answer alone says. Pure."""
    words = f"its manager says {condition.activity}"
    if condition.detail:
        words += f": {condition.detail}"
    match condition.activity:
        case Activity.RUNNING:
            return READY
        case Activity.FAILED:
            return Verdict(Readiness.FAILED, words)
        case Activity.STOPPED:
            return Verdict(Readiness.FAILED if condition.refused else Readiness.GONE, words)
    return starting(words)


def _ask(probes: Sequence[Probe], marks: Marks) -> tuple[Verdict, int]:
    """Ask in order until one is not content: its verdict, and how many passed before it."""
    for passed, probe in enumerate(probes):
        verdict = probe.ask(marks)
        if verdict.readiness is not Readiness.READY:
            return verdict, passed
    return READY, len(probes)


class _Watch:
    """Looks at one service (or, without a manager, at its probes alone) that remember the ones before."""

    def __init__(self, manager: Manager | None, probes: Sequence[ReadyProbe], marks: Marks) -> None:
        self._manager = manager
        self._probes = [pair.probe for pair in probes]
        self._wanted = [pair.spec.stable for pair in probes]
        self._in_a_row = [0] * len(probes)
        self._marks = marks
        self._began = clock.monotonic()

    @property
    def seconds(self) -> float:
        return clock.monotonic() - self._began

    def look(self) -> Verdict:
        """One look; READY when every probe has now passed often enough in a row."""
        verdict, passed = (judge_condition(self._manager.condition()) if self._manager else READY), 0
        if verdict.readiness is Readiness.READY:
            verdict, passed = _ask(self._probes, self._marks)
        self._in_a_row = [count + 1 if index < passed else 0 for index, count in enumerate(self._in_a_row)]
        if verdict.readiness is Readiness.GONE and self.seconds < GRACE:
            return starting(verdict.reason)
        if verdict.readiness is Readiness.READY:
            return self._judge_stability()
        return verdict

    def _judge_stability(self) -> Verdict:
        for count, wanted in zip(self._in_a_row, self._wanted, strict=True):
            if count < wanted:
                return starting(f"passed {count} of {wanted} times in a row")
        return READY


def wait_until_ready(  # noqa: PLR0913 - who, how, and what to do meanwhile
    name: str,
    manager: Manager,
    probes: Sequence[ReadyProbe],
    marks: Marks,
    *,
    timeout: float,
    cancelled: Callable[[], bool],
    observe: Callable[[Verdict], None],
) -> float:
    """Block until the service is ready; the seconds that took. `observe` sees every look.

    Raises ServiceFailed, with the last lines of the service's log as problems, when it failed, is gone,
    or is not ready after `timeout` seconds; Interrupted when `cancelled()` becomes true.
    """
    watch = _Watch(manager, probes, marks)
    verdict = _look_until_decided(name, watch, timeout, cancelled, observe)
    waited = watch.seconds
    if verdict.readiness is Readiness.READY:
        return waited
    hint = (
        f"if it needs longer, raise services.{name}.ready_timeout"
        if verdict.readiness is Readiness.STARTING
        else ""
    )
    problems = [Problem(name, line) for line in manager.log_tail(LOG_LINES)[-LOG_LINES:]]
    raise ServiceFailed(_failure(name, verdict, waited), hint=hint, problems=problems)


def wait_for_probe(spec: model.AnyProbe, timeout: float) -> float:
    """Block until one probe, of no service in particular, passes; the seconds that took.

    Raises ServiceFailed.
    """
    watch = _Watch(None, ready_probes([spec]), Marks())
    verdict = _look_until_decided(f"the {spec.kind} probe", watch, timeout, lambda: False, lambda _: None)
    waited = watch.seconds
    if verdict.readiness is Readiness.READY:
        return waited
    raise ServiceFailed(_failure(f"what the {spec.kind} probe asks for", verdict, waited))


def _failure(name: str, verdict: Verdict, waited: float) -> str:
    return f"{name} {_OUTCOME[verdict.readiness]} after {show_duration(waited)} of waiting: {verdict.reason}"


def _look_until_decided(
    name: str,
    watch: _Watch,
    timeout: float,
    cancelled: Callable[[], bool],
    observe: Callable[[Verdict], None],
) -> Verdict:
    """Look until it is not `starting` any more, or until `timeout` seconds are over; the last verdict."""
    import tenacity

    def look_now() -> Verdict:
        if cancelled():
            raise Interrupted(f"stopped on request while waiting for {name}")
        verdict = watch.look()
        observe(verdict)
        return verdict

    def pause(state: "RetryCallState") -> float:
        # Never beyond the end: the last look is made when the time is over, not before.
        return min(growing(state), max(0.0, timeout - (state.seconds_since_start or 0.0)))

    growing = tenacity.wait_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE)
    looking = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda verdict: verdict.readiness is Readiness.STARTING),
        stop=tenacity.stop_after_delay(timeout),
        wait=pause,
        sleep=lambda seconds: _sleep(seconds, cancelled),
        retry_error_callback=_last_verdict,
    )
    return looking(look_now)


def _last_verdict(state: "RetryCallState") -> Verdict:
    assert state.outcome is not None
    verdict: Verdict = state.outcome.result()
    return verdict


def _sleep(seconds: float, cancelled: Callable[[], bool]) -> None:
    """Sleep, but no longer than until `cancelled()`."""
    end = clock.monotonic() + seconds
    while (left := end - clock.monotonic()) > 0 and not cancelled():
        clock.sleep(min(left, _NAP))
