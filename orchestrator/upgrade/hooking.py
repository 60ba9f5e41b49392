# SPDX-License-Identifier: GPL-3.0-or-later
"""What a package's script does about an upgrade, and what the boot does. Pure: facts and policy in, decision out.

A package's script runs in the middle of a transaction, mostly with nobody at the terminal, sometimes on a host that
is no host yet. It runs the upgrade only where that can be done at once and without a question; otherwise it leaves a
request, says who will answer it, and is content: no package stays unconfigured for what can be done later.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from orchestrator.errors import ExitCode
from orchestrator.upgrade.plan import Question
from orchestrator.upgrade.requests import Request
from orchestrator.upgrade.runstate import RunState

Policy = Literal["run", "schedule", "notify"]


# A package's script -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do. `steps`: those that make an upgrade due; `due`: how many would run; `packaging`: due ones
    that install packages themselves; `questions`: what nobody has agreed to beforehand; `version_known`: what an upgrade would
    go to could be found out."""

    steps: tuple[str, ...] = ()
    due: int = 0
    unfinished: str | None = None
    requested: bool = False
    from_version: str | None = None
    to_version: str | None = None
    version_known: bool = True
    packaging: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()

    @property
    def new_version(self) -> bool:
        return self.to_version not in (None, self.from_version)

    @property
    def any(self) -> bool:
        """A new version, or a request, is work only where steps would run."""
        again = self.due > 0 and (self.requested or self.new_version)
        return bool(self.steps) or self.unfinished is not None or again


@dataclass(frozen=True, slots=True)
class Live:
    """A run that is under way. `covers`: it has in its plan all that is due now."""

    who: str
    covers: bool = False


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Where we are. `obstacles`: why no upgrade can run here; `live`: who holds the run lock."""

    obstacles: tuple[str, ...] = ()
    live: Live | None = None


class Deed(StrEnum):
    """What the script does: nothing, leave a request, or run the upgrade."""

    NOTHING = "nothing"
    RECORD = "record"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Decision:
    """`why` it is not run now, in words for the request; `at_boot`: the next boot runs it; `start`: the unit is
    started, which waits for what is in the way; `announce`: somebody must be told."""

    deed: Deed
    why: str = ""
    at_boot: bool = False
    start: bool = False
    announce: bool = False


def decide(work: Work, here: Circumstances, policy: Policy) -> Decision:
    """What a package's script does now."""
    if not work.any:
        return Decision(Deed.NOTHING)
    if here.live and here.live.covers:
        return Decision(Deed.NOTHING, f"{here.live.who} is under way and does what is due")
    unknown = "" if work.version_known else "the product's version is not known"
    reason = "; ".join(here.obstacles) or unknown or _by_policy(policy)
    if reason:
        # What needs consent would not get it at the boot either. A version that a host at work does not know is one of
        # a product that is gone, and has left its configuration: an upgrade would refuse, now and at every boot.
        at_boot = policy != "notify" and not work.questions and (work.version_known or bool(here.obstacles))
        return Decision(Deed.RECORD, reason, at_boot=at_boot, announce=not here.obstacles)
    if work.questions:
        return Decision(Deed.RECORD, _unanswered(work.questions), announce=True)
    if in_the_way := _in_the_way(work, here.live):
        return Decision(Deed.RECORD, in_the_way, at_boot=True, start=True)
    return Decision(Deed.RUN)


def _in_the_way(work: Work, live: Live | None) -> str:
    """What is over soon, and is waited for by the unit."""
    if work.packaging:
        number = len(work.packaging)
        needs = f"need{'s' if number == 1 else ''} the package manager, which is at work now"
        return f"{', '.join(work.packaging)} {needs}"
    return f"{live.who} is under way" if live else ""


def _by_policy(policy: Policy) -> str:
    return {
        "run": "",
        "schedule": "the configuration leaves it to the next boot (hook: schedule)",
        "notify": "the configuration leaves it to an administrator (hook: notify)",
    }[policy]


def _unanswered(questions: Sequence[Question]) -> str:
    number = len(questions)
    return f"{number} question{'s need' if number > 1 else ' needs'} an answer"


