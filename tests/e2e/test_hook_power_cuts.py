# SPDX-License-Identifier: GPL-3.0-or-later
"""The power goes while apt upgrades the server, at moments that a seed chooses. What is left is brought to its end
as an administrator would: let it boot, `dpkg --configure -a`, apt once more; then all is as if nothing had been.

HOOK_POWER_CUTS=100 pytest tests/e2e/test_hook_power_cuts.py tries more moments; HOOK_POWER_SEED other ones.
"""

import os
import random
import shutil
import time
from collections.abc import Iterator

import pytest

from tests.support import systemd_host as hosts
from tests.support.packages import built_packages
from tests.support.requirements import require
from tests.support.step_packages import build_examples
from tests.support.systemd_host import SystemdHost
from tests.support.transactions import ALL_CHANGES, Server, all_is_well, environment, settled

pytestmark = [pytest.mark.systemd, pytest.mark.slow, pytest.mark.timeout(3600)]

CUTS = int(os.environ.get("HOOK_POWER_CUTS", "3"))
SEED = int(os.environ.get("HOOK_POWER_SEED", "2012"))
APT = ("bookshelf", "bookshelf-covers")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """bookshelf 1.0 with books, and off."""
    require(not hosts.obstacle(), hosts.obstacle())
    require(shutil.which("apt-ftparchive") is not None, "apt-ftparchive (apt: apt-utils)")
    place = tmp_path_factory.mktemp("debs")
    with Server(SystemdHost("power"), "deb", place) as server:
        server.prepare()
        server.offer(built_packages().deb, *build_examples("deb", place))
        server.install("bookshelf=1.0").expect(0)
        server.add_books()
        server.host.cut()
        yield server


@pytest.fixture(scope="module")
def seconds(installed: Server) -> float:
    """How long the transaction takes when nothing comes between."""
    with installed.like_this("power-0") as server:
        began = time.monotonic()
        server.install(*APT).expect(0)
        return time.monotonic() - began


@pytest.mark.parametrize("number", range(CUTS))
def test_a_power_cut_at_any_moment_of_a_transaction_is_made_good(
    installed: Server, seconds: float, number: int
) -> None:
    chance = random.Random(f"{SEED} {number}")
    # One of equal parts of the time each, so that few moments lie far apart, too.
    moment = seconds * (number + chance.random()) / CUTS
    resume, patient = chance.random() < 0.5, chance.random() < 0.5
    with installed.like_this("power") as server:
        server.configure(resume_at_boot=resume)
        apt = server.host.spawn(server.install_command(*APT), env=environment())
        time.sleep(moment)
        server.host.cut()
        apt.wait()
        # Without patience somebody is at it while the boot goes on with the run.
        server.host.boot(until="" if patient else "multi-user.target")
        made_good(server)
        all_is_well(server, ALL_CHANGES, f"cut after {moment:.3f} s")


def made_good(server: Server) -> None:
    """What dpkg and apt themselves ask for after a cut, and then the upgrade that was asked for."""
    server.run("dpkg", "--configure", "-a").expect(0)
    settled(server)
    server.run("apt-get", "-y", "-q", "--fix-broken", "install").expect(0)
    server.install(*APT).expect(0)
    settled(server)
    if server.pending():
        server.orchestrator("upgrade", "-y").expect(0)
