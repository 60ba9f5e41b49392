# SPDX-License-Identifier: GPL-3.0-or-later
"""`unix`: somebody accepts connections at a socket file."""

from orchestrator.config import model
from orchestrator.host.sockets import Conversation, why
from orchestrator.services.service import READY, Marks, Verdict, starting


class Unix:
    def __init__(self, spec: model.UnixProbe) -> None:
        self._spec = spec

    def ask(self, marks: Marks) -> Verdict:  # noqa: ARG002
        try:
            with Conversation(self._spec.path, self._spec.timeout):
                return READY
        except OSError as error:
            return starting(f"{self._spec.path}: {why(error)}")
