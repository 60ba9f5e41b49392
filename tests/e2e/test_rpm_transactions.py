# SPDX-License-Identifier: GPL-3.0-or-later
"""What dnf and rpm make of orchestrator's package and of products that ship steps: real transactions, a real host.

The host is Debian's, with an rpm database of its own; what the machine has is one package there.
"""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support import systemd_host as hosts
from tests.support.packages import built_packages
from tests.support.product import Outcome
from tests.support.requirements import require
from tests.support.step_packages import StepPackage, build_examples, machine_rpm
from tests.support.systemd_host import SystemdHost
from tests.support.transactions import (
    ALL_CHANGES,
    BASELINE,
    BOOKS,
    BOOKS_BEFORE,
    EXTRA,
    ONE_SHOTS,
    RECORD_EXTRA,
    Server,
    all_is_well,
    environment,
    in_image,
    no_baseline,
    settled,
)

pytestmark = [pytest.mark.systemd, pytest.mark.slow]


@dataclass(frozen=True)
class Installed:
    """bookshelf 1.0 with books on a server that is off, and how its installation went."""

    server: Server
    dnf: Outcome
    history: dict[str, str]
    pending: bool


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    require(not hosts.obstacle(), hosts.obstacle())
    for program in ("dnf", "rpmbuild", "/usr/bin/createrepo_c", "curl"):
        require(shutil.which(program) is not None, program)
    place = tmp_path_factory.mktemp("rpms")
    packages = [built_packages().rpm, *build_examples("rpm", place)]
    with Server(SystemdHost("rpm"), "rpm", place) as server:
        server.prepare()
        server.offer(*packages, machine_rpm(packages, place))
        dnf = server.install("bookshelf-1.0").expect(0)
        server.add_books()
        made = Installed(server, dnf, server.history(), server.pending())
        server.host.cut()
        yield made


@pytest.fixture
def server(installed: Installed) -> Iterator[Server]:
    with installed.server.like_this("rpm") as made:
        yield made


def test_a_first_installation_counts_the_one_shots_as_done_and_starts_the_application(
    installed: Installed,
) -> None:
    installed.dnf.expect(0)
    assert "warning" not in installed.dnf.out + installed.dnf.err
    assert installed.history == BASELINE
    assert not installed.pending


def test_two_packages_in_one_transaction_cause_one_run_at_its_end_and_what_is_erased_leaves_the_data(
    server: Server,
) -> None:
    dnf = server.install("bookshelf-2.0", "bookshelf-covers").expect(0)

    (run,) = (run for run in server.runs() if run[0]["steps"] > 1)
    assert run[0]["invoker"] == "rpm"
    assert run[-1]["outcome"] == "done"
    assert server.history() == {**dict.fromkeys(ONE_SHOTS, "done"), **BASELINE}
    assert "3510_covers-table" in dnf.out
    assert "\x1b" not in dnf.out + dnf.err
    all_is_well(server, ALL_CHANGES)

    runs = len(server.runs())
    server.run("dnf", "-y", "--releasever=1", "reinstall", "bookshelf", "bookshelf-covers").expect(0)
    assert len(server.runs()) == runs

    # Refused by %pre: rpm passes over the package, dnf's transaction has failed.
    server.run("dnf", "-y", "--releasever=1", "remove", "bookshelf-covers").expect(0)
    dnf = server.run("dnf", "-y", "--releasever=1", "downgrade", "bookshelf-1.0").expect(1)
    assert server.run("rpm", "-q", "bookshelf").out == "bookshelf-2.0-1.noarch\n"
    all_is_well(server, ALL_CHANGES)

    server.run("dnf", "-y", "--releasever=1", "remove", "bookshelf").expect(0)
    assert server.changes() == ALL_CHANGES
    assert set(server.active().values()) == {"inactive"}

    # Without a baseline there is no data, and the next %post does both.
    server.host.path(BOOKS).unlink()
    with no_baseline(server):
        dnf = server.install("bookshelf-2.0").expect(0)
        assert "then run: dnf reinstall bookshelf" in dnf.out + dnf.err
        assert not server.host.path(BOOKS).exists()
    server.run("dnf", "-y", "--releasever=1", "reinstall", "bookshelf").expect(0)
    assert server.health()["version"] == "2.0"


def test_a_step_that_fails_is_a_warning_of_the_transaction_and_the_run_is_continued_by_hand(
    server: Server,
) -> None:
    server.offer(StepPackage("extra", "1.0", {EXTRA: f"test -e /opt/mended\n{RECORD_EXTRA}"}))

    dnf = server.install("bookshelf-2.0", "extra").expect(0)

    assert "3700_extra.sh" in dnf.out + dnf.err
    assert "orchestrator upgrade" in dnf.out + dnf.err
    assert "scriptlet" in dnf.out + dnf.err
    assert server.pending()
    server.host.cut()
    server.host.boot()
    server.host.systemctl("start", "bookshelf.service")
    assert server.active()["bookshelf.service"] == "inactive", "the gate is shut"
    server.host.write("/opt/mended", "")
    server.orchestrator("upgrade", "-y").expect(0)
    all_is_well(server, ["store-format", "authors", "extra"])


@pytest.mark.parametrize("way", ["chroot", "rpm --root"])
def test_in_an_image_the_upgrade_is_recorded_and_the_first_boot_runs_it(server: Server, way: str) -> None:
    server.host.cut()
    root = server.host.path("/")
    if way == "chroot":
        command = in_image(root, *server.install_command("bookshelf-2.0"))
    else:
        package = next(root.glob("opt/repository/bookshelf-2.0*"))
        command = ["rpm", f"--root={root}", "--force-debian", "--upgrade", str(package)]
    done = subprocess.run(
        command,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **environment()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    request = server.request()
    assert request is not None, done.stdout + done.stderr
    assert request["at_boot"]
    assert server.changes() == []
    if way != "chroot":
        return  # the rest is the same

    server.host.boot()

    assert server.health()["version"] == "2.0"
    settled(server)
    all_is_well(server, ["store-format", "authors"])
    assert [title for title, _ in BOOKS_BEFORE] == server.titles()[:3]
