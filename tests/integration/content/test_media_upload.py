# SPDX-License-Identifier: GPL-3.0-or-later
"""Chunks that go to a server as they are written: to nginx, and to servers that behave badly."""

import base64
import contextlib
import hashlib
import http.server
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator.content.exports.tar import TarWriter
from orchestrator.content.exports.tgz import TgzWriter
from orchestrator.content.source import Access, Common
from orchestrator.content.transfer.upload import UploadSink
from orchestrator.errors import Interrupted, Invalid, TransferFailed
from tests.support.medium_conformance import Place
from tests.support.requirements import require
from tests.support.servers import accepts, free_port, running, server_directory, wait_until

NOBODY, QUICK = Access(), Common(stall_timeout=2.0)
DATA = os.urandom(20_000_000)


@dataclass
class Received:
    headers: dict[str, str]
    data: bytes


@dataclass
class Server:
    """What it got, and how it behaves: `before` the body is read, and what it answers."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    status: int = 201
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    before: Callable[["Handler"], bool] = lambda _: True


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    behaviour: Server

    def log_message(self, *words: Any) -> None:
        pass

    def do_PUT(self) -> None:
        server = self.behaviour
        with contextlib.suppress(ConnectionError):
            if server.before(self):
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.received.append(Received(headers, self._body()))
                self.answer()

    def answer(self) -> None:
        self.send_response(self.behaviour.status)
        for name, value in self.behaviour.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.behaviour.body)))
        self.end_headers()
        self.wfile.write(self.behaviour.body)

    def _body(self) -> bytes:
        if "content-length" in self.headers:
            return self.rfile.read(int(self.headers["content-length"]))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)


@pytest.fixture
def server() -> Iterator[Server]:
    behaviour = Server()
    handler = type("HandlerOfTest", (Handler,), {"behaviour": behaviour})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        listening.daemon_threads = True
        behaviour.url = f"http://127.0.0.1:{listening.server_address[1]}/media/one.tar"
        thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
        thread.start()
        yield behaviour
        listening.shutdown()
        thread.join()


def send(url: str, data: bytes = DATA, access: Access = NOBODY, *, length: int | None = None) -> UploadSink:
    with UploadSink(url, access, QUICK, length=length) as sink:
        for begin in range(0, len(data), 2_000_000):
            buffer = bytearray(data[begin : begin + 2_000_000])
            sink.write(memoryview(buffer))
            buffer[:] = bytes(len(buffer))  # a writer uses its room again
    return sink


@pytest.fixture
def access(tmp_path: Path) -> Access:
    (tmp_path / "password").write_text("s3cret:@/\nsecond line\n")
    return Access(user="me", password_file=tmp_path / "password")


@pytest.mark.parametrize("length", [len(DATA), None], ids=["length", "chunked"])
def test_a_server_gets_every_byte(server: Server, length: int | None) -> None:
    assert send(server.url, length=length).size == len(DATA)
    (received,) = server.received
    assert hashlib.sha256(received.data).digest() == hashlib.sha256(DATA).digest()
    assert received.headers.get("content-length") == (str(length) if length else None)
    assert received.headers.get("transfer-encoding") == (None if length else "chunked")
    assert "authorization" not in received.headers


@pytest.mark.parametrize("data", [b"", b"x"])
@pytest.mark.parametrize("known", [True, False])
def test_nearly_nothing_is_sent_too(server: Server, data: bytes, known: bool) -> None:
    send(server.url, data, length=len(data) if known else None)
    assert [received.data for received in server.received] == [data]


def test_credentials_come_from_a_file(server: Server, access: Access) -> None:
    send(server.url, b"hello", access)
    expected = "Basic " + base64.b64encode(b"me:s3cret:@/").decode()
    assert server.received[0].headers["authorization"] == expected


def test_credentials_come_from_a_netrc(server: Server, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login you password pass\n")
    send(server.url, b"hello", Access(netrc=tmp_path / "netrc"))
    expected = "Basic " + base64.b64encode(b"you:pass").decode()
    assert server.received[0].headers["authorization"] == expected


def test_a_refusal_is_told_with_status_and_words_and_without_secrets(server: Server, access: Access) -> None:
    server.status = 507
    echo = base64.b64encode(b"me:s3cret:@/")
    server.body = (
        b"<html><head><title>x</title><style>p{}</style></head><body><h1>Quota of 5&nbsp;GB is used up</h1>\x1b[31m"
        b"<p>you sent Basic " + echo + b" s3cret:@/</p></body></html>" + bytes(100_000)
    )
    with pytest.raises(TransferFailed) as caught:
        send(server.url, access=access)
    message = caught.value.message
    assert server.url in message
    assert "507" in message
    assert "Quota of 5" in message
    assert not {"\x1b", "<", "p{}"} & set(message)
    assert "s3cret" not in message
    assert echo.decode() not in message
    assert len(message) < 600


def test_a_refusal_before_the_body_ends_the_writing(server: Server) -> None:
    def refuse(handler: Handler) -> bool:
        handler.answer()
        handler.close_connection = True
        return False

    server.before, server.status, server.body = refuse, 403, b"not you\n"
    with pytest.raises(TransferFailed, match="403 Forbidden: not you"):
        send(server.url)


def test_a_redirection_is_not_followed_but_told(server: Server) -> None:
    server.status, server.headers = 307, {"Location": "http://me:pw@other.example/media/one.tar"}
    with pytest.raises(
        TransferFailed, match=r"307 .*http://other\.example/media/one\.tar; name that address"
    ):
        send(server.url)


def test_a_connection_that_breaks_is_told(server: Server) -> None:
    def reset(handler: Handler) -> bool:
        handler.rfile.read(100_000)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.close_connection = True
        handler.connection.close()
        return False

    server.before = reset
    with pytest.raises(TransferFailed, match=r"127\.0\.0\.1.*media/one\.tar: \w+"):
        send(server.url)


def test_a_server_that_takes_nothing_is_given_up(server: Server) -> None:
    let_go = threading.Event()

    def stall(_: Handler) -> bool:
        let_go.wait(30)
        return False

    server.before = stall
    start = time.monotonic()
    try:
        with pytest.raises(TransferFailed, match="took nothing for 2 s"):
            send(server.url)
        assert time.monotonic() - start < 15
    finally:
        let_go.set()


def test_nobody_listening_is_told() -> None:
    with pytest.raises(TransferFailed, match="127"):
        send(f"http://127.0.0.1:{free_port()}/x")


@pytest.mark.parametrize("url", ["ftp://host/x", "/srv/x", "https:///x", "http://"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(Invalid, match="address"):
        UploadSink(url, NOBODY, QUICK)


def test_a_password_that_cannot_be_read_is_told(server: Server, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="cannot read the password"):
        UploadSink(server.url, Access(user="me", password_file=tmp_path / "none"), QUICK)


def test_a_writer_that_fails_sends_no_whole_file(server: Server, tmp_path: Path) -> None:
    def stop(_: int) -> None:
        raise Interrupted("stopped")

    place = Place(tmp_path / "place")
    chunk = place.chunk([place.noise(5_000_000) for _ in range(3)])
    length = TarWriter().size([(f.path, len(f.data)) for f in chunk.front], chunk.pieces)
    before = threading.active_count()
    with pytest.raises(Interrupted), UploadSink(server.url, NOBODY, QUICK, length=length) as sink:
        TarWriter().write(chunk, sink, place.object, stop)
    assert threading.active_count() <= before + 1  # the server's
    assert all(len(received.data) < length for received in server.received)


def test_no_more_is_held_than_some_megabytes(server: Server) -> None:
    """A slow server holds the writer up."""
    ready = threading.Event()

    def slow(_: Handler) -> bool:
        return ready.wait(30)

    server.before = slow
    with UploadSink(server.url, NOBODY, Common(), length=len(DATA)) as sink:
        writing = threading.Thread(target=sink.write, args=(DATA,))
        writing.start()
        time.sleep(1)
        assert sink.size < 16_000_000
        ready.set()
        writing.join()
    assert server.received[0].data == DATA


# A real server ------------------------------------------------------------------------------------

NGINX = """
daemon off; worker_processes 1; pid {here}/pid; error_log {here}/error.log; {user}
events {{}}
http {{
  access_log off; client_body_temp_path {here}; proxy_temp_path {here}; fastcgi_temp_path {here};
  uwsgi_temp_path {here}; scgi_temp_path {here}; client_max_body_size 30m;
  server {{
    listen 127.0.0.1:{port} ssl; root {here}/www;
    ssl_certificate {here}/server.crt; ssl_certificate_key {here}/server.key;
    dav_methods PUT; create_full_put_path on;
    auth_basic "media"; auth_basic_user_file {here}/users;
  }}
}}
"""


def openssl(here: Path, *words: str) -> str:
    return subprocess.run(["openssl", *words], cwd=here, check=True, capture_output=True, text=True).stdout


@dataclass
class Nginx:
    here: Path
    url: str


@pytest.fixture(scope="module")
def nginx() -> Iterator[Nginx]:
    program = shutil.which("nginx")
    require(program is not None, "this needs nginx (Debian: nginx-light)")
    require(shutil.which("openssl") is not None, "this needs openssl")
    with server_directory() as here:
        request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=media"
        names = "-addext subjectAltName=IP:127.0.0.1 -keyout server.key -out server.crt"
        openssl(here, *request.split(), *names.split())
        port = free_port()
        (here / "www").mkdir()
        (here / "users").write_text("me:" + openssl(here, "passwd", "-apr1", "s3cret:@/"))
        user = "user root;" if os.geteuid() == 0 else ""
        (here / "nginx.conf").write_text(NGINX.format(here=here, port=port, user=user))
        argv = [str(program), "-e", f"{here}/error.log", "-c", f"{here}/nginx.conf"]
        with running(argv, here / "out") as process:
            wait_until(lambda: accepts(port), "nginx accepts connections", process)
            yield Nginx(here, f"https://127.0.0.1:{port}/media/")


@pytest.mark.parametrize("writer", [TarWriter(), TgzWriter()], ids=["tar", "tgz"])
def test_nginx_gets_a_medium_that_everybody_can_read(
    nginx: Nginx, tmp_path: Path, access: Access, writer: TarWriter | TgzWriter
) -> None:
    place = Place(tmp_path / "place")
    chunk = place.chunk([*place.mixture(), place.noise(5_000_000)])
    front = [(file.path, len(file.data)) for file in chunk.front]
    length = writer.size(front, chunk.pieces) if isinstance(writer, TarWriter) else None
    trusted = Access(access.user, access.password_file, ca=nginx.here / "server.crt")
    with UploadSink(f"{nginx.url}one{writer.suffix}", trusted, QUICK, length=length) as sink:
        writer.write(chunk, sink, place.object, lambda _: None)
    subprocess.run(["tar", "-xf", nginx.here / f"www/media/one{writer.suffix}", "-C", tmp_path], check=True)
    for name, data in place.expected(chunk).items():
        assert (tmp_path / name).read_bytes() == data


def test_a_server_is_believed_with_its_certificate_alone(nginx: Nginx, access: Access) -> None:
    with pytest.raises(TransferFailed, match=r"(?i)certificate"):
        send(nginx.url + "untrusted", b"hello", access)
    assert not (nginx.here / "www/media/untrusted").exists()


def test_nginx_says_why_it_takes_nothing(nginx: Nginx, access: Access) -> None:
    trusted = Access(access.user, access.password_file, ca=nginx.here / "server.crt")
    with pytest.raises(TransferFailed, match="401"):
        send(nginx.url + "two", access=Access(ca=nginx.here / "server.crt"))
    with pytest.raises(TransferFailed, match="413"):
        send(nginx.url + "two", DATA + DATA, trusted, length=2 * len(DATA))
    with pytest.raises(TransferFailed, match="409"):
        send(nginx.url, b"hello", trusted)
    assert not (nginx.here / "www/media/two").exists()
