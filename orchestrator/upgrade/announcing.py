# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling the world beyond the terminal how an upgrade stands: the message of the day, and the commands of `notify:`.

Neither can stop an upgrade: what goes wrong here is a note in the journal.
"""

import contextlib
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.upgrade.context import RunContext
    from orchestrator.upgrade.requests import Request
    from orchestrator.upgrade.setting import Setting


class Moment(StrEnum):
    """When it is told. `pending`: an upgrade was asked for and waits for somebody."""

    PENDING = "pending"
    START = "start"
    FAILURE = "failure"
    END = "end"


@contextlib.contextmanager
def announcing(setting: "Setting", context: "RunContext") -> Iterator[None]:
    """Around the execution of a run: its start, and its end or failure."""
    yield


def announce_pending(setting: "Setting", request: "Request") -> None:
    """An upgrade was asked for and waits."""
