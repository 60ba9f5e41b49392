# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of a run as its report tells them: values only, made once (`making`) and rendered three times.

All texts are clean (nothing a terminal would act on) and redacted already. `at` and `until` are seconds since
the run's first event, by the monotonic clock within a boot and by the wall clock across boots; times are UTC in
RFC 3339. `to_json` is the JSON document: its keys are the names of the fields here.
"""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

FORMAT = 1
# Statuses of a step beyond those of the journal.
NOT_RUN, RUNNING, INTERRUPTED = "not run", "running", "interrupted"
GOOD = ("done", "not-applicable")


class Verdict(StrEnum):
    """How a run stands, in one word."""

    DONE = "done"
    LOSSES = "done-with-losses"
    FAILURES = "done-with-failures"
    REFUSED = "refused"
    RUNNING = "running"
    STOPPED = "stopped"  # it said why; it can be continued
    DIED = "died"  # without a word: killed, or the power went


class Condition(StrEnum):
    """What a service is seen to be during a stretch of time."""

    UP = "up"
    STOPPING = "stopping"
    DOWN = "down"
    STARTING = "starting"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Something that lasted: a phase, a condition of a service, a time without service."""

    name: str
    at: float
    until: float


@dataclass(frozen=True, slots=True)
class Session:
    """A process at work on the run: the one that began it, one that continued it, or one that recovered it."""

    number: int
    at: float
    until: float
    time: str
    verb: str  # began, continued, recovered
    user: str = ""
    invoker: str = ""
    orchestrator: str = ""
    host: str = ""
    steps: int = 0
    ended: str = ""  # done, stopped, died, running; or what it was stopped for, in `reason`
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Between two sessions: nobody was at work, or nobody has recorded that somebody was."""

    number: int
    at: float
    until: float
    why: str

    @property
    def seconds(self) -> float:
        return self.until - self.at


@dataclass(frozen=True, slots=True)
class Output:
    """The end of a log: at most so many lines, `left_out` says how many bytes stand before them."""

    lines: tuple[str, ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class AttemptFacts:
    """One start of a step. `status` is a word of the journal, or `running`, or `interrupted` (its runner died)."""

    number: int
    at: float
    until: float
    time: str
    status: str
    seconds: float = 0.0
    message: str = ""
    losses: int = 0
    left: tuple[str, ...] = ()
    log: str = ""
    counts: bool = True  # False: the run was begun anew after it
    output: Output | None = None


@dataclass(frozen=True, slots=True)
class Usual:
    """What a duration is held against: the median of `runs` earlier runs, or (0) the step's own estimate."""

    seconds: float
    runs: int


@dataclass(frozen=True, slots=True)
class StepFacts:
    """A step that was begun, or was to be. `status` is its last attempt's, or `not run`."""

    id: str
    title: str
    kind: str
    phase: str
    reason: str
    status: str
    seconds: float = 0.0
    usual: Usual | None = None
    attempts: tuple[AttemptFacts, ...] = ()
    losses: int = 0
    lost: tuple[str, ...] = ()
    message: str = ""

    @property
    def factor(self) -> float | None:
        """How many times its usual duration it took; None where there is nothing to compare, or too little."""
        if self.usual is None or self.status not in ("done", "timed-out", RUNNING):
            return None
        worth_it = max(self.usual.seconds, self.seconds) >= 1.0 and self.usual.seconds > 0.05
        return self.seconds / self.usual.seconds if worth_it else None

    @property
    def good(self) -> bool:
        return self.status in GOOD

    @property
    def failed(self) -> bool:
        return not self.good and self.status not in (NOT_RUN, RUNNING)


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """A service before, during and after. Seconds are those of the last stop and start; None: there was none."""

    name: str
    before: str
    after: str
    conditions: tuple[Stretch, ...] = ()
    stop_seconds: float | None = None
    start_seconds: float | None = None
    usual_stop: Usual | None = None
    usual_start: Usual | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """A question and its answer: the words that were asked, by which way and whom they were answered."""

    question: str
    text: str
    answer: bool
    by: str
    user: str
    time: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Something else worth telling. `kind`: note, drift, skipped, left running, interrupt, service failed,
    begun anew, recovered; `about`: a step or a service."""

    at: float
    time: str
    kind: str
    text: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """A command that goes on, and what it does."""

    what: str
    command: str


@dataclass(frozen=True, slots=True)
class Left:
    """What is left to do: what is owed, steps that are still due, commands that go on."""

    debts: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class NotDue:
    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything about one run. `ended` is empty while it is unfinished; `seconds` are from its first event to its
    last (`now` while it runs), `seconds_at_work` without the gaps."""

    run: str
    number: int
    directory: str
    product: str
    host: str
    orchestrator: str
    made: str
    made_by: str
    verdict: Verdict
    headline: str
    reason: str
    exit_code: int | None
    from_version: str | None
    to_version: str | None
    started: str
    ended: str
    last: str
    seconds: float
    seconds_at_work: float
    expected_seconds: float | None
    downtime: float
    still_down: bool
    expected_downtime: float | None
    user: str
    invoker: str
    selection: str
    left: Left = field(default_factory=Left)
    sessions: tuple[Session, ...] = ()
    gaps: tuple[Gap, ...] = ()
    phases: tuple[Stretch, ...] = ()
    downtimes: tuple[Stretch, ...] = ()
    steps: tuple[StepFacts, ...] = ()
    services: tuple[ServiceFacts, ...] = ()
    consents: tuple[Consent, ...] = ()
    remarks: tuple[Remark, ...] = ()
    not_due: tuple[NotDue, ...] = ()
    plan_notes: tuple[str, ...] = ()
    earlier_runs: int = 0
    redacted: int = 0
    damaged: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        return self.verdict in (Verdict.DONE, Verdict.LOSSES, Verdict.FAILURES, Verdict.REFUSED)

    @property
    def begun(self) -> tuple[StepFacts, ...]:
        return tuple(step for step in self.steps if step.attempts)

    @property
    def failed(self) -> tuple[StepFacts, ...]:
        return tuple(step for step in self.steps if step.failed)

    def to_json(self) -> dict[str, Any]:
        """The document of `runs report -o json` (docs/formats.md)."""
        return {"format": FORMAT, **asdict(self)}
