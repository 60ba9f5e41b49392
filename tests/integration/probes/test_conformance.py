# SPDX-License-Identifier: GPL-3.0-or-later
"""What every kind of probe promises, each asked of the real thing where there is one."""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.config import model
from orchestrator.services.probes.systemd import Systemd
from orchestrator.services.service import Probe, Readiness
from tests.support.loopback import Handler, answering, loopback_server, silent, trickling
from tests.support.probes import NO_MARKS, is_ready, probe_of
from tests.support.servers import (
    LOOPBACK,
    PostgresqlServer,
    free_port,
    make_certificate,
    nginx_server,
    redis_server,
    wait_until,
)

TIMEOUT = 0.3
# What a machine that does other things too may add to a timeout.
PATIENCE = 2.0


@dataclass(frozen=True)
class Subject:
    """A service, at rest, and the probe that asks it."""

    probe: Probe
    run: Callable[[], AbstractContextManager[object]]


def tcp(directory: Path, _: PostgresqlServer) -> Subject:
    port = free_port()
    return Subject(probe_of({"tcp": f"{LOOPBACK}:{port}"}), lambda: redis_server(directory, port=port))


def unix(directory: Path, _: PostgresqlServer) -> Subject:
    return Subject(probe_of({"unix": str(directory / "redis.sock")}), lambda: redis_server(directory))


def http(directory: Path, _: PostgresqlServer) -> Subject:
    port = free_port()
    locations = """location /health { return 200 '{"status": "green"}'; }"""
    options = {"url": f"http://{LOOPBACK}:{port}/health", "json": {"status": ["green", "yellow"]}}
    return Subject(probe_of({"http": options}), lambda: nginx_server(directory, locations, port=port))


def https(directory: Path, _: PostgresqlServer) -> Subject:
    port, certificate = free_port(), make_certificate(directory)
    options = {"url": f"https://localhost:{port}/nginx.conf", "ca": str(certificate.path)}
    return Subject(
        probe_of({"http": options}), lambda: nginx_server(directory, certificate=certificate, port=port)
    )


def exec_(directory: Path, _: PostgresqlServer) -> Subject:
    return Subject(
        probe_of({"exec": ["test", "-e", str(directory / "up")]}), lambda: present(directory / "up")
    )


def postgresql_by_tcp(_: Path, cluster: PostgresqlServer) -> Subject:
    return Subject(probe_of({"postgresql": {"host": LOOPBACK, "port": cluster.port}}), cluster.started)


def postgresql_by_socket(_: Path, cluster: PostgresqlServer) -> Subject:
    options = {"host": str(cluster.socket_directory), "port": cluster.port}
    return Subject(probe_of({"postgresql": options}), cluster.started)


def redis_by_tcp(directory: Path, _: PostgresqlServer) -> Subject:
    port = free_port()
    return Subject(probe_of({"redis": f"{LOOPBACK}:{port}"}), lambda: redis_server(directory, port=port))


def redis_by_socket(directory: Path, _: PostgresqlServer) -> Subject:
    options = {"path": str(directory / "redis.sock")}
    return Subject(probe_of({"redis": options}), lambda: redis_server(directory))


def systemd(directory: Path, _: PostgresqlServer) -> Subject:
    state = directory / "state"
    state.write_text("LoadState=loaded\nActiveState=inactive\n")

    @contextlib.contextmanager
    def run() -> Iterator[None]:
        before = state.read_text()
        state.write_text("LoadState=loaded\nActiveState=active\n")
        yield
        state.write_text(before)

    return Subject(systemd_probe(directory, f"cat {state}"), run)


def log(directory: Path, _: PostgresqlServer) -> Subject:
    path = directory / "service.log"
    probe = probe_of({"log": {"path": str(path), "pattern": "^started"}})
    return Subject(probe, lambda: present(path, "started in 0.3 s\n"))


KINDS = [
    tcp, unix, http, https, exec_, postgresql_by_tcp, postgresql_by_socket, redis_by_tcp, redis_by_socket, systemd, log
]  # fmt: skip


@contextlib.contextmanager
def present(path: Path, text: str = "") -> Iterator[None]:
    path.write_text(text)
    yield
    path.unlink()


def systemd_probe(directory: Path, command: str, timeout: float = 5.0) -> Systemd:
    """A probe whose systemctl runs `command` instead."""
    systemctl = directory / "systemctl"
    systemctl.write_text(f"#!/bin/sh\n{command}\n")
    systemctl.chmod(0o755)
    return Systemd(model.SystemdProbe(kind="systemd", unit="web.service", timeout=timeout), str(systemctl))


def name_of(kind: Callable[..., Subject]) -> str:
    return kind.__name__.strip("_")


@pytest.fixture(params=KINDS, ids=name_of)
def subject(request: pytest.FixtureRequest, directory: Path, cluster: PostgresqlServer) -> Subject:
    made: Subject = request.param(directory, cluster)
    return made


