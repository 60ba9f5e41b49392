# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx on the loopback interface, one worker, and what it was asked for in a stretch of time."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICK = os.sysconf("SC_CLK_TCK")
_CONFIGURATION = """
{user}daemon off;
worker_processes 1;
worker_rlimit_nofile 65536;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 8192; }}
http {{
  log_format traffic '$status $request_method $bytes_sent $uri';
  access_log {directory}/access.log traffic;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_timeout 65;
  keepalive_requests 1000000;
  default_type application/octet-stream;
  types {{ text/xml xml; }}
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    root {root};
    location / {{ rewrite ^/([^/]+)/(.*)$ /$1/served/$2 break; }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the server was asked for and what it sent; `processor`: seconds of its own."""

    requests: int
    statuses: tuple[tuple[str, int], ...]
    sent: int
    processor: float

    def __str__(self) -> str:
        return " ".join(f"{status}:{count}" for status, count in self.statuses)


class ContentServer:
    """Serves `root/NAME/served/` at /NAME/. To be used as a context manager; raises RuntimeError without nginx."""

    def __init__(self, root: Path, directory: Path) -> None:
        self._root, self._directory = root, directory
        self._log = directory / "access.log"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._offset, self._processor = 0, 0.0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            raise RuntimeError("nginx is not installed")
        self._directory.mkdir(parents=True, exist_ok=True)
        user = "user root;\n" if os.geteuid() == 0 else ""
        configuration = _CONFIGURATION.format(
            user=user, directory=self._directory, port=self.port, root=self._root
        )
        (self._directory / "nginx.conf").write_text(configuration)
        self._process = subprocess.Popen(
            [program, "-c", str(self._directory / "nginx.conf"), "-e", str(self._directory / "error.log")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        await_port(self.port, self._process)
        return self

    def __exit__(self, *ended: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def mark(self) -> None:
        """The stretch begins."""
        self._offset, self._processor = self._log.stat().st_size, self._seconds()

    def traffic(self) -> Traffic:
        """Since the mark."""
        with self._log.open("rb") as stream:
            stream.seek(self._offset)
            lines = [line.split(b" ", 3) for line in stream.read().splitlines()]
        statuses = Counter(words[0].decode() + ("h" if words[1] == b"HEAD" else "") for words in lines)
        sent = sum(int(words[2]) for words in lines)
        return Traffic(len(lines), tuple(sorted(statuses.items())), sent, self._seconds() - self._processor)

    def _seconds(self) -> float:
        assert self._process is not None
        return sum(map(_processor_time, _family(self._process.pid)))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when somebody listens. Raises RuntimeError when `process` ends before that."""
    while process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise RuntimeError(f"{process.args!r} ended with {process.returncode}")


def _family(pid: int) -> Iterator[int]:
    yield pid
    for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield int(word)


def _processor_time(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICK
