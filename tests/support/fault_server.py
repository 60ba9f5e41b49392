# SPDX-License-Identifier: GPL-3.0-or-later
"""A content server on loopback that does wrong what it is told to do wrong.

    with fault_server(tmp_path / "www") as server:
        server.faults["/pool/a.deb"] = [status(503), cut(100)]       # the first two requests, then all is well
        server.faults["/pool/b.deb"] = always(same_size_other_bytes())
        server.faults["*"] = lambda asked: reset() if random() < 0.1 else None     # of any path without its own
        ... server.url + "pool/a.deb" ...
        assert server.count("/pool/a.deb") == 3

It serves the files below a directory as they are at that moment, with ETag, Last-Modified, conditional
requests, Range and If-Range, and keeps connections. A fault is a function that changes an `Answer` before it
is sent; `together` makes one of several. With `tls` it speaks HTTPS.
"""

import contextlib
import email.utils
import itertools
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

_PIECE = 16 * 1024


@dataclass(frozen=True)
class Asked:
    """A request as it came. `path` as it was sent, without the query; names of headers in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    connection: int
    at: float


@dataclass
class Answer:
    """What will be sent. `body` of what the Range asked for; `whole` is the whole file."""

    asked: Asked
    whole: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = None  # of Content-Length, when it shall not be that of the body
    delay: float = 0.0  # before the head
    cut_after: int | None = None  # bytes of the body, then the connection is closed
    stall_after: int | None = None  # bytes of the body, then nothing until the server ends
    reset: bool = False  # the connection, instead of an answer
    rate: float = 0.0  # bytes/s of the body; 0: at once
    close: bool = False  # no length: the end of the connection ends the body


Fault = Callable[[Answer], None]
Plan = Iterable[Fault | None] | Callable[[Asked], Fault | None]


# Faults -------------------------------------------------------------------------------------------


def together(*faults: Fault) -> Fault:
    def change(answer: Answer) -> None:
        for fault in faults:
            fault(answer)

    return change


def always(*faults: Fault) -> Iterator[Fault]:
    """For every request."""
    return itertools.repeat(together(*faults))


def status(code: int, headers: Mapping[str, str] | None = None, body: bytes = b"no\n") -> Fault:
    def change(answer: Answer) -> None:
        answer.status, answer.headers, answer.body = code, dict(headers or {}), body

    return change


def redirect(url: str, code: int = 302) -> Fault:
    return status(code, {"Location": url}, b"elsewhere\n")


def html(text: bytes = b"<html><body>Please log in</body></html>\n") -> Fault:
    """A login page with status 200."""
    return status(200, {"Content-Type": "text/html"}, text)


def cut(after: int) -> Fault:
    """The connection is closed after so many bytes of the body; the head promises all of it."""

    def change(answer: Answer) -> None:
        answer.cut_after = after

    return change


def reset() -> Fault:
    def change(answer: Answer) -> None:
        answer.reset = True

    return change


def stall(after: int = 0) -> Fault:
    def change(answer: Answer) -> None:
        answer.stall_after = after

    return change


def late(seconds: float) -> Fault:
    def change(answer: Answer) -> None:
        answer.delay = seconds

    return change


def slow(rate: float) -> Fault:
    """Bytes a second."""

    def change(answer: Answer) -> None:
        answer.rate = rate

    return change


def other_bytes(make: Callable[[bytes], bytes]) -> Fault:
    """Another body, complete and with its own length: what `make` makes of the right one."""

    def change(answer: Answer) -> None:
        answer.body = make(answer.body)

    return change


def same_size_other_bytes() -> Fault:
    return other_bytes(lambda body: bytes(byte ^ 1 for byte in body))


def truncated(to: int) -> Fault:
    """A shorter file, with the length it really has."""
    return other_bytes(lambda body: body[:to])


def longer(by: int = 1) -> Fault:
    return other_bytes(lambda body: body + b"x" * by)


def endless() -> Fault:
    """A body that goes on and on, without a length."""

    def change(answer: Answer) -> None:
        answer.close, answer.body = True, answer.body + b"x" * (64 << 20)

    return change


def no_ranges() -> Fault:
    """All of the file, whatever was asked for."""

    def change(answer: Answer) -> None:
        if answer.status in (206, 416):
            answer.status, answer.body = 200, answer.whole
            answer.headers.pop("Content-Range", None)

    return change


def without(*headers: str) -> Fault:
    """No such headers: ETag, Last-Modified."""

    def change(answer: Answer) -> None:
        for name in headers:
            answer.headers.pop(name, None)

    return change


def with_headers(**headers: str) -> Fault:
    """These headers too; underscores stand for hyphens."""

    def change(answer: Answer) -> None:
        answer.headers.update({name.replace("_", "-"): value for name, value in headers.items()})

    return change


def without_length() -> Fault:
    """As HTTP/1.0 does it: the end of the connection is the end of the file."""

    def change(answer: Answer) -> None:
        answer.close = True

    return change


# The server ---------------------------------------------------------------------------------------


class FaultServer:
    """See the module. `asked` is the log of all requests, in the order they came."""

    def __init__(self, root: Path, host: str, tls: ssl.SSLContext | None) -> None:
        self.root = root
        self.faults: dict[str, Plan] = {}
        self.asked: list[Asked] = []
        self.stopping = threading.Event()
        self._plans: dict[str, tuple[Plan, Iterator[Fault | None]]] = {}
        self._guard = threading.Lock()
        self._server = _Server((host, 0), _Handler)
        self._server.content = self
        if tls is not None:
            self._server.tls = tls
        self.host, self.port = host, int(self._server.server_address[1])
        self.scheme = "https" if tls else "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}/"

    def write(self, path: str, data: bytes) -> bytes:
        """Give the tree a file; `path` without a slash at the front."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return data

    def requests(self, path: str) -> list[Asked]:
        """Those for one path, with a slash at the front."""
        return [asked for asked in self.asked if asked.path == path]

    def count(self, path: str) -> int:
        return len(self.requests(path))

    @property
    def connections(self) -> int:
        """How many connections had requests."""
        return len({asked.connection for asked in self.asked})

    def fault_for(self, asked: Asked) -> Fault | None:
        with self._guard:
            self.asked.append(asked)
            name = asked.path if asked.path in self.faults else "*"
            plan = self.faults.get(name)
            if plan is None:
                return None
            if callable(plan):
                return plan(asked)
            if self._plans.get(name, (None, None))[0] is not plan:
                self._plans[name] = (plan, iter(plan))
            return next(self._plans[name][1], None)

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def stop(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    content: FaultServer
    numbers = itertools.count()
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls is not None:
            with contextlib.suppress(OSError):  # a client that does not trust us
                request = self.tls.wrap_socket(request, server_side=True)
                super().finish_request(request, client_address)
                request.close()
            return
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self._number = next(self.server.numbers)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *words: Any, **more: Any) -> None:
        """The log is `FaultServer.asked`."""

    def do_GET(self) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            self._answer()

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, path, query, headers, self._number, time.monotonic())
        content = self.server.content
        answer = _healthy(content.root, asked)
        if fault := content.fault_for(asked):
            fault(answer)
        content.stopping.wait(answer.delay)
        if answer.reset:
            self._reset()
            return
        self._send(answer, content)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _send(self, answer: Answer, content: FaultServer) -> None:
        self.send_response(answer.status)
        bodiless = answer.status in (204, 304)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.close:
            self.close_connection = True
            self.send_header("Connection", "close")
        elif answer.status not in (204, 304):
            length = len(answer.body) if answer.length is None else answer.length
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if bodiless:
            return
        body = answer.body if answer.cut_after is None else answer.body[: answer.cut_after]
        body = body if answer.stall_after is None else body[: answer.stall_after]
        self._send_body(body, answer.rate, content)
        if answer.stall_after is not None:
            self.wfile.flush()
            content.stopping.wait()
        if answer.cut_after is not None or answer.stall_after is not None:
            self.close_connection = True

    def _send_body(self, body: bytes, rate: float, content: FaultServer) -> None:
        if not rate:
            self.wfile.write(body)
            return
        step = max(1, min(_PIECE, int(rate / 20)))
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            self.wfile.flush()
            if content.stopping.wait(step / rate):
                return


