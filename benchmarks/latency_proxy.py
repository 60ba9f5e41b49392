# SPDX-License-Identifier: GPL-3.0-or-later
"""A relay on the loopback interface that adds a round trip: latency_proxy.py PORT UPSTREAM_PORT MILLISECONDS

A new connection waits one round trip before its first byte is read, and what the client sends reaches the
server one round trip later; what the server sends passes at once. There is no limit of bandwidth and no slow
start. Kernels of virtual machines often have no netem; this shows well enough which client waits for answers.
"""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator

from content_server import await_port, free_port


class _Upstream(asyncio.Protocol):
    """The side of the server."""

    def __init__(self, client: asyncio.Transport) -> None:
        self._client = client

    def data_received(self, data: bytes) -> None:
        self._client.write(data)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._client.close()


class _Client(asyncio.Protocol):
    """The side of the client. `early`: what it sent before the round trip of its connection was over."""

    def __init__(self, port: int, seconds: float) -> None:
        self._port, self._seconds = port, seconds
        self._early: list[bytes] = []
        self._client: asyncio.Transport | None = None
        self._upstream: asyncio.Transport | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._client = transport
        self._dialling = asyncio.ensure_future(self._dial())

    async def _dial(self) -> None:
        await asyncio.sleep(self._seconds)
        if self._gone or self._client is None:
            return
        client, loop = self._client, asyncio.get_running_loop()
        self._upstream, _ = await loop.create_connection(lambda: _Upstream(client), "127.0.0.1", self._port)
        for data in self._early:
            loop.call_later(self._seconds, self._upstream.write, data)
        if self._gone:
            self._upstream.close()

    def data_received(self, data: bytes) -> None:
        if self._upstream is None:
            self._early.append(data)
        else:
            asyncio.get_running_loop().call_later(self._seconds, self._upstream.write, data)

    def pause_writing(self) -> None:
        if self._upstream is not None:
            self._upstream.pause_reading()

    def resume_writing(self) -> None:
        if self._upstream is not None and not self._upstream.is_closing():
            self._upstream.resume_reading()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._gone = True
        if self._upstream is not None:
            asyncio.get_running_loop().call_later(self._seconds + 0.001, self._upstream.close)


@contextlib.contextmanager
def latency(upstream: int, milliseconds: float) -> Iterator[int]:
    """The port of a relay to the port `upstream`, in a process of its own."""
    port = free_port()
    argv = [sys.executable, __file__, str(port), str(upstream), str(milliseconds)]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as process:
        try:
            await_port(port, process)
            yield port
        finally:
            process.terminate()


async def _serve(port: int, upstream: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Client(upstream, seconds), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000))
