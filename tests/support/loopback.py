# SPDX-License-Identifier: GPL-3.0-or-later
"""A server on loopback whose every answer a test writes: for what no real server does on demand.

Slow, silent and false answers, at the one seam there is: the socket.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.servers import LOOPBACK


@dataclass
class LoopbackServer:
    """`received`: what each connection was sent, as far as its handler read it."""

    port: int
    received: list[bytes] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"


Handler = Callable[[socket.socket, LoopbackServer], None]


@contextlib.contextmanager
def loopback_server(handle: Handler, address: Path | None = None) -> Iterator[LoopbackServer]:
    """Every connection is given to `handle`, in a thread of its own, and closed when that returns.

    At the end of the `with` all connections are cut, so that handlers which wait come to an end.
    """
    listener = socket.socket(socket.AF_UNIX if address else socket.AF_INET)
    listener.bind(str(address) if address else (LOOPBACK, 0))
    listener.listen()
    server = LoopbackServer(0 if address else listener.getsockname()[1])
    connections: list[socket.socket] = []

    def converse(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            handle(connection, server)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                threading.Thread(target=converse, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server
    finally:
        for open_socket in (listener, *connections):
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
        listener.close()


def silent(connection: socket.socket, server: LoopbackServer) -> None:
    """Take all that comes and never answer."""
    while data := connection.recv(65536):
        server.received.append(data)


def answering(*answers: bytes) -> Handler:
    """After each thing received the next of `answers`; then the connection is closed."""

    def handle(connection: socket.socket, server: LoopbackServer) -> None:
        for answer in answers:
            server.received.append(connection.recv(65536))
            connection.sendall(answer)

    return handle


def trickling(beginning: bytes, drop: bytes = b"x") -> Handler:
    """After the request a beginning, and then drop by drop, without end."""

    def handle(connection: socket.socket, server: LoopbackServer) -> None:
        server.received.append(connection.recv(65536))
        connection.sendall(beginning)
        while True:
            connection.sendall(drop)
            time.sleep(0.02)

    return handle
