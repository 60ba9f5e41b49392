# SPDX-License-Identifier: GPL-3.0-or-later
"""The throw-away hosts themselves: real systemd, real power cuts, and nothing left afterwards."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import host_remains
from tests.support.requirements import require
from tests.support.servers import wait_until
from tests.support.systemd_host import CHECKOUT, SystemdHost, obstacle

pytestmark = [pytest.mark.systemd]


def traces(name: str) -> list[str]:
    """What there is of a host on this machine."""
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"/{name}/" in line]
    groups = [str(root / name) for root in host_remains.cgroup_roots() if (root / name).exists()]
    files = [str(path) for path in host_remains.PARENT.glob(f"{name}*")]
    return mounts + groups + files


def test_a_host_runs_systemd_with_nothing_that_the_machine_enabled(shared_host: SystemdHost) -> None:
    assert shared_host.systemctl("is-system-running").stdout.strip() == "running"
    running = shared_host.systemctl(
        "list-units", "--type=service", "--state=running", "--plain", "--no-legend"
    )
    names = {line.split()[0] for line in running.stdout.splitlines()}
    assert names <= {"dbus.service", "systemd-journald.service", "systemd-logind.service"}


def test_it_runs_this_checkout_with_the_interpreter_of_the_tests(shared_host: SystemdHost) -> None:
    code = "import sys, orchestrator; print(sys.executable, orchestrator.__file__)"
    told = shared_host.run([sys.executable, "-c", code]).stdout.split()
    assert told == [sys.executable, str(CHECKOUT / "orchestrator" / "__init__.py")]


def test_a_failing_command_tells_its_output(shared_host: SystemdHost) -> None:
    with pytest.raises(AssertionError, match=r"exit status 3\nout\n\nwrong"):
        shared_host.run(["sh", "-c", "echo out; echo wrong >&2; exit 3"])
    assert shared_host.run(["cat"], input="told").stdout == "told"
    assert shared_host.run(["sh", "-c", "echo $X"], env={"X": "y"}).stdout == "y\n"


def test_files_are_reached_from_outside(shared_host: SystemdHost) -> None:
    shared_host.write("/opt/place/file", "    text\n")
    assert shared_host.run(["cat", "/opt/place/file"]).stdout == "text\n"
    shared_host.run(["sh", "-c", "echo inside > /tmp/volatile"])
    assert shared_host.path("/tmp/volatile").read_text() == "inside\n"


def test_a_power_cut_ends_every_process_and_keeps_the_disk(systemd_host: SystemdHost) -> None:
    host = systemd_host
    host.unit_file(
        "app.service", "[Service]\nExecStart=/usr/bin/sleep inf\n[Install]\nWantedBy=multi-user.target\n"
    )
    host.systemctl("enable", "--now", "app")
    spawned = host.spawn(["sh", "-c", "echo written > /opt/file; exec sleep 600"])
    wait_until(host.path("/opt/file").exists, "the file")
    host.cut()
    assert spawned.poll() is not None
    host.boot()
    assert host.path("/opt/file").read_text() == "written\n"
    assert host.show("app") == "active"
    assert host.run(["pgrep", "-x", "sleep"]).stdout.split() == [host.show("app", "MainPID")]


def test_a_spawned_command_can_be_killed(shared_host: SystemdHost) -> None:
    process = shared_host.spawn(["sh", "-c", "echo on; exec sleep 600"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"on\n"
    shared_host.kill(process, signal.SIGKILL)
    assert process.wait(10) != 0
    assert shared_host.run(["pgrep", "-x", "sleep"], check=False).stdout == ""


def test_two_hosts_know_nothing_of_each_other(shared_host: SystemdHost, systemd_host: SystemdHost) -> None:
    shared_host.unit_file("only-here.service", "[Service]\nExecStart=/usr/bin/sleep inf\n")
    shared_host.systemctl("start", "only-here")
    assert systemd_host.show("only-here", "LoadState") == "not-found"
    assert systemd_host.run(["pgrep", "-x", "sleep"], check=False).stdout == ""
    shared_host.systemctl("stop", "only-here")


def test_units_of_debian_packages_run_inside(systemd_host: SystemdHost) -> None:
    cluster = Path("/etc/postgresql/15/main")
    require(Path("/usr/bin/redis-server").exists(), "no redis-server on this machine")
    require(cluster.exists(), f"no PostgreSQL cluster in {cluster}")
    systemd_host.systemctl("start", "redis-server", "postgresql@15-main")
    assert systemd_host.run(["redis-cli", "ping"]).stdout == "PONG\n"
    select = ["runuser", "-u", "postgres", "--", "psql", "-XAtc", "SELECT 1"]
    assert systemd_host.run(select).stdout == "1\n"


def test_nothing_is_left_of_a_host_that_is_down() -> None:
    require(not obstacle(), obstacle())
    with SystemdHost() as host:
        assert len(traces(host.name)) > 3
    assert traces(host.name) == []


def test_nothing_is_left_of_a_host_whose_maker_was_killed() -> None:
    require(not obstacle(), obstacle())
    code = (
        "import time\nfrom tests.support.systemd_host import SystemdHost\nh = SystemdHost('orphan')\nh.up()\n"
    )
    code += "print(h.name, flush=True)\ntime.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code], cwd=CHECKOUT, stdout=subprocess.PIPE) as maker:
        assert maker.stdout is not None
        name = maker.stdout.readline().decode().strip()
        assert len(traces(name)) > 3
        maker.kill()
    wait_until(lambda: traces(name) == [], "its guard removes the host")


def test_hosts_of_a_dead_maker_are_removed_by_the_next_one() -> None:
    require(not obstacle(), obstacle())
    directory = host_remains.PARENT / "stale-1-1"
    directory.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", directory], check=True)
    with subprocess.Popen(["sleep", "0.05"]) as maker:
        host_remains.claim(directory, maker.pid)
    groups = [root / directory.name for root in host_remains.cgroup_roots()]
    with subprocess.Popen(["sleep", "600"]) as left:
        for group in groups:
            group.mkdir()
            (group / "cgroup.procs").write_text(str(left.pid))
        host_remains.remove_stale()
        assert left.wait(10) == -signal.SIGKILL
    assert traces(directory.name) == []
