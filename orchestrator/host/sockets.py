# SPDX-License-Identifier: GPL-3.0-or-later
"""Short conversations with servers: connect, send, read a little. The probes' only way to the network.

A socket's own timeout is for one operation: a server that sends a byte now and then would never end.
A `Conversation` ends at a deadline that everything shares, from looking up the name to the last byte.
"""

import io
import queue
import re
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlsplit

from orchestrator.host import clock

if TYPE_CHECKING:
    import ssl

MOST_BODY = 1 << 20
LAST_PORT = 65535


def split_address(address: str) -> tuple[str, int]:
    """`host:port` or `[v6]:port`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def why(error: OSError) -> str:
    """What an error says, in words for a message: no number, no class, no source file."""
    if certificate := getattr(error, "verify_message", ""):
        return f"certificate verify failed: {certificate}"
    text = error.strerror or str(error) or type(error).__name__
    if type(error).__module__ == "ssl":
        return "no TLS with this server: " + re.sub(r"^\[[^]]*\] | \(_ssl\.c:\d+\)$", "", text)
    return text


class Conversation:
    """A connected stream socket, of which all together takes at most `timeout` seconds.

    Everything raises OSError; TimeoutError, with words of its own, when the time is over.
    """

    def __init__(self, address: tuple[str, int] | Path, timeout: float) -> None:
        self._timeout = timeout
        self._deadline = clock.monotonic() + timeout
        self._socket = (
            self._connect_unix(address) if isinstance(address, Path) else self._connect_tcp(*address)
        )
        self.incoming: io.BufferedIOBase = io.BufferedReader(_Incoming(self))

    def start_tls(self, context: "ssl.SSLContext", host: str) -> None:
        """Continue encrypted, with a server whose certificate names `host`."""
        self._socket.settimeout(self._left())
        try:
            self._socket = context.wrap_socket(self._socket, server_hostname=host)
        except TimeoutError:
            raise self._late() from None

    def send(self, data: bytes) -> None:
        self._socket.settimeout(self._left())
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise self._late() from None

    def receive(self, buffer: Any) -> int:
        """Some bytes into `buffer`; 0 when the server has ended the conversation."""
        self._socket.settimeout(self._left())
        try:
            return self._socket.recv_into(buffer)
        except TimeoutError:
            raise self._late() from None

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def _connect_unix(self, path: Path) -> socket.socket:
        return self._connected(socket.AF_UNIX, str(path), self._left())

    def _connect_tcp(self, host: str, port: int) -> socket.socket:
        """To the first of the host's addresses that takes it; time is shared out fairly among them."""
        if not 1 <= port <= LAST_PORT:
            raise OSError(f"{port} is not the number of a port")
        found = _look_up(host, port, self._timeout)
        if found is None:
            raise self._late()
        for index, (family, address) in enumerate(found):
            try:
                return self._connected(family, address, self._left() / (len(found) - index))
            except OSError as error:
                failure = error
        raise failure

    def _connected(self, family: int, address: Any, timeout: float) -> socket.socket:
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout)
            connection.connect(address)
        except TimeoutError as error:
            connection.close()
            raise error if error.errno else self._late() from None
        except OSError:
            connection.close()
            raise
        return connection

    def _left(self) -> float:
        left = self._deadline - clock.monotonic()
        if left <= 0:
            raise self._late()
        return left

    def _late(self) -> TimeoutError:
        return TimeoutError(f"no answer within {self._timeout:g} s")


class _Incoming(io.RawIOBase):
    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._conversation.receive(buffer)


def _look_up(host: str, port: int, timeout: float) -> list[tuple[int, Any]] | None:
    """The addresses of a host, or None when there is no answer in time: the resolver itself knows no limit."""
    answers: queue.SimpleQueue[list[tuple[int, Any]] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put([(family, address) for family, _, _, _, address in found])
        except OSError as error:
            answers.put(error)
        except UnicodeError:
            answers.put(OSError(f"{host!r} is not the name of a host"))

    threading.Thread(target=ask, daemon=True, name=f"look up {host}").start()
    try:
        answer = answers.get(timeout=timeout)
    except queue.Empty:
        return None
    if isinstance(answer, OSError):
        raise answer
    return answer


class _Borrowed:
    """What http.client wants of a socket. It closes that before it reads a last answer: ours stays open."""

    def __init__(self, conversation: Conversation) -> None:
        self.sendall = conversation.send
        self._incoming = conversation.incoming

    def makefile(self, _: str) -> io.BufferedIOBase:
        return self._incoming

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


def http_get(url: str, *, headers: Mapping[str, str], ca: Path | None, timeout: float) -> Answer:
    """One GET without following redirects; at most 1 MiB of the body.

    Raises OSError (also TLS errors), http.client.HTTPException, or ValueError for what cannot be sent.
    """
    import http.client

    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    usual_port = http.client.HTTPS_PORT if secure else http.client.HTTP_PORT
    with Conversation((host, parts.port or usual_port), timeout) as conversation:
        if secure:
            conversation.start_tls(_trust(ca), host)
        connection = http.client.HTTPConnection(host, parts.port or usual_port)
        connection.default_port = usual_port
        connection.sock = cast("socket.socket", _Borrowed(conversation))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(
            "GET", target, headers={"User-Agent": "orchestrator", "Connection": "close", **headers}
        )
        with connection.getresponse() as response:
            return Answer(response.status, response.read(MOST_BODY))


def _trust(ca: Path | None) -> "ssl.SSLContext":
    """What certificates are believed: those that `ca` signed, or the system's."""
    import ssl

    try:
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
    except OSError as error:
        raise OSError(f"cannot use the certificates in {ca}: {why(error)}") from None
    # Python 3.13 began to refuse certificates that private authorities have made for years.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
