# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that are shipped: run for real, on this host and on one that has next to nothing."""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.config.shipped import share_directory
from orchestrator.host import processes
from orchestrator.upgrade.actions import Registry
from orchestrator.upgrade.header import parse_header
from orchestrator.upgrade.scripts import find_steps
from tests.support.requirements import require
from tests.support.servers import PostgresqlServer, accepts, postgresql_cluster, server_directory, wait_until

SHIPPED = share_directory() / "scripts.d"
SCRIPTS = sorted(SHIPPED.glob("*/[0-9]*"))
# What even the smallest image has; no systemd, no package manager, no database client.
MINIMAL = (
    *("awk", "cat", "command", "date", "df", "dirname", "grep", "head", "readlink", "sed", "sh", "sort"),
    *("stat", "timeout"),
)
GOOD = (0, 77)


def run_step(
    script: Path, tmp_path: Path, *arguments: str | Path, **environment: str | Path
) -> processes.Completed:
    """Run a script with the environment that the runner gives, and `environment` over it."""
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    given: dict[str, str | Path] = {
        "ORCHESTRATOR_RUN_ID": "0001-20261120T101500Z",
        "ORCHESTRATOR_PHASE": "checks" if script.parent.name == "check" else "all-up",
        "ORCHESTRATOR_STEP": f"{script.parent.name}/{script.name}",
        "ORCHESTRATOR_KIND": script.parent.name,
        "ORCHESTRATOR_ATTEMPT": "1",
        "ORCHESTRATOR_ASSUMEYES": "1",
        "ORCHESTRATOR_DRY_RUN": "0",
        "ORCHESTRATOR_STATE_DIR": tmp_path / "state",
        "ORCHESTRATOR_SCRATCH_DIR": scratch,
        "ORCHESTRATOR_FROM_VERSION": "",
        "ORCHESTRATOR_TO_VERSION": "",
        "ORCHESTRATOR_CONFIG": tmp_path / "orchestrator.yaml",
    }
    env = {name: str(value) for name, value in (given | environment).items()}
    return processes.run([str(script), *map(str, arguments)], env=env)


def arguments_for(script: Path) -> list[str]:
    """Other tests start and stop PostgreSQL servers at the same time: their sockets are not looked at."""
    return ["/dev/null"] if "postgresql" in script.name else []


def shipped(name: str) -> Path:
    return next(script for script in SCRIPTS if name in script.name)


