# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of `orchestrator mirror clone` that are killed: children of a process that has loaded everything already.

python -m tests.support.cloning CONFIG      reads lines, answers each with one

at POINT      clone; SIGKILL at the POINTth step towards the disk; "killed" or the exit status
after SECONDS clone; SIGKILL so long after its begin; the same
count         clone; the number of steps
"""

import importlib
import os
import pkgutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from orchestrator import content
from orchestrator.content import pool as pools
from orchestrator.content.publication import shelf
from tests.support.killing import Points


def clone(config: Path) -> int:
    mirrors = content.load_mirrors(config)
    with content.Engine(mirrors) as engine:
        outcomes = content.clone(engine, mirrors.sources, (), content.Wish())
    for outcome in outcomes:
        if outcome.error is not None:
            print(outcome.error, *outcome.error.problems, file=sys.stderr, flush=True)
    return int(content.exit_code_of(outcomes))


def _clone_to(config: Path, point: int, count: int) -> None:
    """In a child: die at `point`; 0: never, and the number of points is written to the descriptor `count`."""
    points = Points(point, "")
    write = os.write
    points.make_deadly(pools, shelf)
    code = clone(config)
    if count >= 0:
        write(count, str(points.passed).encode())
    os._exit(code)


def _child(work: Callable[[], object], kill_after: float | None = None) -> str:
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    ended, status = 0, 0
    until = time.monotonic() + (kill_after or 0.0)
    while kill_after is not None and not ended and time.monotonic() < until:
        time.sleep(0.001)
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        if kill_after is not None:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    return "killed" if os.WIFSIGNALED(status) else str(os.waitstatus_to_exitcode(status))


def load_everything() -> None:
    """What a clone imports when it comes to it; it has no catalog, whose migrations only their own runner imports."""
    for module in pkgutil.walk_packages(content.__path__, f"{content.__name__}."):
        if f"{content.__name__}.catalog." not in module.name:
            importlib.import_module(module.name)
    for name in ("concurrent.futures.thread", "isal.igzip", "pycurl", "pysequoia", "solv", "zstandard"):
        importlib.import_module(name)


def main() -> None:
    load_everything()
    config = Path(sys.argv[1])
    for line in sys.stdin:
        word, _, value = line.strip().partition(" ")
        if word == "at":
            told = _child(lambda point=int(value): _clone_to(config, point, -1))  # type: ignore[misc]
        elif word == "after":
            told = _child(lambda: os._exit(clone(config)), float(value))
        else:
            reading, writing = os.pipe()
            _child(lambda descriptor=writing: _clone_to(config, 0, descriptor))  # type: ignore[misc]
            os.close(writing)
            told = os.read(reading, 100).decode()
            os.close(reading)
        print(told, flush=True)


class Cloning:
    def __init__(self, commands: IO[str], answers: IO[str]) -> None:
        self._commands, self._answers = commands, answers

    def ask(self, command: str) -> str:
        print(command, file=self._commands, flush=True)
        return self._answers.readline().strip()


@contextmanager
def cloning(config: Path) -> Iterator[Cloning]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.cloning", str(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    ) as process:
        assert process.stdin
        assert process.stdout
        yield Cloning(process.stdin, process.stdout)
        process.stdin.close()


if __name__ == "__main__":
    main()
