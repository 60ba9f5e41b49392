# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports that are killed, again and again from the same beginning, and gone on with.

python -m tests.support.importing DIRECTORY CASE KILLS      die at so many points, all over an import
"""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.content import links
from orchestrator.content import pool as pools
from orchestrator.content.exports.manifest import Subject, VersionEntry
from orchestrator.content.imports import assembly
from orchestrator.content.publication import shelf
from orchestrator.errors import ExitCode
from tests.support.killing import Points
from tests.support.receiving import Server, server
from tests.support.sending import Sending, Sent, contents, increment, of

LATER = "2026-02-01T00:00:00.000Z"
WEB, TOOLS = Sent("os/web", contents("a", "b", "c")), Sent("own/tools", contents("d", "e"))
NEW_WEB = replace(WEB, contents=contents("a", "b", "x"), made=LATER)
NEW_TOOLS = replace(TOOLS, contents=contents("d", "f"), made=LATER)
FIRST = of(WEB, TOOLS)
SECOND = increment(of(NEW_WEB, NEW_TOOLS), FIRST)
VIEW = of(
    NEW_WEB,
    NEW_TOOLS,
    subject=Subject("view", "acme", "both", 4),
    versions=(
        VersionEntry(
            "both",
            4,
            LATER,
            (
                ("os/web", "os/web", NEW_WEB.inventory),
                ("own/tools", "own/tools", NEW_TOOLS.inventory),
            ),
        ),
    ),
)
# What is there before, what is imported, and how.
CASES: dict[str, tuple[Sending | None, Sending, dict[str, Any]]] = {
    "fresh": (None, FIRST, {}),
    "increment": (FIRST, SECOND, {}),
    "segments": (None, replace(FIRST, segment=100), {}),
    "at-once": (FIRST, SECOND, {"all_or_nothing": True}),
    "view": (FIRST, VIEW, {}),
}


class Sweep:
    def __init__(self, place: Path, case: str) -> None:
        self.place = place
        before, self.sending, self.wish = CASES[case]
        self.before = place / "before"
        self.before.mkdir()
        with server(self.before) as receiver:
            if before is not None:
                assert receiver.run(before.media()).exit_code is ExitCode.DONE
        self.old = self._served(self.before)
        self.points = 0
        self.undisturbed = self._end(self._begin())
        self.new = self.undisturbed[0]

    def _begin(self) -> Path:
        work = self.place / "work"
        shutil.rmtree(work, ignore_errors=True)
        subprocess.run(["cp", "-a", self.before, work], check=True)
        return work

    def _served(self, work: Path) -> dict[str, bytes]:
        with server(work) as receiver:
            return receiver.served()

    def _run(self, receiver: Server) -> None:
        outcome = receiver.run(self.sending.media(), **self.wish)
        assert outcome.exit_code is ExitCode.DONE, outcome.to_json()

    def _end(self, work: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
        with server(work) as receiver:
            self._run(receiver)
            assert not list((receiver.root / "imports").glob("*/"))
            left = {path.name for path in receiver.root.glob("repositories/*/.*")}
            assert left <= {".pins.json.new"}, left  # the next list of pins is written over it
            return receiver.served(), receiver.rows(with_imports=True)

    def count(self) -> int:
        work, note = self._begin(), self.place / "count"
        assert not self._die_at(0, work, str(note))
        return int(note.read_text())

    def kill(self, point: int) -> bool:
        """Whether it came to that; all is well in any case."""
        work = self._begin()
        died = self._die_at(point, work)
        where = f"killed at point {point}"
        self._check(self._served(work), where)
        assert self._end(work) == self.undisturbed, where
        return died

    def _check(self, served: dict[str, bytes], where: str) -> None:
        """Each tree is the one from before or the new one."""
        for tree in {
            path.rpartition("/pool/")[0] or path.rpartition("/")[0] for path in (*self.old, *self.new)
        }:
            found = {path: data for path, data in served.items() if path.startswith(f"{tree}/")}
            choices = [
                {path: data for path, data in each.items() if path.startswith(f"{tree}/")}
                for each in (self.old, self.new)
            ]
            assert found in choices, (where, tree, sorted(found))

    def _die_at(self, point: int, work: Path, note: str = "") -> bool:
        child = os.fork()
        if child == 0:
            points = Points(point, note)
            points.make_deadly(pools, shelf, assembly, links, sync=lambda path: None)
            with server(work) as receiver:
                self._run(receiver)
            points.leave_count()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert died or status == 0, status
        return died


def points_of(count: int, kills: int, chance: Callable[[int, int], int]) -> list[int]:
    """Spread over all of it: one in each stretch of the same length."""
    return [
        chance(1 + number * count // kills, max(1, (number + 1) * count // kills)) for number in range(kills)
    ]


def main() -> None:
    place, case, kills = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    sweep, chance = Sweep(place, case), random.Random(11)
    count = sweep.count()
    died = [sweep.kill(point) for point in points_of(count, kills, chance.randint)]
    print(f"{sum(died)} of {count}")


if __name__ == "__main__":
    main()
