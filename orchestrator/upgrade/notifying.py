# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of `notify:`: run at their moments, beside the upgrade, never in its way.

A thread tells one moment after the other, so that the receiver hears of a start before the end; the commands of a moment
run side by side. What goes wrong with one is a note in the journal.

At least once: `notified.json` in the directory of a run says what was told, and is written when the commands have ended.
What a killed runner, or a power cut, left untold is told by the next one, or at the next boot, marked as late; a command
that was killed with its runner's host may therefore hear of the same moment twice. A command that fails has been told:
only it knows whether another attempt helps, and may make it. But for the boot, when the network may not be there yet:
what a command fails to take then, it is told again.
"""

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.config.model import Notification
from orchestrator.host import clock, files, processes
from orchestrator.upgrade.notice import Past

RECORD = "notified.json"
MOMENT_VARIABLE = "ORCHESTRATOR_MOMENT"
_TICK = 0.1
# After so many seconds of waiting for the commands at the end it is said that, and for what, we wait.
_SILENCE = 3.0


def deliver(notifications: Iterable[Notification], document: dict[str, Any]) -> list[str]:
    """Run the commands that are for the moment of `document`, side by side, each to its end or its time limit.

    What went wrong, a line for each.
    """
    moment = document["moment"]
    chosen = [one for one in notifications if moment in one.at]
    data = json.dumps(document).encode() + b"\n"
    problems: list[str] = []

    def run(notification: Notification) -> None:
        if problem := _run(notification, moment, data):
            problems.append(problem)

    threads = [threading.Thread(target=run, args=(one,), daemon=True) for one in chosen[1:]]
    for thread in threads:
        thread.start()
    for one in chosen[:1]:
        run(one)
    for thread in threads:
        thread.join()
    return problems


def _run(notification: Notification, moment: str, data: bytes) -> str:
    """Empty, or what went wrong. Of the command line only the program is told: a token may stand in the rest."""
    program = notification.command[0]
    try:
        done = processes.run(
            notification.command, timeout=notification.timeout, env={MOMENT_VARIABLE: moment}, stdin=data
        )
    except OSError as error:
        return f"notify ({moment}): {program}: {error.strerror}"
    if done.ok:
        return ""
    words = done.last_words()
    status = "" if words.startswith("exit status") else f"exit status {done.exit_code}: "
    return f"notify ({moment}): {program}: {status}{words}"


# What was told ----------------------------------------------------------------------------------------


def read_told(directory: Path) -> set[tuple[str, int]] | None:
    """Moments that the commands have heard of. None: nothing was to be told of this run, and nothing is."""
    content = files.read_json(directory / RECORD)
    if not isinstance(content, dict):
        return None
    return {(str(one.get("moment")), int(one.get("seq", 0))) for one in content.get("told", ())}


def record_told(directory: Path, *told: Past) -> None:
    """Add to the record, which is made when it is missing. Raises OSError."""
    known = (read_told(directory) or set()) | {(one.moment.value, one.seq) for one in told}
    content = [{"moment": moment, "seq": seq} for moment, seq in sorted(known, key=lambda one: one[1])]
    files.replace_json(directory / RECORD, {"format": 1, "told": content})


def untold(directory: Path, past: Sequence[Past]) -> Past | None:
    """The last of these attempts at the run, if nobody has heard yet how it went."""
    told = read_told(directory)
    if told is None or not past or (past[-1].moment.value, past[-1].seq) in told:
        return None
    return past[-1]


# The thread -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Teller:
    """Tells one thing after another, in a thread of its own. `note` is told of problems until `leave`."""

    notifications: Sequence[Notification]
    note: Callable[[str], None]
    _waiting: list[Callable[[], list[str]]] = field(default_factory=list)
    _thread: threading.Thread | None = None
    _guard: threading.RLock = field(default_factory=threading.RLock)
    _listening: bool = True

    def tell(self, document: dict[str, Any], told: Callable[[], None], *, well: bool = False) -> None:
        """As soon as what came before is told; `told` is called when the commands have ended (`well`: with success)."""

        def job() -> list[str]:
            problems = deliver(self.notifications, document)
            if problems and well:
                return problems
            try:
                told()
            except OSError as error:
                problems.append(f"notify: {error.filename}: {error.strerror}")
            return problems

        with self._guard:
            self._waiting.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True, name="notify")
                self._thread.start()

    def _work(self) -> None:
        while True:
            with self._guard:
                if not self._waiting:
                    self._thread = None
                    return
                job = self._waiting.pop(0)
            for problem in job():
                self._say(problem)

    def _say(self, text: str) -> None:
        with self._guard:
            if self._listening:
                self.note(text)

    def leave(self, *, give_up: Callable[[], bool]) -> None:
        """Wait until everything is told, or until `give_up`: then the commands go on without us."""
        began, said = clock.monotonic(), False
        while (thread := self._thread) is not None and not give_up():
            thread.join(_TICK)
            if not said and clock.monotonic() - began > _SILENCE:
                said = True
                limit = max((one.timeout for one in self.notifications), default=0.0)
                self._say(f"waiting for the commands of notify, at most {limit:g} s each; Ctrl-C leaves them")
        with self._guard:
            self._listening = False
