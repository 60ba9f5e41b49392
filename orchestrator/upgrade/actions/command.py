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
    if not isinstance(argv, list) or not argv or not all(map(_is_word, argv)):
        raise ValueError("takes a list of words; put quotes around yes, no, dates and numbers with a point")
    env, cwd, ok = value.get("env", {}), value.get("cwd", "/"), value.get("ok", [0])
    if not isinstance(env, dict) or not all(map(_is_word, (*env, *env.values()))):
        raise ValueError("env takes a mapping of names to texts")
    if not isinstance(cwd, str) or not cwd.startswith("/"):
        raise ValueError("cwd takes an absolute path")
    if not isinstance(ok, list) or not all(type(code) is int for code in ok):
        raise ValueError("ok takes a list of exit statuses")
    return Command(tuple(map(str, argv)), {str(k): str(v) for k, v in env.items()}, Path(cwd), tuple(ok))


def _is_word(value: Any) -> bool:
    """Text, or a whole number. What YAML makes of 1.10 and no is not what stands in the file."""
    return isinstance(value, str) or type(value) is int