# How the script ends ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HookEnd:
    """A row of the table of exit codes."""

    what: str
    code: int


# By the exit code of the upgrade. deb: with 1 the package stays half-configured, and `dpkg --configure -a` goes on
# with the run. rpm: 1 is a warning of the transaction, which is done all the same.
_ENDS = {
    ExitCode.DONE: HookEnd("done; nothing to do; recorded for later", 0),
    ExitCode.LOSSES: HookEnd(
        "done, but steps had to do without something, or failed and were passed over", 0
    ),
    ExitCode.STEP_FAILED: HookEnd("a step failed", 1),
    ExitCode.REFUSED: HookEnd("a check or a fact of the host refused", 1),
    ExitCode.SERVICE: HookEnd("a service did not reach its state", 1),
    ExitCode.UNANSWERED: HookEnd("a question came up in the middle of the run", 1),
    ExitCode.BUSY: HookEnd("a step asked to be tried later", 1),
    ExitCode.NOT_PERMITTED: HookEnd("the user may not do this", 1),
    ExitCode.INVALID: HookEnd("the configuration, a script or a phase is broken", 1),
    ExitCode.INTERRUPTED: HookEnd("stopped on request", 1),
    ExitCode.USAGE: HookEnd("the command line is wrong", 1),
}


def hook_ends() -> tuple[tuple[ExitCode, HookEnd], ...]:
    """The table of exit codes: what `upgrade` would exit with, what that is, what the hook exits with."""
    return tuple(_ENDS.items())


def exit_code_of(code: ExitCode) -> int:
    """What a hook exits with where the upgrade ended with `code`."""
    return _ENDS[code].code


# The boot ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Left:
    """What the host was left with. `run`: an unfinished run; `stopped`: why it stopped, empty when it died without a
    word; `died_in`: the step that it died in, if it was in one; `deaths`: how many times in a row it died without
    finishing a step; `asked`: who asked for an upgrade; `at_boot`: whether the boot is to run it; `live`: a run is under
    way."""

    run: str | None = None
    stopped: str = ""
    died_in: str = ""
    deaths: int = 0
    asked: str | None = None
    at_boot: bool = False
    steps: int = 0
    live: bool = False


@dataclass(frozen=True, slots=True)
class BootDecision:
    """`start`: the unit that runs the upgrade is started. `why`, or why not."""

    start: bool
    why: str


# What takes the host down, a step or the start of a service, would do so at every boot.
_MOST_DEATHS = 2


def left_by(run: RunState | None, in_flight: str, request: Request | None) -> Left:
    """`run`: the unfinished one; `in_flight`: the step whose end its journal does not know, if there is one."""
    left = Left(asked=request.by, at_boot=request.at_boot) if request else Left()
    if run is None:
        return left
    return replace(left, run=run.run, stopped=run.stop_reason, died_in=in_flight, deaths=run.deaths + 1)


def decide_boot(left: Left, policy: Policy, *, resume: bool) -> BootDecision:
    """What a boot does about what it finds: it goes on only where that was wanted, and nothing has failed."""
    if left.live:
        return BootDecision(start=False, why="a run is under way")
    if left.run and left.stopped:
        return BootDecision(start=False, why=f"run {left.run} stopped: {left.stopped}")
    if left.run:
        if resume and left.deaths >= _MOST_DEATHS:
            often = "twice" if left.deaths == _MOST_DEATHS else f"{left.deaths} times"
            where = f"in {left.died_in}" if left.died_in else "without finishing a step"
            return BootDecision(start=False, why=f"run {left.run} died {often} {where}")
        died = f"run {left.run} died (the power went, or it was killed)"
        return BootDecision(start=resume, why=died if resume else f"{died}; resume_at_boot: no")
    if left.asked is not None:
        wanted = policy != "notify" and left.at_boot
        return BootDecision(start=wanted, why=f"{left.asked} asked for an upgrade")
    number = left.steps
    return BootDecision(
        start=False, why=f"{number} step{'s are' if number > 1 else ' is'} due" if number else ""
    )
