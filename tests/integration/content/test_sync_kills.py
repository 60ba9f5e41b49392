# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports and imports that are killed, at any step or any moment, with and without the power: the same command ends
with the same bytes, and nothing is left over."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.content.generations import collect_garbage
from orchestrator.content.pool import Pool
from tests.support.export_site import complete_ones, contents
from tests.support.real_media import FORMATS, Chain, made_chain, receiving, served, trees_of
from tests.support.sync_host import Host, words_of
from tests.support.warm import WarmProgram, warm_program

# Of each format; every second one with the power.
TIMES = 4


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with made_chain() as made:
        yield made


@pytest.fixture(scope="module")
def program() -> Iterator[WarmProgram]:
    with warm_program() as made:
        yield made


@pytest.fixture
def host(chain: Chain, program: WarmProgram) -> Iterator[Host]:
    place = chain.place / "test"
    place.mkdir()
    yield Host(chain, program, place)
    shutil.rmtree(place)


# At any step ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["export", "import", "import-at-once"])
def test_killed_at_any_step_the_same_command_ends_as_if_it_had_not_been(what: str) -> None:
    """Of every format."""
    argv = [sys.executable, "-m", "tests.support.sync_kills", what, str(TIMES)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = [line.split() for line in done.stdout.splitlines()]
    assert [words[0] for words in told] == list(FORMATS)
    assert all(int(deaths) >= TIMES - 1 and int(points) > 80 for _, deaths, points in told), told


# At any moment ----------------------------------------------------------------------------------------


def kill(host: Host, server: Path, words: list[str | Path], seconds: float) -> bool:
    """A command in a process of its own, killed after so long; whether it still ran."""
    environment = host.environment(server) | {"PYTHONPATH": os.getcwd()}
    argv = [sys.executable, "-m", "orchestrator", *map(str, words)]
    with subprocess.Popen(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it has begun
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        return process.wait() == -signal.SIGKILL


def test_an_export_that_is_killed_at_any_moment_goes_on(host: Host) -> None:
    sender = host.sender(host.place / "sender")
    words = words_of("iso")
    chance = random.Random(17)
    killed = [kill(host, sender, list(words), chance.uniform(0, 0.05)) for _ in range(2)]
    assert any(killed)
    collect_garbage(Pool(sender))
    code, said = host.run(sender, *words)
    assert code == 0, said
    [made] = complete_ones(sender / "exports")
    assert not list((sender / "exports").rglob("*.partial"))
    other = host.sender(host.place / "other")
    assert host.run(other, *words)[0] == 0
    [undisturbed] = complete_ones(other / "exports")
    assert contents(made) == contents(undisturbed)


@pytest.mark.parametrize("options", [[], ["--all-or-nothing"]], ids=["one by one", "at once"])
def test_an_import_that_is_killed_at_any_moment_goes_on(host: Host, options: list[str]) -> None:
    receiver = host.receiver(host.place / "receiver")
    words: list[str | Path] = ["import", "run", *host.media("tar"), *options]
    chance = random.Random(19)
    killed = []
    for _ in range(2):
        killed.append(kill(host, receiver, words, chance.uniform(0, 0.05)))
        found = trees_of(served(receiver / "content"))
        for path, tree in found.items():
            assert tree in (host.chain.before.get(path), host.chain.after.get(path)), path
        collect_garbage(Pool(receiver / "content"))
    assert any(killed)
    code, said = host.run(receiver, *words)
    assert code == 0, said
    collect_garbage(Pool(receiver / "content"))
    with receiving(receiver) as here:
        assert trees_of(here.served()) == host.chain.after
        assert here.leftovers() == []