def _healthy(root: Path, asked: Asked) -> Answer:
    """What a server without faults answers."""
    place = root / unquote(asked.path).lstrip("/")
    try:
        whole = place.read_bytes()
        modified = place.stat()
    except OSError:
        return Answer(asked, b"", 404, {}, b"not found\n")
    etag = f'"{modified.st_mtime_ns:x}-{len(whole):x}"'
    date = email.utils.formatdate(modified.st_mtime, usegmt=True)
    answer = Answer(asked, whole, 200, {"ETag": etag, "Last-Modified": date, "Accept-Ranges": "bytes"}, whole)
    headers = asked.headers
    conditions = (("if-none-match", etag), ("if-modified-since", date))
    given = [(headers[name], value) for name, value in conditions if name in headers]
    if given and given[0][0] == given[0][1]:
        answer.status, answer.body = 304, b""
    elif "range" in headers and headers.get("if-range", etag) in (etag, date):
        _give_range(answer, headers["range"])
    return answer


def _give_range(answer: Answer, asked: str) -> None:
    """`bytes=N-`; of other forms all is sent."""
    start, size = asked.removeprefix("bytes=").removesuffix("-"), len(answer.whole)
    if not start.isdigit():
        return
    if int(start) >= size:
        answer.status, answer.body = 416, b""
        answer.headers["Content-Range"] = f"bytes */{size}"
        return
    answer.status, answer.body = 206, answer.whole[int(start) :]
    answer.headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"


@contextlib.contextmanager
def fault_server(
    root: Path, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> Iterator[FaultServer]:
    """A server of what is, or will be, below `root`, on a free port of `host` (any of 127.0.0.0/8)."""
    root.mkdir(parents=True, exist_ok=True)
    server = FaultServer(root, host, tls)
    thread = threading.Thread(target=server.serve, name="fault server", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()
