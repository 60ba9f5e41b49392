# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that runs elsewhere: only its probes say anything, and nobody here stops it."""

from orchestrator.config import model
from orchestrator.host import files
from orchestrator.host.facts import ProcessId
from orchestrator.services.service import Activity, Condition


class ExternalManager:
    def __init__(self, spec: model.ExternalService) -> None:
        self._spec = spec

    def condition(self) -> Condition:
        return Condition(Activity.RUNNING, "managed elsewhere")

    def enabled(self) -> bool:
        return True

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def hold(self) -> None:
        pass

    def release(self) -> None:
        pass

    def held(self) -> bool:
        return False

    def processes(self) -> set[ProcessId]:
        return set()

    def log_tail(self, lines: int) -> list[str]:
        return files.last_lines(self._spec.log, lines) if self._spec.log else []
