# SPDX-License-Identifier: GPL-3.0-or-later
"""The `redis` probe and real servers: with passwords, while they load, without their master."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.services.service import Readiness
from tests.support.loopback import answering, loopback_server
from tests.support.probes import ask
from tests.support.servers import LOOPBACK, RedisServer, free_port, redis_server, wait_until

SECRET = "correct horse"


def written(server: RedisServer, **more: object) -> dict[str, object]:
    return {"redis": {"address": f"{LOOPBACK}:{server.port}", **more}}


@pytest.fixture
def password_file(directory: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = directory / "password"
        path.write_text(text)
        return str(path)

    return write


def test_a_server_with_a_password_that_is_given_is_ready(
    directory: Path, password_file: Callable[[str], str]
) -> None:
    with redis_server(directory, password=SECRET) as server:
        assert ask(written(server, password_file=password_file(f"{SECRET}\n"))).readiness is Readiness.READY


def test_a_server_with_a_password_that_is_not_given_counts_as_ready(directory: Path) -> None:
    with redis_server(directory, password=SECRET) as server:
        assert ask(written(server)).readiness is Readiness.READY


def test_a_wrong_password_fails_at_once_and_is_not_told(
    directory: Path, password_file: Callable[[str], str]
) -> None:
    with redis_server(directory, password=SECRET) as server:
        verdict = ask(written(server, password_file=password_file("battery staple")))
    assert verdict.readiness is Readiness.FAILED
    assert verdict.reason == f"{LOOPBACK}:{server.port}: refuses the password in {directory}/password"


def test_a_password_that_the_server_does_not_want_does_no_harm(
    directory: Path, password_file: Callable[[str], str]
) -> None:
    with redis_server(directory) as server:
        assert ask(written(server, password_file=password_file(SECRET))).readiness is Readiness.READY


def test_a_password_file_that_is_missing_is_named(directory: Path) -> None:
    with redis_server(directory, password=SECRET) as server:
        verdict = ask(written(server, password_file=str(directory / "nowhere")))
    assert verdict.readiness is Readiness.STARTING
    assert verdict.reason.endswith(f"the password file {directory}/nowhere: No such file or directory")


def test_a_server_that_repeats_the_password_does_not_get_it_into_the_reason(
    password_file: Callable[[str], str],
) -> None:
    # What redis says where AUTH is renamed.
    echo = f"-ERR unknown command 'AUTH', with args beginning with: '{SECRET}'\r\n".encode()
    with loopback_server(answering(echo, b"-NOAUTH Authentication required.\r\n")) as server:
        verdict = ask({"redis": {"address": server.address, "password_file": password_file(SECRET)}})
    assert server.received[0] == b"*2\r\n$4\r\nAUTH\r\n$13\r\ncorrect horse\r\n"
    assert verdict.readiness is Readiness.FAILED
    assert "horse" not in verdict.reason


def test_a_server_that_loads_its_data_is_starting_until_it_has(directory: Path) -> None:
    keys = 3000
    with redis_server(directory) as server:
        server.command(data=b"".join(b"SET key:%d x\r\n" % number for number in range(keys)))
        server.command("SAVE")
    # Ten seconds for all keys, were they not told to hurry.
    slow = {"key-load-delay": "3300", "loading-process-events-interval-bytes": "1024"}
    with redis_server(directory, slow) as server:
        verdict = ask(written(server))
        assert verdict.readiness is Readiness.STARTING
        assert verdict.reason == f"{LOOPBACK}:{server.port}: LOADING Redis is loading the dataset in memory"
        server.command("CONFIG", "SET", "key-load-delay", "0")
        wait_until(lambda: ask(written(server)).readiness is Readiness.READY, "readiness")
        assert server.command("DBSIZE") == str(keys)


def test_a_replica_without_its_master_is_starting(directory: Path) -> None:
    options = {"replicaof": f"{LOOPBACK} {free_port()}", "replica-serve-stale-data": "no"}
    with redis_server(directory, options) as server:
        verdict = ask(written(server))
    assert verdict.readiness is Readiness.STARTING
    assert "MASTERDOWN" in verdict.reason
