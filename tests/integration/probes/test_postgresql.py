# SPDX-License-Identifier: GPL-3.0-or-later
"""The `postgresql` probe and real servers: on their way up, without the user or database, with passwords."""

import struct

import pytest

from orchestrator.services.service import Readiness
from tests.support.loopback import answering, loopback_server
from tests.support.probes import ask
from tests.support.servers import LOOPBACK, PostgresqlServer, wait_until

STARTING_UP = "the database system is starting up"


def written(cluster: PostgresqlServer, **more: object) -> dict[str, object]:
    return {"postgresql": {"host": str(cluster.socket_directory), "port": cluster.port, **more}}


def test_a_server_in_recovery_is_starting_with_its_own_words_until_it_is_through(
    cluster: PostgresqlServer,
) -> None:
    hold = cluster.data / "hold"
    cluster.write("recovery.signal", "")
    cluster.write("hold", "")
    command = f"while test -e {hold}; do sleep 0.02; done; exit 1"
    with cluster.started({"restore_command": command}, wait=False):
        wait_until(lambda: STARTING_UP in ask(written(cluster)).reason, STARTING_UP)
        verdict = ask(written(cluster))
        assert verdict.readiness is Readiness.STARTING
        assert verdict.reason == f"{cluster.socket}: {STARTING_UP}"
        hold.unlink()
        wait_until(lambda: ask(written(cluster)).readiness is Readiness.READY, "readiness")
        assert cluster.query("SELECT 1") == "1"


def test_a_server_without_the_user_or_the_database_accepts_connections(cluster: PostgresqlServer) -> None:
    with cluster.started():
        assert ask(written(cluster, user="nobody-knows")).readiness is Readiness.READY
        assert ask(written(cluster, database="not-there")).readiness is Readiness.READY


def test_a_server_that_demands_a_password_accepts_connections(cluster: PostgresqlServer) -> None:
    cluster.write("password_hba.conf", "local all all scram-sha-256\n")
    with cluster.started({"hba_file": str(cluster.data / "password_hba.conf")}, wait=False):
        wait_until(lambda: ask(written(cluster)).readiness is Readiness.READY, "readiness")


def test_a_server_without_an_entry_for_this_client_accepts_connections(cluster: PostgresqlServer) -> None:
    cluster.write("other_hba.conf", "local all somebody-else trust\n")
    with cluster.started({"hba_file": str(cluster.data / "other_hba.conf")}, wait=False):
        wait_until(lambda: ask(written(cluster)).readiness is Readiness.READY, "readiness")


def test_asking_leaves_no_session_and_no_complaint_in_the_log_of_the_server(
    cluster: PostgresqlServer,
) -> None:
    with cluster.started():
        before = cluster.log.stat().st_size
        for _ in range(3):
            assert ask(written(cluster)).readiness is Readiness.READY
        sessions = cluster.query(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'orchestrator'"
        )
        assert sessions == "0"
        assert cluster.log.read_bytes()[before:] == b""


def error_answer(**fields: str) -> bytes:
    body = b"".join(f"{code}{text}\0".encode() for code, text in fields.items()) + b"\0"
    return b"E" + struct.pack("!I", len(body) + 4) + body


@pytest.mark.parametrize(
    ("answer", "readiness", "reason"),
    [
        (error_answer(S="FATAL", C="57P03", M=STARTING_UP), Readiness.STARTING, STARTING_UP),
        (
            error_answer(
                S="FATAL", C="57P03", M="not accepting connections", D="Hot standby mode is disabled."
            ),
            Readiness.STARTING,
            "not accepting connections (Hot standby mode is disabled.)",
        ),
        (error_answer(S="FATAL", M="could not fork"), Readiness.STARTING, "could not fork"),
        (error_answer(S="FATAL", C="53300", M="sorry, too many clients already"), Readiness.READY, ""),
    ],
    ids=["starting up", "with detail", "without a status", "too many clients"],
)
def test_errors_are_judged_as_pg_isready_does(answer: bytes, readiness: Readiness, reason: str) -> None:
    with loopback_server(answering(answer)) as server:
        verdict = ask({"postgresql": {"host": LOOPBACK, "port": server.port}})
    assert verdict.readiness is readiness
    assert verdict.reason.endswith(reason)


def test_the_question_names_user_and_database_in_protocol_3() -> None:
    with loopback_server(answering(error_answer(C="3D000", M="no such database"))) as server:
        ask({"postgresql": {"host": LOOPBACK, "port": server.port, "user": "pulp", "database": "pulpcore"}})
    message = server.received[0]
    assert struct.unpack("!II", message[:8]) == (len(message), 196608)
    words = b"user\0pulp\0database\0pulpcore\0application_name\0orchestrator\0\0"
    assert message[8:] == words
