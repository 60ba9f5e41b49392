# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks that are full before a clone, in the middle of it, at its end; and memory that is not there."""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from orchestrator import content
from orchestrator.content.events import Event, Name
from orchestrator.content.generations import MirrorStore
from orchestrator.content.outcome import Status
from tests.support.disks import small_disk
from tests.support.fault_server import Asked, Fault
from tests.support.mirrored import ENTRY, Kind, Mirror, mirrored, package_path

CASES: list[tuple[Kind, bool]] = [("deb", True), ("rpm", False)]
SIZE = 4 << 20


@pytest.fixture(params=CASES, ids=str)
def mirror(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mirror]:
    """Its destination is a file system of its own, with one generation on it."""
    kind, partial = request.param
    with small_disk(tmp_path / "content", str(SIZE)), mirrored(kind, tmp_path, partial=partial) as found:
        found.offer(1)
        assert found.clone().status is Status.PUBLISHED
        found.offer(2)
        yield found


def fill(mirror: Mirror, leave: int = 0) -> None:
    """Take all the room but `leave` bytes."""
    size = 0
    with (mirror.root / "filler").open("ab") as stream:
        for step in (1 << 16, 1 << 12):
            with contextlib.suppress(OSError):
                while True:
                    os.posix_fallocate(stream.fileno(), size, step)
                    size += step
        if leave:
            stream.truncate(size - leave)


def make_room(mirror: Mirror) -> None:
    (mirror.root / "filler").unlink()


def without_room(mirror: Mirror, begin: Callable[[], None]) -> str:
    """What the command says of it; nothing that clients see has changed, and with room it works."""
    before = mirror.snapshot()
    with mirror.watched():
        begin()
        done = mirror.run()
    assert done.returncode in (1, 4), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    assert mirror.snapshot() == before
    assert mirror.generation == 1
    assert mirror.wrong() == []
    mirror.server.faults.clear()
    make_room(mirror)
    outcome = mirror.clone()
    assert outcome.status is Status.PUBLISHED, outcome.error
    assert mirror.wrong() == []
    assert mirror.generation == 2
    return done.stdout + done.stderr


def when_asked_for(mirror: Mirror, path: str, then: Callable[[], None]) -> None:
    waiting = [then]

    def look(asked: Asked) -> Fault | None:
        if asked.path == f"/{path}" and waiting:
            waiting.pop()()
        return None

    mirror.server.faults["*"] = look


def test_no_room_from_the_beginning(mirror: Mirror) -> None:
    told = without_room(mirror, lambda: fill(mirror))
    assert "No space left on device" in told
    assert str(mirror.root) in told, "where"


def test_the_outcome_of_a_clone_without_room_says_what_helps_and_other_sources_go_on(mirror: Mirror) -> None:
    """One of two sources has something to write."""
    mirror.configure()
    document = yaml.safe_load(mirror.config.read_text())
    document["sources"].insert(0, {**mirror.source, "name": "new"})
    mirror.config.write_text(yaml.safe_dump(document))
    mirror.offer(1)  # all of it is there
    fill(mirror)
    argv = [*mirror.command("clone"), "--output", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    result = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, result["event"], result["exit_code"]) == (1, "result", 1)
    new, up = result["sources"]
    assert (new["source"], new["status"], new["generation"]) == ("new", "failed", 0)
    assert "No space left on device" in new["error"]["message"]
    assert str(mirror.root) in new["error"]["message"]
    assert new["error"]["hint"].startswith("free space")
    assert new["error"]["hint"].endswith("what was downloaded is kept; run it again")
    assert (up["source"], up["status"], up["generation"]) == ("up", "unchanged", 1)


@pytest.mark.parametrize("mirror", [("deb", False)], ids=str, indirect=True)
def test_a_mistake_of_our_own_is_no_outcome(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", "/wrong")

    monkeypatch.setattr(MirrorStore, "hold", wrong)
    with pytest.raises(FileNotFoundError):
        mirror.clone()


def test_no_room_for_the_packages_is_told_before_any_is_downloaded(mirror: Mirror) -> None:
    """Room for the metadata, and one package."""
    asked = mirror.server.count(mirror.address("web"))

    def begin() -> None:
        when_asked_for(mirror, ENTRY[mirror.kind], lambda: fill(mirror, 5 << 12))

    told = without_room(mirror, begin)
    assert ("are free at the destination" in told) != ("No space left on device" in told)
    if "are free" in told:
        assert mirror.server.count(mirror.address("web")) == asked + 1, "not before there was room"


@pytest.mark.parametrize("name", ["web", "other"])
def test_the_room_ends_while_packages_come_in(mirror: Mirror, name: str) -> None:
    path = package_path(mirror.kind, name, 2)
    told = without_room(mirror, lambda: when_asked_for(mirror, path, lambda: fill(mirror)))
    assert "No space left on device" in told
    assert str(mirror.root) in told


@pytest.mark.parametrize("moment", [Name.FETCHING, Name.PUBLISHING])
def test_the_room_ends_between_two_steps(mirror: Mirror, moment: Name) -> None:
    before = mirror.snapshot()
    mirror.configure()

    def watch(event: Event) -> None:
        if event.name is moment:
            fill(mirror)

    mirrors = content.load_mirrors(mirror.config)
    # No error is right too, when all was written already: links take no room.
    with mirror.watched(), content.Engine(mirrors, watch=watch) as engine, contextlib.suppress(OSError):
        content.clone(engine, mirrors.sources, (), content.Wish())
    if mirror.generation == 1:
        assert mirror.snapshot() == before
    assert mirror.wrong() == []
    make_room(mirror)
    mirror.offer(3)
    assert mirror.clone().status is Status.PUBLISHED
    assert mirror.wrong() == []


@pytest.mark.parametrize("spare", [0, 4, 8, 12, 16])
def test_no_names_are_left(mirror: Mirror, spare: int) -> None:
    """Inodes run out before bytes do."""
    before = mirror.snapshot()
    names = mirror.root / "names"
    names.mkdir()
    os.system(f"mount -o remount,nr_inodes={inodes_used(mirror.root) + spare} {mirror.root}")
    done = mirror.run()
    if done.returncode:
        assert "No space left on device" in done.stdout
        assert "Traceback" not in done.stderr
        assert mirror.snapshot() == before
    assert mirror.wrong() == []
    os.system(f"mount -o remount,nr_inodes=10000 {mirror.root}")
    shutil.rmtree(names)
    assert mirror.clone().exit_code == 0
    assert mirror.wrong() == []
    assert mirror.generation == 2


def inodes_used(root: Path) -> int:
    status = os.statvfs(root)
    return status.f_files - status.f_ffree
