# SPDX-License-Identifier: GPL-3.0-or-later
"""Importing beforehand whatever a run may need.

A step may install another version of this very program: what a run imported after that would be of the new version, or
gone. Commands that only look import it when they need it; a run imports all of it before its first event.
"""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.config.model import Config
from orchestrator.host import shimmed

if TYPE_CHECKING:
    from orchestrator.services.controlled import ControlledService

ALWAYS = ("concurrent.futures.thread", "sh", "orchestrator.upgrade.adoption")
FOR_SERVICES = (
    "psutil",
    "tenacity",
    "orchestrator.services.down",
    "orchestrator.services.readiness",
    "orchestrator.services.probes.log",
)
FOR_NOTIFICATIONS = (
    "orchestrator.upgrade.bundle.known",
    "orchestrator.upgrade.bundle.redaction",
    "orchestrator.upgrade.bundle.subject",
)


def preload(config: Config, services: "Mapping[str, ControlledService]") -> None:
    """After this a run with these services imports nothing of this program, nor of others' packages."""
    names = [*ALWAYS, *(FOR_SERVICES if services else ()), *(FOR_NOTIFICATIONS if config.notify else ())]
    for name in names:
        importlib.import_module(name)
    for service in services.values():
        service.preload()
    shimmed.remember_shim()
