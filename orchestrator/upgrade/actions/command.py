# SPDX-License-Identifier: GPL-3.0-or-later
"""`command: [argv...]` or `command: {run: [argv...], env: {...}, cwd: DIR, ok: [0, 3]}`."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.errors import StepFailed
from orchestrator.host import processes
from orchestrator.upgrade.actions import Action, ActionContext


@dataclass(frozen=True, slots=True)
class Command:
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = Path("/")
    ok: tuple[int, ...] = (0,)
    restarts: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        return "command: " + shlex.join(self.argv)

    def perform(self, context: ActionContext) -> None:
        status = processes.run_in_place(self.argv, env={**context.environment, **self.env}, cwd=self.cwd)
        if status not in self.ok:
            raise StepFailed(f"{shlex.join(self.argv)} exited with {status}")


def parse(value: Any) -> Action:
    if isinstance(value, list):
        value = {"run": value}
    if not isinstance(value, dict) or not set(value) <= {"run", "env", "cwd", "ok"}:
        raise ValueError("takes a list of words, or {run: [...], env: {...}, cwd: DIR, ok: [0]}")
    argv = value.get("run")
    if (
        not isinstance(argv, list)
        or not argv
        or not all(isinstance(word, str | int | float) for word in argv)
    ):
        raise ValueError("takes a list of words")
    env, ok = value.get("env", {}), value.get("ok", [0])
    if not isinstance(env, dict):
        raise ValueError("env takes a mapping of names to values")
    if not isinstance(ok, list) or not all(isinstance(code, int) for code in ok):
        raise ValueError("ok takes a list of exit statuses")
    return Command(
        tuple(map(str, argv)),
        {str(k): str(v) for k, v in env.items()},
        Path(value.get("cwd", "/")),
        tuple(ok),
    )
