# SPDX-License-Identifier: GPL-3.0-or-later
"""What every command of the runner works with: the configuration, where it lies, the known actions."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config.model import Config
from orchestrator.config.shipped import CONFIG_FILE
from orchestrator.upgrade.actions import Registry

if TYPE_CHECKING:
    from orchestrator.services.controlled import ControlledService


@dataclass(frozen=True, slots=True)
class Setting:
    config: Config
    path: Path
    registry: Registry

    def services(self) -> "dict[str, ControlledService]":
        """The controlled services by name; their managers and probes are loaded here, not before."""
        from orchestrator.services.controlled import control_all
        from orchestrator.services.service import Places

        places = Places(state=self.config.state_dir / "services", logs=self.config.log_dir)
        return control_all(self.config.services, places)

    def command(self, words: str) -> str:
        """A command line that works with this configuration, for messages: `orchestrator upgrade`."""
        option = "" if self.path == CONFIG_FILE else f" --config {shlex.quote(str(self.path))}"
        return f"orchestrator {words}{option}"
