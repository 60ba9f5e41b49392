# SPDX-License-Identifier: GPL-3.0-or-later
"""The `http` probe: statuses, values in JSON, headers, TLS; and nothing secret in its reasons."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.services.service import Readiness
from tests.support.loopback import LoopbackServer, answering, loopback_server
from tests.support.probes import ask
from tests.support.servers import LOOPBACK, free_port, make_certificate, nginx_server


def answer_of(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def reason_for(answer: bytes, **options: Any) -> str:
    """Why the answer is not the wanted one, without the URL; empty when it is."""
    with loopback_server(answering(answer)) as server:
        url = f"http://{server.address}/"
        verdict = ask({"http": {"url": url, **options}})
    assert (verdict.readiness is Readiness.READY) == (verdict.reason == "")
    assert verdict.readiness in (Readiness.READY, Readiness.STARTING)
    return verdict.reason.removeprefix(f"{url}: ")


HEALTH = b'{"status": "yellow", "ok": true, "shards": {"left": 0, "list": [{"state": "on"}]}, "none": null}'


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"status": ["green", "yellow"]}, ""),
        ({"status": "green"}, 'status is "yellow", wanted "green"'),
        ({"status": ["green", "blue"]}, 'status is "yellow", wanted "green" or "blue"'),
        ({"shards.left": 0}, ""),
        ({"shards.left": 1}, "shards.left is 0, wanted 1"),
        ({"shards.left": False}, "shards.left is 0, wanted false"),
        ({"ok": 1}, "ok is true, wanted 1"),
        ({"ok": True, "status": "yellow"}, ""),
        ({"ok": True, "status": "red"}, 'status is "yellow", wanted "red"'),
        ({"shards.list.0.state": "on"}, ""),
        ({"shards.list.7.state": "on"}, "the answer has no shards.list.7.state"),
        ({"none": None}, ""),
        ({"status.inner": 1}, "the answer has no status.inner"),
        ({"absent": None}, "the answer has no absent"),
    ],
)
def test_values_in_the_json_of_the_answer_decide(values: dict[str, Any], reason: str) -> None:
    assert reason_for(answer_of(HEALTH), json=values) == reason


def test_a_long_value_is_cut_in_the_reason() -> None:
    reason = reason_for(answer_of(b'{"status": "%s"}' % (b"x" * 5000)), json={"status": "green"})
    assert len(reason) < 130


def test_an_answer_that_is_not_json_is_starting_where_json_is_wanted() -> None:
    assert reason_for(answer_of(b"<html>")) == ""
    assert reason_for(answer_of(b"<html>"), json={"status": "green"}).startswith("the answer is not JSON (")


def test_the_status_must_be_one_of_the_wanted() -> None:
    assert reason_for(answer_of(b"", "204 No Content"), status=[200, 204]) == ""
    assert (
        reason_for(answer_of(b"", "503 Service Unavailable")) == "answers 503 Service Unavailable, wanted 200"
    )
    assert reason_for(answer_of(b"", "599 Strange"), status=[200, 204]) == "answers 599, wanted 200 or 204"


def test_a_wanted_status_may_be_an_error() -> None:
    assert reason_for(answer_of(b"", "401 Unauthorized"), status=401) == ""


def test_a_body_that_comes_in_pieces_is_read_to_its_end() -> None:
    pieces = (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{", b'"status":', b' "green"}')

    def slowly(connection: Any, _: LoopbackServer) -> None:
        connection.recv(65536)
        for piece in pieces:
            connection.sendall(piece)
            # Nothing more comes from the client: this waits 20 ms.
            connection.settimeout(0.02)
            with pytest.raises(TimeoutError):
                connection.recv(1)

    with loopback_server(slowly) as server:
        verdict = ask({"http": {"url": f"http://{server.address}/", "json": {"status": "green"}}})
    assert verdict.readiness is Readiness.READY


def test_headers_are_sent_with_the_path_and_the_query() -> None:
    with loopback_server(answering(answer_of(b""))) as server:
        ask(
            {
                "http": {
                    "url": f"http://{server.address}/a/b?c=d",
                    "headers": {"Authorization": "Bearer t", "Host": "x"},
                }
            }
        )
    lines = server.received[0].decode().split("\r\n")
    assert lines[0] == "GET /a/b?c=d HTTP/1.1"
    assert "Authorization: Bearer t" in lines
    assert [line for line in lines if line.startswith("Host:")] == ["Host: x"]


def test_no_redirect_is_followed(directory: Path) -> None:
    with loopback_server(answering(answer_of(b""))) as target:
        locations = f"location / {{ return 302 http://{target.address}/; }}"
        with nginx_server(directory, locations) as server:
            verdict = ask({"http": {"url": server.url, "headers": {"Authorization": "Bearer t"}}})
    assert verdict.reason == f"{server.url}: answers 302 Found, wanted 200"
    assert target.received == []


@pytest.mark.parametrize("port", ["closed", "open"])
def test_no_reason_tells_user_password_query_or_headers(port: str) -> None:
    with loopback_server(answering(answer_of(b"", "403 Forbidden"))) as server:
        number = server.port if port == "open" else free_port()
        url = f"http://user:secret@{LOOPBACK}:{number}/health?token=secret"
        for headers in ({}, {"Authorization": "secret\nsecret"}):
            verdict = ask({"http": {"url": url, "headers": headers}})
            assert verdict.readiness is Readiness.STARTING
            assert verdict.reason.startswith(f"http://{LOOPBACK}:{number}/health: ")
            assert "secret" not in verdict.reason


@pytest.mark.parametrize("url", ["http://[::1/", "http://host:99999/", "http://..:80/", "http://a b/"])
def test_a_url_that_cannot_be_asked_is_starting_with_a_reason(url: str) -> None:
    verdict = ask({"http": url})
    assert verdict.readiness is Readiness.STARTING
    assert verdict.reason.startswith(url)


# TLS ----------------------------------------------------------------------------------------------


def test_a_self_made_certificate_is_taken_with_its_authority_only(directory: Path) -> None:
    certificate = make_certificate(directory)
    with nginx_server(directory, "location / { return 200; }", certificate=certificate) as server:
        assert ask({"http": {"url": server.url, "ca": str(certificate.path)}}).readiness is Readiness.READY
        verdict = ask({"http": server.url})
    assert verdict.readiness is Readiness.STARTING
    assert verdict.reason == f"{server.url}: certificate verify failed: self-signed certificate"


def test_a_certificate_for_another_name_is_not_taken(directory: Path) -> None:
    certificate = make_certificate(directory, names="DNS:elsewhere.example")
    with nginx_server(directory, certificate=certificate) as server:
        verdict = ask({"http": {"url": server.url, "ca": str(certificate.path)}})
    assert verdict.readiness is Readiness.STARTING
    assert "certificate verify failed: IP address mismatch" in verdict.reason


def test_a_file_of_authorities_that_is_missing_or_none_is_named(directory: Path) -> None:
    certificate = make_certificate(directory)
    broken = directory / "broken.crt"
    broken.write_text("no certificate\n")
    with nginx_server(directory, certificate=certificate) as server:
        missing = ask({"http": {"url": server.url, "ca": "/nonexistent/ca.crt"}})
        none = ask({"http": {"url": server.url, "ca": str(broken)}})
    assert missing.reason.endswith(
        "cannot use the certificates in /nonexistent/ca.crt: No such file or directory"
    )
    assert f"cannot use the certificates in {broken}: " in none.reason


def test_a_server_that_speaks_no_tls_is_named_so(directory: Path) -> None:
    with nginx_server(directory) as server:
        verdict = ask({"http": server.url.replace("http:", "https:")})
    assert verdict.readiness is Readiness.STARTING
    assert "no TLS with this server: wrong version number" in verdict.reason
