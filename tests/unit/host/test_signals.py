# SPDX-License-Identifier: GPL-3.0-or-later
"""Presses are counted, and the handlers of before come back."""

import os
import signal

import pytest

from orchestrator.host.signals import Interrupts

WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def test_interrupts_are_counted_and_a_termination_is_the_first_of_them() -> None:
    with Interrupts() as interrupts:
        assert not interrupts.stop_requested
        for number, presses in (
            (signal.SIGHUP, 0),
            (signal.SIGTERM, 1),
            (signal.SIGTERM, 1),
            (signal.SIGINT, 2),
            (signal.SIGTERM, 2),
            (signal.SIGINT, 3),
        ):
            os.kill(os.getpid(), number)
            assert interrupts.presses == presses, number.name
        assert interrupts.stop_requested


def test_the_handlers_of_before_come_back_also_after_an_error() -> None:
    before = [signal.getsignal(number) for number in WATCHED]
    with pytest.raises(ZeroDivisionError), Interrupts():
        print(1 / 0)
    assert [signal.getsignal(number) for number in WATCHED] == before
