# SPDX-License-Identifier: GPL-3.0-or-later
"""What is so on this host: processes that are not confused with others, ports, disks, users."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.host import facts
from orchestrator.host.facts import Listener, ProcessId, identify, is_running


@contextmanager
def running(*argv: str, **options: object) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def pids(processes: set[ProcessId]) -> set[int]:
    return {process.pid for process in processes}


def read_pid(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def wait_until_gone(pid: int) -> None:
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.005)


# Processes ------------------------------------------------------------------------------------------------


def test_a_process_is_known_by_its_number_its_start_and_its_boot() -> None:
    me = identify(os.getpid())
    assert me is not None
    assert me == identify(os.getpid())
    assert is_running(me)
    assert ProcessId.from_json(me.to_json()) == me
    assert me.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_a_later_process_of_the_same_number_is_another() -> None:
    me = identify(os.getpid())
    assert me is not None
    assert not is_running(replace(me, started=me.started - 1))
    assert not is_running(replace(me, boot="another boot"))


def test_a_process_that_ended_does_not_run_also_while_nobody_has_reaped_it() -> None:
    process = subprocess.Popen(["sleep", "60"])
    identity = identify(process.pid)
    assert identity is not None
    assert is_running(identity)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert identify(process.pid) == identity, "a zombie still has its number"
    assert not is_running(identity)
    process.wait()
    assert identify(process.pid) is None
    assert not is_running(identity)


def test_there_is_no_process_of_an_impossible_number() -> None:
    assert identify(1 << 30) is None
    assert facts.command_of(1 << 30) == "?"
    assert not facts.leads_session(1 << 30)


@pytest.mark.parametrize("name", ["plain", "with space", ") R 1 1 1", "((", "\u20ac"])
def test_names_of_programs_do_not_confuse_it(tmp_path: Path, name: str) -> None:
    program = tmp_path / name
    program.symlink_to("/bin/sleep")
    with running(str(program), "60") as process:
        identity = identify(process.pid)
        assert identity is not None
        assert is_running(identity)
        assert process.pid in pids(facts.family([os.getpid()]))


def test_a_command_line_is_told_short() -> None:
    with running("sh", "-c", "echo ready; read line", "x" * 200, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert facts.command_of(process.pid) == f"sh -c echo ready; read line {'x' * 200}"[:80]
    kernel_thread = next((pid for pid in (2, 3) if not _command_line(pid)), None)
    if kernel_thread and Path(f"/proc/{kernel_thread}/comm").exists():
        assert facts.command_of(kernel_thread).startswith("[")


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_family_is_a_process_with_all_its_descendants() -> None:
    with running("sh", "-c", "sh -c 'sleep 60 & echo $!; wait' & wait") as parent:
        grandchild = read_pid(parent)
        found = pids(facts.family([parent.pid]))
        assert {parent.pid, grandchild} <= found
        assert len(found) == 3
        assert os.getpid() not in found
        assert pids(facts.family([grandchild])) == {grandchild}
        os.kill(grandchild, 9)


def test_a_family_has_those_of_its_session_whose_parents_are_gone() -> None:
    script = "(sh -c 'sleep 60 & echo $!' ) & wait; exec sleep 61"
    with running("sh", "-c", script, start_new_session=True) as leader:
        orphan = read_pid(leader)
        while facts.command_of(leader.pid) != "sleep 61":
            time.sleep(0.005)
        assert pids(facts.family([leader.pid])) == {leader.pid, orphan}
        assert facts.leads_session(leader.pid)
        assert not facts.leads_session(orphan)
        leader.kill()
        leader.wait()
        assert pids(facts.family([leader.pid])) == {orphan}, "also when the leader itself is gone"
        os.kill(orphan, 9)


def test_a_family_of_nobody_is_empty() -> None:
    assert facts.family([]) == set()
    assert facts.family([1 << 30]) == set()


def test_processes_are_found_by_what_they_were_started_with() -> None:
    marks = {"ORCHESTRATOR_TEST_A": str(os.getpid()), "ORCHESTRATOR_TEST_B": "b=c d"}
    with running("sleep", "60", env={**os.environ, **marks}) as process:
        assert facts.started_with(marks) == {process.pid}
        assert facts.started_with({**marks, "ORCHESTRATOR_TEST_B": "b=c"}) == set()
        assert os.getpid() not in facts.started_with({"PATH": os.environ["PATH"]})


def test_processes_are_found_by_their_control_group() -> None:
    own = Path("/proc/self/cgroup").read_text().splitlines()
    group = next(
        (line.split(":", 2)[2] for line in own if line.split(":", 2)[1] in ("", "name=systemd")), None
    )
    if group is not None and group != "/":
        assert os.getpid() in facts.in_control_group(group)
        assert os.getpid() not in facts.in_control_group(f"{group}x")
        assert os.getpid() not in facts.in_control_group(f"{group}/below")
    assert facts.in_control_group("/no/such/group") == set()


# Ports ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_who_listens_on_a_port_is_known(family: socket.AddressFamily, host: str) -> None:
    with socket.socket(family) as server:
        try:
            server.bind((host, 0))
        except OSError:
            pytest.skip(f"there is no {host} here")
        port = server.getsockname()[1]
        assert facts.listeners([port]) == [], "bound is not listening"
        server.listen()
        assert facts.listeners([port]) == [Listener(port, os.getpid())]
        with socket.create_connection((host, port)):
            assert facts.listeners([port]) == [Listener(port, os.getpid())], "a connection is no listener"
    assert facts.listeners([port]) == []


def test_no_port_is_asked_for_without_cost() -> None:
    program = (
        "import sys; from orchestrator.host import facts; facts.listeners([]); print('psutil' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_of_a_port_that_several_processes_share_one_is_told() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with running("sleep", "60", pass_fds=(server.fileno(),)) as other:
            (listener,) = facts.listeners([port])
            assert listener.pid in (os.getpid(), other.pid)


# The rest -----------------------------------------------------------------------------------------------------


def test_free_bytes_are_those_of_the_nearest_directory_that_is_there(tmp_path: Path) -> None:
    assert facts.free_bytes(tmp_path / "not" / "there") > 0
    assert facts.free_bytes(Path("/proc/nowhere")) == 0


def test_names_are_known() -> None:
    assert facts.host_name()
    assert facts.user_name()
