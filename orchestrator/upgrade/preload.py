# SPDX-License-Identifier: GPL-3.0-or-later
"""Importing beforehand whatever a run may need.

A step may install another version of this very program: what a run imported after that would be of the new version, or
gone. Commands that only look import it when they need it; a run imports all of it before its first event.
"""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.host import shimmed

if TYPE_CHECKING:
    from orchestrator.services.controlled import ControlledService

ALWAYS = (
    "concurrent.futures.thread",
    "sh",
    "orchestrator.upgrade.adoption",
    # What is told of a failure, to everybody who logs in, goes through these.
    "orchestrator.upgrade.bundle.known",
    "orchestrator.upgrade.bundle.redaction",
    "orchestrator.upgrade.bundle.subject",
)
FOR_SERVICES = (
    "psutil",
    "tenacity",
    "orchestrator.services.down",
    "orchestrator.services.readiness",
    "orchestrator.services.probes.log",
)


def preload(services: "Mapping[str, ControlledService]") -> None:
    """After this a run with these services imports nothing of this program, nor of others' packages."""
    for name in (*ALWAYS, *(FOR_SERVICES if services else ())):
        importlib.import_module(name)
    for service in services.values():
        service.preload()
    shimmed.remember_shim()