def test_steps_are_shipped_and_the_runner_accepts_every_one() -> None:
    found = find_steps([SHIPPED], Registry())
    assert found.problems == ()
    assert {step.path for step in found.steps} == set(SCRIPTS)
    assert len(SCRIPTS) >= 5


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_shipped_step_has_a_full_header_and_a_licence(script: Path) -> None:
    header, problems = parse_header(script.read_text(), script.name)
    assert problems == []
    assert header.name
    assert header.description
    assert header.run is not None
    assert header.timeout is not None
    assert header.estimate is not None
    lines = script.read_text().splitlines()
    assert lines[:2] == ["#!/bin/sh", f"#name: {header.name}"]
    assert "# SPDX-License-Identifier: GPL-3.0-or-later" in lines
    assert "set -eu" in lines


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_shipped_step_runs_on_this_host(script: Path, tmp_path: Path) -> None:
    ended = run_step(script, tmp_path, *arguments_for(script))
    assert ended.exit_code in GOOD, ended
    assert ended.stdout.strip()
    assert not list((tmp_path / "scratch").iterdir())
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_shipped_step_does_not_fail_on_a_host_that_has_next_to_nothing(
    script: Path, tmp_path: Path
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in MINIMAL:
        if program := processes.find_program(name):
            (tools / name).symlink_to(program)
    ended = run_step(script, tmp_path, *arguments_for(script), PATH=tools)
    assert ended.exit_code in GOOD, ended
    assert "not found" not in ended.stderr


def test_no_shipped_default_step_costs_downtime_at_every_upgrade() -> None:
    assert all(script.name >= "6000" for script in SCRIPTS if script.parent.name == "default")


def test_shipped_steps_are_shellcheck_clean() -> None:
    require(shutil.which("shellcheck") is not None, "shellcheck is not installed")
    checked = processes.run(["shellcheck", *map(str, SCRIPTS)])
    assert checked.ok, checked.stdout


# Disk ---------------------------------------------------------------------------------------------


def test_the_disk_check_refuses_and_names_the_directory_when_space_is_short(tmp_path: Path) -> None:
    ended = run_step(shipped("disk"), tmp_path, ORCHESTRATOR_DISK_MIN_MIB="999999999")
    assert ended.exit_code == 1
    assert f"{tmp_path / 'state'}: less than 999999999 MiB are free" in ended.stderr


def test_the_disk_check_refuses_when_inodes_are_short(tmp_path: Path) -> None:
    status = os.statvfs(tmp_path)
    require(status.f_files > 0, "the file system of the test directory does not count inodes")
    ended = run_step(shipped("disk"), tmp_path, ORCHESTRATOR_DISK_MIN_INODES="999999999999")
    assert ended.exit_code == 1
    assert "inodes are free" in ended.stderr


def test_the_disk_check_looks_at_the_log_directory(tmp_path: Path) -> None:
    ended = run_step(shipped("disk"), tmp_path, ORCHESTRATOR_LOG_DIR="/srv/my logs")
    assert ended.exit_code == 0
    assert "\n/srv/my logs: " in ended.stdout


# Memory -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("MemAvailable: 40000 kB\nSwapFree: 10000 kB\n", 1),
        ("MemAvailable: 40000 kB\nSwapFree: 90000 kB\n", 0),
        ("MemAvailable: 400000 kB\n", 0),
        ("MemTotal: 400000 kB\n", 77),
    ],
)
def test_the_memory_check_counts_available_memory_and_free_swap(
    lines: str, status: int, tmp_path: Path
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(lines)
    assert run_step(shipped("memory"), tmp_path, meminfo).exit_code == status


# Package manager ----------------------------------------------------------------------------------


@contextmanager
def locked_by_somebody_else(path: Path) -> Iterator[int]:
    code = "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); print(); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        yield holder.pid
        holder.stdin.write(b"\n")


def test_a_package_transaction_of_somebody_else_is_waited_for_and_its_process_named(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    with locked_by_somebody_else(lock) as pid:
        ended = run_step(shipped("package"), tmp_path, lock)
    assert ended.exit_code == 75
    assert f"(process {pid}) holds {lock}" in ended.stderr
    assert run_step(shipped("package"), tmp_path, lock).exit_code == 0


def test_a_package_transaction_that_the_upgrade_is_part_of_does_not_refuse_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with lock.open("w") as stream:
        fcntl.lockf(stream, fcntl.LOCK_EX)  # this process is the script's ancestor
        ended = run_step(shipped("package"), tmp_path, lock)
    assert ended.exit_code == 0, ended.stderr


# Clock --------------------------------------------------------------------------------------------


def with_timedatectl(tmp_path: Path, answer: str) -> str:
    """A PATH whose timedatectl gives `answer`."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "timedatectl").write_text(f"#!/bin/sh\n{answer}\n")
    (tools / "timedatectl").chmod(0o755)
    return f"{tools}:{processes.STANDARD_PATH}"


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        ("echo yes", 0, "the clock is synchronised"),
        ("echo no", 0, "warning: the clock is not synchronised"),
        ("echo no bus >&2; exit 1", 77, "does not tell"),
    ],
)
def test_the_clock_check_warns_and_never_refuses(answer: str, status: int, text: str, tmp_path: Path) -> None:
    tools = with_timedatectl(tmp_path, answer)
    (tmp_path / "bin" / "chronyc").symlink_to("/bin/false")
    ended = run_step(shipped("clock"), tmp_path, PATH=tools)
    assert ended.exit_code == status
    assert text in ended.stdout


def test_a_clock_behind_the_last_upgrade_is_warned_of(tmp_path: Path) -> None:
    history = tmp_path / "state" / "upgrade-history"
    history.parent.mkdir()
    history.touch()
    os.utime(history, (time.time(), time.time() + 86400))
    ended = run_step(shipped("clock"), tmp_path)
    assert ended.exit_code == 0
    assert "behind the last upgrade's record" in ended.stdout


# PostgreSQL ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgresqlServer]:
    """A cluster that is not started."""
    with server_directory() as directory:
        yield postgresql_cluster(directory)


@contextmanager
def in_tmp(server: PostgresqlServer, tmp_path: Path, *, ready: bool, **settings: str) -> Iterator[Path]:
    """Run the server with a socket in a usual place; what /proc/net/unix says of it (other tests have theirs)."""
    usual = Path("/tmp") / server.socket.name
    directories = f"{server.socket_directory},{usual.parent}"
    with server.started({"unix_socket_directories": directories, **settings}, wait=ready):
        wait_until(lambda: accepts(usual), f"{usual} accepts connections")
        lines = Path("/proc/net/unix").read_text().splitlines(keepends=True)
        mine = tmp_path / "unix"
        mine.write_text("".join(line for line in lines if line.rstrip().endswith(server.socket.name)))
        yield mine


def test_the_postgresql_check_finds_servers_by_their_sockets_in_the_usual_places(
    postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    with in_tmp(postgresql, tmp_path, ready=True) as sockets:
        assert str(postgresql.socket) in sockets.read_text()
        ended = run_step(shipped("postgresql"), tmp_path, sockets)
    assert ended.exit_code == 0, ended
    assert ended.stdout == f"/tmp:{postgresql.port} - accepting connections\n"


def test_the_postgresql_check_asks_the_server_that_it_is_told(
    postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    with postgresql.started():
        directory, port = postgresql.socket_directory, str(postgresql.port)
        ended = run_step(shipped("postgresql"), tmp_path, PGHOST=directory, PGPORT=port)
    assert ended.exit_code == 0, ended


def test_the_postgresql_check_waits_for_a_server_that_recovers(
    postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    postgresql.write("standby.signal", "")
    with in_tmp(postgresql, tmp_path, ready=False, hot_standby="off") as sockets:
        ended = run_step(shipped("postgresql"), tmp_path, sockets)
    (postgresql.data / "standby.signal").unlink()
    assert ended.exit_code == 75, ended
    assert "rejecting connections" in ended.stdout


def test_the_postgresql_check_refuses_when_the_named_server_does_not_answer(tmp_path: Path) -> None:
    require(processes.find_program("pg_isready") is not None, "pg_isready is not installed")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, not listening: refused, and nobody else can take it
        ended = run_step(
            shipped("postgresql"), tmp_path, PGHOST="127.0.0.1", PGPORT=str(unused.getsockname()[1])
        )
    assert ended.exit_code == 1
    assert "no response" in ended.stdout


def test_the_postgresql_check_passes_over_sockets_that_are_not_on_this_file_system(tmp_path: Path) -> None:
    require(processes.find_program("pg_isready") is not None, "pg_isready is not installed")
    sockets = tmp_path / "unix"
    sockets.write_text("0: 00000002 00000000 00010000 0001 01 1 /tmp/.s.PGSQL.1\n")
    assert run_step(shipped("postgresql"), tmp_path, sockets).exit_code == 77
