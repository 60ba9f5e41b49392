# SPDX-License-Identifier: GPL-3.0-or-later
"""`exec`: a command judges: 0 is ready, a status listed in `failed` ends the wait, any other asks to wait."""

from orchestrator.config import model
from orchestrator.host import processes
from orchestrator.services.service import READY, Marks, Readiness, Verdict, starting


class Exec:
    def __init__(self, spec: model.ExecProbe) -> None:
        self._spec = spec

    def ask(self, marks: Marks) -> Verdict:  # noqa: ARG002
        done = processes.run(self._spec.command, timeout=self._spec.timeout)
        if done.ok:
            return READY
        program, words = self._spec.command[0], done.last_words()
        reason = words if words.startswith(f"{program}: ") else f"{program}: {words}"
        if not words.startswith("exit status"):
            reason += f" (exit status {done.exit_code})"
        if done.exit_code in self._spec.failed:
            return Verdict(Readiness.FAILED, reason)
        return starting(reason)
