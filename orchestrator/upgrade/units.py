# SPDX-License-Identifier: GPL-3.0-or-later
"""The units that run upgrades with nobody at a terminal: one on request, and one that looks at every boot."""

import os
from pathlib import Path

from orchestrator.errors import ServiceFailed
from orchestrator.services import systemctl

UPGRADE = "orchestrator-upgrade.service"
BOOT = "orchestrator-boot.service"
# Where systemd finds the units of the system, as far as packages and administrators write there (systemd.unit(5)).
_PLACES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)


def is_installed(unit: str) -> bool:
    """Whether the unit is there and not masked; known without systemd, in a chroot too."""
    for place in _PLACES:
        path = Path(place, unit)
        if os.path.lexists(path):
            return os.path.realpath(path) != os.devnull
    return False


def start(unit: str) -> str:
    """Order the start and do not wait for it; why that could not be done, empty when it was."""
    try:
        systemctl.order("start", "--no-block", "--", unit)
    except ServiceFailed as error:
        return error.message
    return ""
