# SPDX-License-Identifier: GPL-3.0-or-later
"""Upstreams that change while they are read, and clients that read the mirror while it changes."""

import contextlib
import itertools
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.content.outcome import Status
from tests.support.apt_client import AptClient
from tests.support.dnf_client import DnfClient
from tests.support.fault_server import Asked, Fault, always, status
from tests.support.mirrored import (
    ENTRY,
    KINDS,
    NAMES,
    Kind,
    Mirror,
    archive,
    deb_archive,
    mirrored,
    package_path,
    rpm_archive,
)
from tests.support.static_server import static_server

MANY = (*NAMES, *(f"more{number}" for number in range(8)))
LAST = 8


@pytest.fixture(params=[(kind, partial) for kind in KINDS for partial in (False, True)], ids=str)
def mirror(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mirror]:
    kind, partial = request.param
    with mirrored(kind, tmp_path, partial=partial) as found:
        found.offer(1)
        assert found.clone().status is Status.PUBLISHED
        yield found


def when_asked_for(mirror: Mirror, path: str, then: Callable[[], None]) -> None:
    """Once, before the answer."""
    waiting = [then]

    def look(asked: Asked) -> Fault | None:
        if asked.path.endswith(path) and waiting:
            waiting.pop()()
        return None

    mirror.server.faults["*"] = look


def version_of(mirror: Mirror) -> str:
    """Of `db`, in the published tree."""
    found = [path.name for path in mirror.published.resolve().rglob("db[-_]*") if path.is_file()]
    return max(found)


@pytest.mark.parametrize("moment", ["db", "other", "web"])
def test_packages_that_vanish_between_index_and_download_are_no_losses(mirror: Mirror, moment: str) -> None:
    mirror.offer(2)
    when_asked_for(mirror, package_path(mirror.kind, moment, 2), lambda: mirror.offer(3))
    with mirror.watched():
        outcome = mirror.clone()
    assert (outcome.status, outcome.exit_code) == (Status.PUBLISHED, 0), outcome.error or outcome.lost
    assert mirror.wrong() == []
    assert package_path(mirror.kind, "db", 3).endswith(version_of(mirror))


def test_an_index_that_vanishes_after_the_entry_file_is_read_again(mirror: Mirror) -> None:
    mirror.offer(2)
    moment = "Packages.gz" if mirror.kind == "deb" else "-primary.xml.gz"
    if mirror.kind == "deb":  # the name by the digest is asked for first
        index = archive("deb", 2) / "dists/stable/main/binary-amd64/by-hash/SHA256"
        waiting = [path.name for path in index.iterdir()]
    else:
        waiting = [moment]
    done: list[str] = []

    def look(asked: Asked) -> Fault | None:
        if not done and any(asked.path.endswith(name) for name in waiting):
            done.append(asked.path)
            mirror.offer(3)
        return None

    mirror.server.faults["*"] = look
    outcome = mirror.clone()
    assert done
    assert outcome.status is Status.PUBLISHED, outcome.error
    assert mirror.wrong() == []
    assert package_path(mirror.kind, "db", 3).endswith(version_of(mirror))


def test_an_upstream_that_changes_at_every_look_gives_one_of_its_states(mirror: Mirror) -> None:
    versions = itertools.chain(range(2, LAST), itertools.repeat(LAST))

    def look(asked: Asked) -> Fault | None:
        if asked.path == f"/{ENTRY[mirror.kind]}":
            mirror.offer(next(versions))
        return None

    mirror.server.faults["*"] = look
    with mirror.watched():
        outcome = mirror.clone()
    assert mirror.wrong() == []
    assert outcome.status in (Status.PUBLISHED, Status.UNCHANGED, Status.FAILED)
    mirror.server.faults.clear()
    mirror.offer(LAST)
    assert mirror.clone().exit_code == 0
    assert mirror.wrong() == []


def test_a_package_of_the_same_path_and_new_content_is_replaced(mirror: Mirror) -> None:
    """As upstreams do that should not; the index says so."""
    path = package_path(mirror.kind, "db", 2)
    mirror.offer(2)
    assert mirror.clone().status is Status.PUBLISHED
    before = (mirror.published / path).read_bytes()
    again = same_path_new_content(mirror.kind, mirror.place / "again")
    mirror.server.root = again
    outcome = mirror.clone()
    assert outcome.status is Status.PUBLISHED, outcome.error
    assert (mirror.published / path).read_bytes() == (again / path).read_bytes() != before
    assert mirror.wrong() == []


def same_path_new_content(kind: Kind, root: Path) -> Path:
    from dataclasses import replace

    from tests.support.mirrored import debs, rpms

    if kind == "deb":
        made = deb_archive(root, 3)
        made.publish(*(replace(deb, filler=b"another") if deb.name == "db" else deb for deb in debs(2)))
    else:
        other = [replace(rpm, summary="Another") if rpm.name == "db" else rpm for rpm in rpms(2)]
        rpm_archive(root, 3).write(other, time=1_700_000_000 + 3 * 86400)
    return root


def test_a_package_of_the_same_path_and_new_content_that_no_index_names_is_lost(mirror: Mirror) -> None:
    mirror.offer(2)
    root = mirror.place / "other"
    shutil.copytree(archive(mirror.kind, 2), root)
    place = root / package_path(mirror.kind, "db", 2)
    data = place.read_bytes()
    place.unlink()
    place.write_bytes(bytes(reversed(data)))
    mirror.server.root = root
    outcome = mirror.clone()
    assert outcome.exit_code == (3 if mirror.rebuilt else 1)
    assert mirror.wrong() == []


