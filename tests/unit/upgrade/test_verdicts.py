# SPDX-License-Identifier: GPL-3.0-or-later
"""What an ending means."""

import pytest

from orchestrator.host.shimmed import Ending
from orchestrator.upgrade.runstate import StepStatus
from orchestrator.upgrade.verdicts import judge


@pytest.mark.parametrize(
    ("ending", "status", "message"),
    [
        (Ending(exit=0), "done", ""),
        (Ending(exit=77), "not-applicable", "does not apply here"),
        (Ending(exit=75), "later", "asks to be tried again later (exit status 75)"),
        (Ending(exit=1), "failed", "exit status 1"),
        (Ending(exit=255), "failed", "exit status 255"),
        (Ending(signal=9), "failed", "killed by SIGKILL"),
        (Ending(signal=37), "failed", "killed by signal 37"),
        (
            Ending(error="No such file or directory"),
            "failed",
            "could not be started: No such file or directory",
        ),
        (Ending(), "unknown", "nobody saw how it ended"),
        (Ending(seconds=5, left=(1,)), "unknown", "nobody saw how it ended"),
    ],
)
def test_an_ending_by_itself(ending: Ending, status: str, message: str) -> None:
    assert judge(ending, timed_out=False, stopped=False) == (StepStatus(status), message)


@pytest.mark.parametrize(
    ("ending", "after_timeout", "after_stop"),
    [
        (Ending(exit=0), "done", "done"),
        (Ending(exit=1), "timed-out", "stopped"),
        (Ending(exit=75), "timed-out", "stopped"),
        (Ending(exit=77), "timed-out", "stopped"),
        (Ending(signal=15), "timed-out", "stopped"),
        (Ending(), "unknown", "unknown"),
        (Ending(error="x"), "failed", "failed"),
    ],
)
def test_an_ending_after_we_sent_a_signal(ending: Ending, after_timeout: str, after_stop: str) -> None:
    assert judge(ending, timed_out=True, stopped=False)[0] == after_timeout
    assert judge(ending, timed_out=False, stopped=True)[0] == after_stop
    assert judge(ending, timed_out=True, stopped=True)[0] == after_stop
