# SPDX-License-Identifier: GPL-3.0-or-later
"""`tcp`: somebody accepts connections at an address. The weakest proof: a port often opens before its service works."""

from orchestrator.config import model
from orchestrator.host.sockets import Conversation, split_address, why
from orchestrator.services.service import READY, Marks, Verdict, starting


class Tcp:
    def __init__(self, spec: model.TcpProbe) -> None:
        self._spec = spec

    def ask(self, marks: Marks) -> Verdict:  # noqa: ARG002
        try:
            with Conversation(split_address(self._spec.address), self._spec.timeout):
                return READY
        except OSError as error:
            return starting(f"{self._spec.address}: {why(error)}")