def test_what_was_lost_comes_in_as_soon_as_it_is_there(mirror: Mirror) -> None:
    mirror.offer(2)
    mirror.server.faults[mirror.address("db")] = always(status(404))
    assert mirror.clone().exit_code == (3 if mirror.rebuilt else 1)
    mirror.server.faults.clear()
    outcome = mirror.clone()
    assert outcome.exit_code == 0
    assert {"web", "db", "other"} <= mirror.packages()
    assert mirror.wrong() == []


def test_losses_that_last_are_told_each_time_and_push_no_earlier_generation_out(mirror: Mirror) -> None:
    if not mirror.rebuilt:
        return
    mirror.offer(2)
    mirror.server.faults[mirror.address("db")] = always(status(404))
    for _ in range(4):
        outcome = mirror.clone()
        assert outcome.exit_code == 3
        assert next(lost.what for lost in outcome.lost) == mirror.address("db")[1:]
        assert mirror.generation == 2, "nothing is new: it is not published again"
        assert outcome.generation == 2


# Shrinking ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_upstream_that_drops_most_of_its_packages_is_refused(kind: Kind, tmp_path: Path) -> None:
    with mirrored(kind, tmp_path) as mirror:
        mirror.offer(1, MANY)
        assert mirror.clone().packages == len(MANY)
        before = mirror.snapshot()
        mirror.offer(2)
        refusal = mirror.clone()
        assert refusal.exit_code == 4
        assert refusal.error is not None
        assert "from 12 to 4 packages" in refusal.error.message
        assert "--allow-shrink" in refusal.error.hint
        assert mirror.snapshot() == before
        assert mirror.clone().exit_code == 4, "nor is it taken at the second time"
        assert mirror.server.count(mirror.address("web")) == 0
        outcome = mirror.clone(allow_shrink=True)
        assert (outcome.status, outcome.packages) == (Status.PUBLISHED, len(NAMES))
        assert mirror.wrong() == []


# Clients that poll --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def restless(mirror: Mirror, seed: int) -> Iterator[None]:
    """An upstream that goes from version to version, in jumps, and in the end stays at the last."""
    ending, chance = threading.Event(), random.Random(seed)

    def go_on() -> None:
        while mirror.version < LAST and not ending.wait(chance.uniform(0.005, 0.12)):
            mirror.offer(mirror.version + 1)

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        ending.set()


@pytest.mark.parametrize("seed", [1, 2])
def test_no_client_ever_fails_while_the_upstream_goes_on_under_the_reader(mirror: Mirror, seed: int) -> None:
    mirror.configure(keep=20)
    for version in range(1, LAST + 1):
        archive(mirror.kind, version)
    outcomes = []
    with mirror.watched(), restless(mirror, seed):
        while mirror.version < LAST:
            outcomes.append(mirror.clone())
            assert mirror.wrong() == []
    assert {outcome.exit_code for outcome in outcomes} <= {0, 1, 3}
    outcome = mirror.clone()
    assert outcome.exit_code == 0, outcome.error
    assert mirror.wrong() == []
    assert package_path(mirror.kind, "db", LAST).endswith(version_of(mirror))


class Client:
    """A real client in a thread, until somebody says stop."""

    def __init__(self, update: Callable[[], None]) -> None:
        self.rounds, self.failures = 0, list[str]()
        self._stopping = threading.Event()
        self._update = update

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._update()
            except AssertionError as error:
                self.failures.append(str(error))
            self.rounds += 1

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        thread = threading.Thread(target=self.run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            thread.join()


@pytest.mark.parametrize("partial", [False, True], ids=["full", "partial"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_real_client_that_polls_never_fails(kind: Kind, partial: bool, tmp_path: Path) -> None:
    with mirrored(kind, tmp_path, partial=partial) as mirror:
        mirror.configure(keep=20)
        mirror.offer(1)
        mirror.clone()
        with static_server(mirror.root / "published") as web:
            make = apt if kind == "deb" else dnf
            client = Client(make(mirror, tmp_path / "client", f"{web.url}up/"))
            with client.at_work():
                for version in range(2, LAST + 1):
                    mirror.offer(version)
                    assert mirror.clone().status is Status.PUBLISHED
                    until = client.rounds + (version % 2)
                    while client.rounds < until and not client.failures:
                        threading.Event().wait(0.02)
        assert client.failures == []
        assert client.rounds >= 3


def apt(mirror: Mirror, place: Path, url: str) -> Callable[[], None]:
    key_file = mirror.signer.public_file
    told = f"Types: deb\nURIs: {url}\nSuites: stable\nComponents: main\nSigned-By: {key_file}\n"
    client = AptClient(place, told)

    def update() -> None:
        shutil.rmtree(place / "var/cache/apt/archives")
        (place / "var/cache/apt/archives/partial").mkdir(parents=True)
        client.update()
        assert len(client.download("web")) == 2

    return update


def dnf(mirror: Mirror, place: Path, url: str) -> Callable[[], None]:
    """Without a look at repomd.xml's signature: that is a second file, and may be the next generation's."""
    place.mkdir()
    client = DnfClient(place, f"[up]\nname=up\nbaseurl={url}os/\ngpgcheck=0\nmetadata_expire=0\n")

    def update() -> None:
        shutil.rmtree(place / "cache", ignore_errors=True)
        client("install", "--downloadonly", "web")

    return update
