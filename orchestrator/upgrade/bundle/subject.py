# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bundle is about: a run or none, and as much of the configuration as can be read."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.config.load import read_yaml
from orchestrator.config.model import Config, SystemdService
from orchestrator.errors import Invalid
from orchestrator.upgrade.runs import RunDirectory, find_run, list_runs
from orchestrator.upgrade.runstate import RunState
from orchestrator.upgrade.setting import Setting


@dataclass(frozen=True, slots=True)
class Subject:
    """`setting` is None where the configuration has errors: `problem` tells them. `document` is what it says, as far
    as it is YAML."""

    path: Path
    setting: Setting | None
    problem: str = ""
    document: dict[str, Any] = field(default_factory=dict)
    run: RunDirectory | None = None
    state: RunState | None = None

    @property
    def config(self) -> Config | None:
        return self.setting.config if self.setting else None

    @property
    def state_dir(self) -> Path:
        return self._directory("state_dir")

    @property
    def log_dir(self) -> Path:
        return self._directory("log_dir")

    def _directory(self, key: str) -> Path:
        if self.config:
            directory: Path = getattr(self.config, key)
            return directory
        said = self.document.get(key)
        known = said if isinstance(said, str) else Config.model_fields[key].default
        return self.path.parent / known

    @property
    def units(self) -> tuple[str, ...]:
        """Of systemd, that services are."""
        if self.config:
            specs = self.config.services.values()
            return tuple(spec.unit for spec in specs if isinstance(spec, SystemdService))
        services = self.document.get("services")
        entries = services.values() if isinstance(services, dict) else ()
        return tuple(e["unit"] for e in entries if isinstance(e, dict) and isinstance(e.get("unit"), str))

    @property
    def mirrors(self) -> Path | None:
        content = self.document.get("content")
        said = content.get("mirrors") if isinstance(content, dict) else None
        return self.path.parent / said if isinstance(said, str) else None

    @property
    def name(self) -> str:
        return self.run.id if self.run else "no-run"

    def directories(self) -> Iterator[Path]:
        """Where orchestrator keeps its files."""
        yield from (self.state_dir, self.log_dir)
        if self.config:
            yield from (self.config.content.root, self.config.content.exports)


def read_document(path: Path) -> dict[str, Any]:
    """What stands in a configuration; empty where it cannot be read."""
    try:
        document = read_yaml(path)
    except Invalid:
        return {}
    return document if isinstance(document, dict) else {}


def make_subject(path: Path, setting: Setting | None, problem: str, wanted: str) -> Subject:
    """`wanted`: a run as `find_run` knows it; where there is none yet, `last` is the host alone.

    Raises UsageError.
    """
    about = Subject(path, setting, problem, read_document(path))
    try:
        there = wanted != "last" or bool(list_runs(about.state_dir))
        run = find_run(about.state_dir, wanted) if there else None
        state = run.state() if run else None
    except (Invalid, OSError):  # not ours to read
        run, state = _by_name(about.state_dir, wanted), None
    return replace(about, run=run, state=state)


def _by_name(state_dir: Path, wanted: str) -> RunDirectory | None:
    """The directory of the run, as far as names can be seen."""
    try:
        names = sorted(name for name in os.listdir(state_dir / "runs") if name[:1].isdigit())
    except OSError:
        return None
    meant = [name for name in names if wanted in ("last", name, name.partition("-")[0].lstrip("0"))]
    return RunDirectory(state_dir / "runs" / meant[-1]) if meant else None