def test_what_does_not_run_is_not_ready_and_the_reason_is_told(subject: Subject) -> None:
    began = time.monotonic()
    verdict = subject.probe.ask(NO_MARKS)
    assert verdict.readiness is not Readiness.READY
    assert verdict.reason.strip()
    assert "\n" not in verdict.reason
    assert time.monotonic() - began < PATIENCE


def test_what_runs_becomes_ready_and_stays_so_when_asked_again(subject: Subject) -> None:
    with subject.run():
        wait_until(lambda: is_ready(subject.probe), "readiness")
        assert is_ready(subject.probe)


# All but `log`: a line that was written since the start stays written.
@pytest.mark.parametrize("subject", KINDS[:-1], ids=name_of, indirect=True)
def test_what_has_ended_is_not_ready_any_more(subject: Subject) -> None:
    with subject.run():
        wait_until(lambda: is_ready(subject.probe), "readiness")
    assert not is_ready(subject.probe)


# Servers that do not behave -----------------------------------------------------------------------


def asked_at(kind: str, port: int, timeout: float) -> Probe:
    """A probe of a kind that expects an answer, asking at a port."""
    written: dict[str, object] = {
        "http": {"url": f"http://{LOOPBACK}:{port}/", "json": {"status": "green"}},
        "https": {"url": f"https://{LOOPBACK}:{port}/"},
        "postgresql": {"host": LOOPBACK, "port": port},
        "redis": {"address": f"{LOOPBACK}:{port}"},
    }
    return probe_of({kind.removesuffix("s") if kind == "https" else kind: written[kind], "timeout": timeout})


def assert_starting_at_the_timeout(probe: Probe) -> None:
    began = time.monotonic()
    verdict = probe.ask(NO_MARKS)
    assert verdict.readiness is Readiness.STARTING
    assert "within 0.3 s" in verdict.reason
    assert TIMEOUT * 0.9 <= time.monotonic() - began < TIMEOUT + PATIENCE


@pytest.mark.parametrize("kind", ["http", "https", "postgresql", "redis"])
def test_a_server_that_accepts_and_never_answers_is_starting_when_the_time_is_over(kind: str) -> None:
    with loopback_server(silent) as server:
        assert_starting_at_the_timeout(asked_at(kind, server.port, TIMEOUT))


@pytest.mark.parametrize(
    ("kind", "behaviour"),
    [
        ("http", trickling(b"HTTP/1.1 200 OK\r\nX-Long: ")),
        ("http", trickling(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")),
        ("postgresql", trickling(b"E\x00\x00\xff\x00")),
        ("postgresql", trickling(b"R\x00\x00\x00\x0a")),
        ("redis", trickling(b"+")),
    ],
    ids=["http-header", "http-body", "postgresql-error", "postgresql-authentication", "redis"],
)
def test_a_server_that_answers_drop_by_drop_does_not_stretch_the_time(kind: str, behaviour: Handler) -> None:
    with loopback_server(behaviour) as server:
        began = time.monotonic()
        asked_at(kind, server.port, TIMEOUT).ask(NO_MARKS)
        assert time.monotonic() - began < TIMEOUT + PATIENCE


def test_a_command_that_does_not_end_is_starting_when_the_time_is_over() -> None:
    assert_starting_at_the_timeout(probe_of({"exec": ["sleep", "60"], "timeout": TIMEOUT}))


def test_a_systemctl_that_does_not_end_is_starting_when_the_time_is_over(directory: Path) -> None:
    assert_starting_at_the_timeout(systemd_probe(directory, "exec sleep 60", TIMEOUT))


FALSE_ANSWERS = {
    "hangs up": b"",
    "one byte": b"E",
    "noise": bytes(range(256)) * 64,
    "zeros": b"\0" * 4096,
    "an empty line": b"\r\n",
    "a line without end": b"x" * 200_000,
    "a web page": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\n<html",
    "a web page that is cut": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
    "a status that is no number": b"HTTP/1.1 abc OK\r\n\r\n",
    "a web page in bad chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a bottomless JSON": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"[" * 100_000,
    "a redirect": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    "an error of another protocol": b"-ERR unknown command\r\n",
    "an SSH banner": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a PostgreSQL error that is cut": b"E\x00\x00\x00\x50SFATAL\x00C57P03",
    "a PostgreSQL error of absurd length": b"E\xff\xff\xff\xff",
}


@pytest.mark.parametrize("answer", FALSE_ANSWERS.values(), ids=FALSE_ANSWERS.keys())
@pytest.mark.parametrize("kind", ["http", "https", "postgresql", "redis"])
def test_a_false_answer_is_starting_with_a_reason_and_never_an_exception(kind: str, answer: bytes) -> None:
    with loopback_server(answering(answer)) as server:
        verdict = asked_at(kind, server.port, PATIENCE).ask(NO_MARKS)
    assert verdict.readiness is Readiness.STARTING
    assert f"{LOOPBACK}:{server.port}" in verdict.reason
    assert len(verdict.reason) < 400
