# SPDX-License-Identifier: GPL-3.0-or-later
"""What apt and dpkg make of orchestrator's package and of products that ship steps: real transactions, real hosts.

One host is installed once; every other begins with its disk.
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
from tests.support.step_packages import StepPackage, build_examples
from tests.support.systemd_host import SystemdHost
from tests.support.terminal import Terminal, at_terminal
from tests.support.transactions import (
    ALL_CHANGES,
    BASELINE,
    BOOKS,
    BOOKS_BEFORE,
    EXTRA,
    ONE_SHOTS,
    RECORD_EXTRA,
    STATE,
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
    apt: Outcome
    history: dict[str, str]
    pending: bool


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    require(not hosts.obstacle(), hosts.obstacle())
    for program in ("apt-ftparchive", "dpkg-deb", "curl"):
        require(shutil.which(program) is not None, program)
    place = tmp_path_factory.mktemp("debs")
    packages = [built_packages().deb, *build_examples("deb", place)]
    with Server(SystemdHost("deb"), "deb", place) as server:
        server.prepare()
        server.offer(*packages)
        apt = server.install("bookshelf=1.0").expect(0)
        server.add_books()
        made = Installed(server, apt, server.history(), server.pending())
        server.host.cut()
        yield made


@pytest.fixture
def server(installed: Installed) -> Iterator[Server]:
    with installed.server.like_this("deb") as made:
        yield made


@pytest.fixture(scope="module")
def upgraded(installed: Installed) -> Iterator[tuple[Server, Outcome]]:
    """bookshelf 2.0, bookshelf-covers and a newer orchestrator, all of one transaction. What tests do to it leaves
    bookshelf 2.0 at work, up to the last of them."""
    with installed.server.like_this("deb-2") as made:
        made.offer(built_packages("9.0").deb)
        yield made, made.install("orchestrator", "bookshelf", "bookshelf-covers")


# The transaction that goes well -------------------------------------------------------------------


def test_a_first_installation_counts_the_one_shots_as_done_and_starts_the_application(
    installed: Installed,
) -> None:
    installed.apt.expect(0)
    assert installed.history == BASELINE
    assert not installed.pending
    assert installed.server.changes() == []


def test_three_packages_in_one_transaction_cause_one_run_at_its_end(upgraded: tuple[Server, Outcome]) -> None:
    server, apt = upgraded
    apt.expect(0)
    (run,) = (run for run in server.runs() if run[0]["steps"] > 1)
    assert run[0]["invoker"] == "deb"
    assert (run[0]["from_version"], run[0]["to_version"]) == ("1.0", "2.0")
    assert run[-1]["outcome"] == "done"
    assert server.history() == {**dict.fromkeys(ONE_SHOTS, "done"), **BASELINE}
    all_is_well(server, ALL_CHANGES)


def test_the_run_tells_apts_terminal_in_plain_lines_when_all_packages_are_configured(
    upgraded: tuple[Server, Outcome],
) -> None:
    _, apt = upgraded
    before, _, told = apt.out.partition("Setting up bookshelf-covers")
    assert "3110_bookshelf-authors" not in before
    order = [told.index(name) for name in ("1110_bookshelf-store", "3110_bookshelf", "3510_covers", "6110_")]
    assert order == sorted(order)
    assert "\x1b" not in apt.out + apt.err
    assert "\r" not in told


def test_a_second_transaction_with_nothing_new_runs_nothing(upgraded: tuple[Server, Outcome]) -> None:
    server, _ = upgraded
    runs = len(server.runs())

    server.run("apt-get", "-y", "upgrade").expect(0)
    server.install("--reinstall", "bookshelf", "bookshelf-covers").expect(0)

    assert len(server.runs()) == runs
    all_is_well(server, ALL_CHANGES)


def test_an_older_version_is_refused_before_it_is_unpacked(upgraded: tuple[Server, Outcome]) -> None:
    server, _ = upgraded

    server.run("apt-get", "-y", "remove", "bookshelf-covers").expect(0)

    apt = server.install("--allow-downgrades", "bookshelf=1.0").expect(100)

    assert "was last upgraded by 2.0, this is 1.0" in apt.out
    assert server.run("dpkg-query", "-W", "-f", "${Version}", "bookshelf").out == "2.0"
    all_is_well(server, ALL_CHANGES)


def test_an_older_version_is_welcome_when_the_data_was_purged(upgraded: tuple[Server, Outcome]) -> None:
    server, _ = upgraded
    history = server.host.path(f"{STATE}/upgrade-history")
    mine = "3900_mine.sh\t2026-01-01T00:00:00.000Z\t\tstatus=done"
    with history.open("a") as file:
        file.write(f"# by hand\n{mine}\tversion=2.0\n")

    server.run("apt-get", "-y", "purge", "bookshelf").expect(0)

    assert history.read_text() == f"# by hand\n{mine}\n", "the lines of steps that others brought stay"
    server.install("bookshelf=1.0").expect(0)
    assert server.health()["version"] == "1.0"
    assert server.titles() == []
    assert server.history() == {"3900_mine.sh": "done", **BASELINE}
    assert not server.pending()


def test_without_a_baseline_there_is_no_data_and_dpkg_does_both_again(
    upgraded: tuple[Server, Outcome],
) -> None:
    server, _ = upgraded
    server.run("apt-get", "-y", "purge", "bookshelf").expect(0)

    with no_baseline(server):
        server.install("bookshelf=1.0").expect(100)
        assert not server.host.path(BOOKS).exists()
    server.run("dpkg", "--configure", "-a").expect(0)

    assert server.health()["version"] == "1.0"
    assert server.audit() == ""
    assert not server.pending()


def test_removal_leaves_the_data_and_purge_takes_it(server: Server) -> None:
    server.run("apt-get", "-y", "remove", "bookshelf").expect(0)
    assert server.titles() == [title for title, _ in BOOKS_BEFORE]
    assert set(server.active().values()) == {"inactive"}
    server.install("bookshelf=1.0").expect(0)
    assert server.health()["version"] == "1.0"
    assert server.history() == BASELINE

    server.run("apt-get", "-y", "purge", "bookshelf", "orchestrator").expect(0)

    for path in ("/var/lib/bookshelf", "/var/lib/orchestrator", "/etc/orchestrator"):
        assert not server.host.path(path).exists()
    assert server.audit() == ""


# What keeps a run from its end --------------------------------------------------------------------


def test_a_step_that_fails_leaves_the_package_half_configured_and_dpkg_goes_on_with_the_run(
    server: Server,
) -> None:
    server.configure(resume_at_boot=True)
    server.offer(StepPackage("extra", "1.0", {EXTRA: f"test -e /opt/mended\n{RECORD_EXTRA}"}))

    apt = server.install("bookshelf", "extra").expect(100)

    assert "3700_extra.sh" in apt.out + apt.err
    assert server.status_of("orchestrator") == "half-configured"
    assert server.pending()
    server.host.cut()
    server.host.boot()
    server.host.systemctl("start", "bookshelf.service")
    assert server.active()["bookshelf.service"] == "inactive", "the gate is shut"

    server.host.write("/opt/mended", "")
    server.run("dpkg", "--configure", "-a").expect(0)

    (run,) = (run for run in server.runs() if run[0]["steps"] > 1)
    assert [event["invoker"] for event in run if event["event"] == "run-continued"] == ["deb"]
    all_is_well(server, ["store-format", "authors", "extra"])


def test_a_risk_that_nobody_consented_to_waits_and_the_transaction_is_well(server: Server) -> None:
    risk = {EXTRA: "#risk: drops what the old version has cached"}
    server.offer(StepPackage("extra", "1.0", {EXTRA: RECORD_EXTRA}, risk))

    apt = server.install("bookshelf", "extra").expect(0)

    assert "orchestrator upgrade -y --accept 3700" in apt.out + apt.err
    assert server.changes() == []
    assert server.status_of("orchestrator") == "installed"
    server.host.systemctl("restart", "bookshelf.service")
    assert server.active()["bookshelf.service"] == "inactive", "the gate is shut"
    server.orchestrator("upgrade", "-y", "--accept", "3700").expect(0)
    all_is_well(server, ["store-format", "authors", "extra"])


@pytest.mark.parametrize("hook", ["schedule", "notify"])
def test_by_policy_the_run_waits_for_the_next_boot_or_for_somebody(server: Server, hook: str) -> None:
    server.configure(hook=hook)

    server.install("bookshelf").expect(0)

    assert server.changes() == []
    assert server.health()["version"] == "1.0", "it works on until it is stopped"
    request = server.request()
    assert request is not None
    assert request["at_boot"] == (hook == "schedule")
    server.host.cut()
    server.host.boot()
    settled(server)
    if hook == "notify":
        assert server.changes() == []
        assert server.active()["bookshelf.service"] == "inactive", "the gate is shut"
        return
    assert server.health()["version"] == "2.0"
    all_is_well(server, ["store-format", "authors"])


# Steps and the package manager --------------------------------------------------------------------


def test_a_step_that_installs_packages_runs_when_the_transaction_has_ended(server: Server) -> None:
    tool = StepPackage("tool", "1.0", {"upgrade/3800_tool.sh": RECORD_EXTRA.replace("extra", "tool")})
    step = f"apt-get -y -q install tool </dev/null\n{RECORD_EXTRA}"
    server.offer(tool, StepPackage("extra", "1.0", {EXTRA: step}, {EXTRA: "#package-manager: yes"}))

    server.install("bookshelf", "extra").expect(0)
    settled(server)

    assert server.status_of("tool") == "installed"
    # The tool's own step came with a trigger in the middle of a run.
    all_is_well(server, ["store-format", "authors", "extra", "tool"])


# Where nothing can run ----------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["chroot", "dpkg --root"])
def test_in_an_image_the_upgrade_is_recorded_and_the_first_boot_runs_it(server: Server, way: str) -> None:
    server.host.cut()
    root = server.host.path("/")
    if way == "chroot":
        command = in_image(root, *server.install_command("bookshelf"))
    else:
        package = next(root.glob("opt/repository/bookshelf_2.0*"))
        command = ["dpkg", f"--root={root}", "--install", str(package)]
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
    assert request is not None
    assert request["at_boot"]
    assert server.changes() == []
    if way != "chroot":
        return  # the rest is the same

    server.host.boot()

    assert server.health()["version"] == "2.0"
    settled(server)
    all_is_well(server, ["store-format", "authors"])
    assert server.runs()[-1][0]["invoker"] == "unattended"


def test_policy_rc_d_and_another_root_are_heeded(server: Server) -> None:
    server.host.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)

    apt = server.install("bookshelf").expect(0)

    assert "policy-rc.d" in apt.out + apt.err
    hook = server.run("orchestrator", "hook", "deb", env={"DPKG_ROOT": "/srv/image"}).expect(0)
    assert "DPKG_ROOT" in hook.out
    assert server.changes() == []
    assert server.pending()


# The terminal goes away ---------------------------------------------------------------------------


@pytest.mark.parametrize("manager", ["apt-get", "dpkg"])
def test_the_run_outlives_the_terminal_of_the_transaction(server: Server, manager: str) -> None:
    slow = f"touch /opt/in-the-middle\nsleep 1\n{RECORD_EXTRA}"
    server.offer(StepPackage("extra", "1.0", {EXTRA: slow}))
    command = server.install_command("bookshelf", "extra")
    if manager == "dpkg":
        command = [
            "sh",
            "-c",
            "dpkg --install /opt/repository/bookshelf_2.0_all.deb /opt/repository/extra_*.deb",
        ]
    with at_terminal(server.host.enter(command, environment()), {"PATH": "/usr/bin:/bin"}) as terminal:
        reached(server, terminal)
        terminal.hang_up()
        ended(server)

    server.run("dpkg", "--configure", "-a").expect(0)
    all_is_well(server, ["store-format", "authors", "extra"])


def reached(server: Server, terminal: Terminal) -> None:
    while not server.host.path("/opt/in-the-middle").exists():
        assert terminal.process.poll() is None, terminal.text
        terminal.read()


def ended(server: Server) -> None:
    """Wait until no package manager is at work any more."""
    server.host.run(
        [
            "sh",
            "-c",
            "while pgrep -x 'apt-get|dpkg|orchestrator' >/dev/null; do sleep 0.1; done",
        ]
    )
