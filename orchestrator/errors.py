# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong, each with its exit code, a message and the command that goes on.

    OrchestratorError
     +- Invalid            78  configuration, script or plan errors; all of them at once
     +- Refused             4  a check or a fact of the host forbids the upgrade
     +- Unanswered          6  questions without an answer and without a terminal
     +- ServiceFailed       5  a service did not reach its state
     +- StepFailed          1  a step, a backup or a maintenance command failed
     +- StateUnwritable     1  the journal, the history or a mirror cannot be written
     +- BadContent          1  an upstream's, or a mirror's, content is not what it must be
     +- Stale               4  an upstream's metadata has expired, or is older than what is held
     +- TransferFailed      1  a server or the network did not give what was asked for
     +- Busy               75  another run holds the lock, or a step asked to be tried later
     +- NotPermitted       77  the user may not do this
     +- UsageError          2  the command line contradicts itself
     +- Interrupted       130  stopped on request

An error is raised once, where it is known, and turned into text and exit status in one place
(`orchestrator.cli.app`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of every command; the table in orchestrator(8) is held to this one by a test."""

    DONE = 0
    STEP_FAILED = 1
    USAGE = 2
    LOSSES = 3
    REFUSED = 4
    SERVICE = 5
    UNANSWERED = 6
    BUSY = 75
    NOT_PERMITTED = 77
    INVALID = 78
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (a file, a key, a service), what, and what helps."""

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} ({self.hint})" if self.hint else text


class OrchestratorError(Exception):
    """Base of all errors a user is told about without a traceback."""

    exit_code: ClassVar[ExitCode] = ExitCode.STEP_FAILED

    def __init__(self, message: str, *, hint: str = "", problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.problems = tuple(problems)


class Invalid(OrchestratorError):
    exit_code = ExitCode.INVALID


class Refused(OrchestratorError):
    exit_code = ExitCode.REFUSED


class Unanswered(OrchestratorError):
    exit_code = ExitCode.UNANSWERED


class ServiceFailed(OrchestratorError):
    exit_code = ExitCode.SERVICE


class StepFailed(OrchestratorError):
    exit_code = ExitCode.STEP_FAILED


class StateUnwritable(OrchestratorError):
    exit_code = ExitCode.STEP_FAILED


class BadContent(OrchestratorError):
    exit_code = ExitCode.STEP_FAILED


class Stale(OrchestratorError):
    exit_code = ExitCode.REFUSED


class TransferFailed(OrchestratorError):
    exit_code = ExitCode.STEP_FAILED


class Busy(OrchestratorError):
    exit_code = ExitCode.BUSY


class NotPermitted(OrchestratorError):
    exit_code = ExitCode.NOT_PERMITTED


class UsageError(OrchestratorError):
    exit_code = ExitCode.USAGE


class Interrupted(OrchestratorError):
    exit_code = ExitCode.INTERRUPTED
