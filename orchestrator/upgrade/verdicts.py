# SPDX-License-Identifier: GPL-3.0-or-later
"""What the end of a command means: exit statuses, signals, ends that nobody saw. Pure."""

import contextlib
import signal

from orchestrator.host.shimmed import Ending
from orchestrator.upgrade.runstate import StepStatus

NOT_APPLICABLE = 77
TRY_LATER = 75


def judge(ending: Ending, *, timed_out: bool, stopped: bool) -> tuple[StepStatus, str]:
    """What an ending means. Pure. Success is the command's own word: exit status 0, whatever we sent it."""
    if ending.exit == 0:
        return StepStatus.DONE, ""
    if ending.error:
        return StepStatus.FAILED, f"could not be started: {ending.error}"
    if not ending.known:
        return StepStatus.UNKNOWN, "nobody saw how it ended"
    if stopped:
        return StepStatus.STOPPED, "stopped on request"
    if timed_out:
        return StepStatus.TIMED_OUT, "did not end within its time limit"
    return _judge_failure(ending)


def _judge_failure(ending: Ending) -> tuple[StepStatus, str]:
    if ending.exit == NOT_APPLICABLE:
        return StepStatus.NOT_APPLICABLE, "does not apply here"
    if ending.exit == TRY_LATER:
        return StepStatus.LATER, "asks to be tried again later (exit status 75)"
    if ending.signal is not None:
        return StepStatus.FAILED, f"killed by {_signal_name(ending.signal)}"
    return StepStatus.FAILED, f"exit status {ending.exit}"


def _signal_name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
