# SPDX-License-Identifier: GPL-3.0-or-later
"""From a service's configuration to its manager. Each manager is imported only where one is used."""

from typing import assert_never

from orchestrator.config import model
from orchestrator.services.service import Manager, Places


def make_manager(name: str, spec: model.AnyService, places: Places) -> Manager:
    match spec:
        case model.SystemdService():
            from orchestrator.services.systemd import SystemdManager

            return SystemdManager(name, spec, places)
        case model.SupervisorService():
            from orchestrator.services.supervisor import SupervisorManager

            return SupervisorManager(spec)
        case model.ProcessService():
            from orchestrator.services.process import ProcessManager

            return ProcessManager(name, spec, places)
        case model.CommandService():
            from orchestrator.services.command import CommandManager

            return CommandManager(name, spec, places)
        case model.ExternalService():
            from orchestrator.services.external import ExternalManager

            return ExternalManager(spec)
    assert_never(spec)
