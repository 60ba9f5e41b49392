# SPDX-License-Identifier: GPL-3.0-or-later
"""A product to measure with: configuration, steps and state below one directory."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import ROOT, environment

TRIVIAL = "#!/bin/sh\n#name: Step {number:04}\n#description: Does nothing.\nexit 0\n"
# Three services as a real configuration has them. Nothing here ever asks or touches one.
SERVICES: Mapping[str, Any] = {
    "postgresql": {
        "tier": "backend",
        "manager": "systemd",
        "unit": "postgresql@15-main.service",
        "ports": [5432],
        "ready": [{"postgresql": {"host": "/run/postgresql"}}],
    },
    "search": {
        "tier": "backend",
        "manager": "command",
        "start": ["/opt/search/bin/search", "-d"],
        "stop": ["/opt/search/bin/stop"],
        "status": ["/opt/search/bin/status"],
        "ports": [9200],
        "ready": [{"http": {"url": "http://127.0.0.1:9200/_cluster/health", "json": {"status": ["green"]}}}],
        "ready_timeout": "5m",
    },
    "web": {
        "tier": "application",
        "manager": "systemd",
        "unit": "example-web.service",
        "after": ["postgresql", "search"],
        "ready": [{"http": {"url": "http://127.0.0.1:8080/ping"}}, {"tcp": "127.0.0.1:8080"}],
    },
}


@dataclass(frozen=True, slots=True)
class Product:
    """`home` holds what the measured programs import; it is shared by all products of a benchmark."""

    directory: Path
    home: Path

    @property
    def scripts(self) -> Path:
        return self.directory / "scripts"

    @property
    def env(self) -> dict[str, str]:
        return environment(self.home, ORCHESTRATOR_CONFIG=str(self.directory / "orchestrator.yaml"))

    def configure(self, state: str, services: Mapping[str, Any] | None = None) -> Path:
        """Write the configuration; `state` is the name of the state directory, which is returned."""
        config = {
            "product": {"name": "Benchmark", "version": "2.0"},
            "state_dir": state,
            "log_dir": "log",
            "scripts": ["scripts"],
            "phases": [str(ROOT / "phases")],
            "services": services or {},
        }
        self.directory.mkdir(exist_ok=True)
        # JSON is YAML.
        (self.directory / "orchestrator.yaml").write_text(json.dumps(config, indent=1))
        return self.directory / state

    def step(self, name: str, text: str) -> None:
        path = self.scripts / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def trivial_steps(self, numbers: Iterable[int]) -> None:
        """One-shot steps that do nothing. No dots in their names: run-parts would pass them over in silence."""
        for number in numbers:
            self.step(f"upgrade/{number:04}_step", TRIVIAL.format(number=number))


def journals(state: Path) -> list[Path]:
    return sorted((state / "runs").glob("*/journal.jsonl"))
