# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that end too soon: killed at any moment, interrupted, or met by another run."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.content.outcome import Status
from tests.support import mirror_walk
from tests.support.cloning import Cloning, cloning
from tests.support.fault_server import always, slow
from tests.support.mirrored import KINDS, Kind, Mirror, mirrored
from tests.support.stack import wait_for

KILLS = 8
CASES: list[tuple[Kind, bool]] = [("deb", True), ("rpm", False), ("rpm", True), ("deb", False)]


@pytest.fixture(params=CASES, ids=str)
def mirror(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mirror]:
    kind, partial = request.param
    with mirrored(kind, tmp_path, partial=partial) as found:
        found.offer(1)
        assert found.clone().status is Status.PUBLISHED
        found.offer(2)
        yield found


def state(root: Path) -> dict[str, str]:
    """Trees, and what is published. (The pool may hold more: signatures of runs that did not end.)"""
    found = {
        f"{path.name}/{name}": digest
        for path in sorted((root / "repositories/up").iterdir())
        if path.is_dir()
        for name, digest in mirror_walk.snapshot(path).items()
    }
    names = {path.name for path in (root / "repositories/up").iterdir()}
    return found | {"names": " ".join(sorted(names)), "published": str((root / "published/up").readlink())}


class Sweep:
    """From one generation to the next, again and again, from the same beginning."""

    def __init__(self, mirror: Mirror) -> None:
        self.mirror, self.before = mirror, mirror.place / "before"
        shutil.move(mirror.root, self.before)

    def begin(self) -> None:
        shutil.rmtree(self.mirror.root, ignore_errors=True)
        subprocess.run(["cp", "-a", self.before, self.mirror.root], check=True)

    def undisturbed(self, run: Cloning) -> tuple[int, dict[str, str]]:
        """How many steps it takes, and what comes of it."""
        self.begin()
        points = int(run.ask("count"))
        assert self.mirror.generation == 2
        assert self.mirror.wrong() == []
        return points, state(self.mirror.root)

    def check(self, run: Cloning, command: str, undisturbed: dict[str, str]) -> bool:
        """Whether it was killed; all is well in any case."""
        self.begin()
        killed = run.ask(command) == "killed"
        assert self.mirror.wrong() == [], command
        assert run.ask("at 0") == "0", command
        assert self.mirror.wrong() == [], command
        assert state(self.mirror.root) == undisturbed, command
        return killed


def test_a_clone_that_is_killed_anywhere_is_made_good_by_the_next(mirror: Mirror) -> None:
    sweep, chance = Sweep(mirror), random.Random(7)
    with cloning(mirror.config) as run:
        points, undisturbed = sweep.undisturbed(run)
        for point in sorted(chance.sample(range(1, points + 1), min(KILLS, points))):
            sweep.check(run, f"at {point}", undisturbed)


def test_a_clone_that_is_killed_at_any_moment_is_made_good_by_the_next(mirror: Mirror) -> None:
    sweep, chance = Sweep(mirror), random.Random(11)
    with cloning(mirror.config) as run:
        _, undisturbed = sweep.undisturbed(run)
        sweep.begin()
        began = time.monotonic()
        assert run.ask("after 60") == "0"
        took = time.monotonic() - began
        for _ in range(3):
            sweep.check(run, f"after {chance.uniform(0, took):.4f}", undisturbed)


def test_what_killed_runs_leave_does_not_grow(mirror: Mirror) -> None:
    mirror.configure()
    with cloning(mirror.config) as run:
        points = 60
        for version in range(2, 5):
            mirror.offer(version)
            for point in range(3, points, 11):
                run.ask(f"at {point}")
            assert run.ask("at 0") == "0"
    assert mirror.clone(force=True).status is Status.PUBLISHED
    left = list((mirror.root / "incoming").iterdir())
    assert {path.suffix for path in left} <= {"", ".part", ".json"}, "what a later run may go on with"
    for path in left:
        os.utime(path, (time.time() - 8 * 86400,) * 2)
    assert mirror.clone(force=True).status is Status.PUBLISHED
    assert mirror.incoming() == [], "but not for ever"
    assert len(list((mirror.root / "repositories/up").iterdir())) == 3 * 3 + 2, (
        "of three generations, and two more"
    )
    assert mirror.wrong() == []


# The command line ---------------------------------------------------------------------------------------------


@pytest.fixture
def downloading(tmp_path: Path) -> Iterator[Callable[[Kind], Mirror]]:
    """A run that takes a quarter of a minute if nobody ends it."""
    open_mirrors = []

    def start(kind: Kind) -> Mirror:
        context = mirrored(kind, tmp_path, partial=True)
        found = context.__enter__()
        open_mirrors.append(context)
        found.offer(1)
        found.clone()
        found.offer(2)
        found.server.faults[found.address("db")] = always(slow(400))
        return found

    yield start
    for context in open_mirrors:
        context.__exit__(None, None, None)


def started(mirror: Mirror) -> "subprocess.Popen[str]":
    run = mirror.start()
    wait_for(lambda: mirror.server.count(mirror.address("db")) == 1, "the slow file is asked for")
    time.sleep(0.4)
    return run


@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c_leaves_all_as_it_was_and_the_next_run_goes_on(
    downloading: Callable[[Kind], Mirror], kind: Kind
) -> None:
    mirror = downloading(kind)
    before = mirror.snapshot()
    run = started(mirror)
    began = time.monotonic()
    run.send_signal(signal.SIGINT)
    told, _ = run.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert run.returncode == 130, told
    assert "Traceback" not in told
    assert mirror.snapshot() == before
    assert mirror.wrong() == []
    mirror.server.faults.clear()
    done = mirror.run()
    assert done.returncode == 0, done.stderr
    *_, last = mirror.server.requests(mirror.address("db"))
    assert last.headers["range"].startswith("bytes="), "from where it was"
    assert mirror.generation == 2
    assert mirror.wrong() == []


def test_two_runs_at_once(downloading: Callable[[Kind], Mirror]) -> None:
    mirror = downloading("deb")
    first = started(mirror)
    second = mirror.run()
    assert second.returncode == 75
    assert f"pid {first.pid}" in second.stderr + second.stdout
    third = mirror.start("clone", "--wait-lock", "30s")
    time.sleep(0.5)
    first.terminate()
    told, _ = first.communicate(timeout=20)
    assert first.returncode == 130, told
    mirror.server.faults.clear()
    told, _ = third.communicate(timeout=20)
    assert third.returncode == 0, told
    assert mirror.generation == 2
    assert mirror.wrong() == []


def test_a_command_that_is_killed_goes_on_from_there(downloading: Callable[[Kind], Mirror]) -> None:
    mirror = downloading("rpm")
    before = mirror.snapshot()
    run = started(mirror)
    run.kill()
    run.communicate()
    assert mirror.snapshot() == before
    mirror.server.faults.clear()
    other = mirror.server.count(mirror.address("other"))
    done = mirror.run()
    assert done.returncode == 0, done.stderr
    assert mirror.server.count(mirror.address("other")) == other, "what was whole is not asked for again"
    assert mirror.generation == 2
    assert mirror.wrong() == []
