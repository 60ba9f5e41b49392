# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers on loopback for tests, each in a directory of its own and gone at the end of a `with`.

    with server_directory() as directory, postgresql_server(directory) as server:
        server.query("SELECT 1")

PostgreSQL refuses root: as root it runs as `nobody`, who cannot enter pytest's own directories; hence
`server_directory`. Its short path also keeps unix sockets within the kernel's 107 bytes.
"""

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.requirements import require

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now, outside the range that the kernel gives to clients."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port


@contextlib.contextmanager
def server_directory() -> Iterator[Path]:
    """A new directory with a short path that every user may enter."""
    directory = Path(tempfile.mkdtemp(prefix="srv-", dir="/tmp"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def wait_until(
    happened: Callable[[], bool],
    what: str,
    process: subprocess.Popen[bytes] | None = None,
    timeout: float = 20.0,
) -> None:
    """Block until `happened()`. AssertionError naming `what` after `timeout` seconds, or when `process` ends."""
    deadline = time.monotonic() + timeout
    while not happened():
        assert time.monotonic() < deadline, f"no sign within {timeout:g} s of: {what}"
        assert process is None or process.poll() is None, f"its process has ended before: {what}"
        time.sleep(0.01)


def accepts(address: int | Path) -> bool:
    """Whether somebody accepts connections at a port of 127.0.0.1 or at a socket file."""
    unix = isinstance(address, Path)
    with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as probe, contextlib.suppress(OSError):
        probe.connect(str(address) if unix else (LOOPBACK, address))
        return True
    return False


@contextlib.contextmanager
def running(argv: Sequence[str], log: Path, **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process in the foreground, killed at the end if it still lives."""
    with log.open("ab") as stream:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True, **how
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# PostgreSQL ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PostgresqlServer:
    """A cluster with the superuser `postgres`, trust authentication and no fsync."""

    directory: Path
    port: int

    @property
    def data(self) -> Path:
        return self.directory / "postgresql"

    @property
    def socket_directory(self) -> Path:
        return self.directory

    @property
    def socket(self) -> Path:
        return self.directory / f".s.PGSQL.{self.port}"

    @property
    def log(self) -> Path:
        return self.directory / "postgresql.log"

    def query(self, sql: str, database: str = "postgres") -> str:
        """What psql prints for one statement, unaligned, tuples only."""
        argv = [_postgresql_program("psql"), "-XAtq", "--set=ON_ERROR_STOP=1", f"--command={sql}"]
        argv += [f"--host={self.socket_directory}", f"--port={self.port}", "--username=postgres", database]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, name: str, text: str) -> None:
        """Make a file in the data directory, readable for the server."""
        path = self.data / name
        path.write_text(text)
        _give_away(path)

    @contextlib.contextmanager
    def started(self, options: Mapping[str, str] | None = None, *, wait: bool = True) -> Iterator[None]:
        """The server, from start to a fast shutdown. Without `wait` it may still be on its way up."""
        settings = {
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": str(self.socket_directory),
            "fsync": "off",
            **(options or {}),
        }
        argv = [_postgresql_program("postgres"), "-D", str(self.data), "-p", str(self.port)]
        argv += [f"--{name}={value}" for name, value in settings.items()]
        with running(argv, self.log, **_unprivileged()) as process:
            try:
                if wait:
                    wait_until(self._is_ready, f"PostgreSQL is ready in {self.directory}", process)
                yield
            finally:
                # PostgreSQL's fast shutdown: sessions of a failing test must not hold it up.
                process.send_signal(signal.SIGINT)
                process.wait(30)

    def _is_ready(self) -> bool:
        program = _postgresql_program("pg_isready")
        argv = [program, "--quiet", f"--host={self.socket_directory}", f"--port={self.port}"]
        return subprocess.run(argv, check=False).returncode == 0


def postgresql_cluster(directory: Path) -> PostgresqlServer:
    """A new cluster that is not started, in a directory that every user may enter."""
    server = PostgresqlServer(directory, free_port())
    initdb = _postgresql_program("initdb")
    for above in directory.parents:
        assert above.stat().st_mode & 0o001, f"make a server_directory(): PostgreSQL cannot pass {above}"
    server.data.mkdir(mode=0o700)
    for path in (directory, server.data):
        _give_away(path)
    argv = [initdb, f"--pgdata={server.data}", "--auth=trust", "--username=postgres", "--no-sync"]
    argv += ["--encoding=UTF8", "--locale=C"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60, **_unprivileged())
    assert done.returncode == 0, done.stderr
    return server


@contextlib.contextmanager
def postgresql_server(
    directory: Path, options: Mapping[str, str] | None = None
) -> Iterator[PostgresqlServer]:
    """A new cluster that accepts connections."""
    server = postgresql_cluster(directory)
    with server.started(options):
        yield server


def _postgresql_program(name: str) -> str:
    """The program of the newest PostgreSQL here. Skips the test where there is none."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[4]))
    found = str(debian[-1]) if debian else shutil.which(name)
    require(found is not None, f"this needs PostgreSQL's {name} (Debian: postgresql)")
    assert found is not None
    return found


def _unprivileged() -> dict[str, Any]:
    """What subprocess needs for a program that refuses root."""
    return {"user": "nobody", "extra_groups": [], "cwd": "/"} if os.geteuid() == 0 else {"cwd": "/"}


def _give_away(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)


# Redis --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RedisServer:
    """A server without persistence unless told so by `SAVE`; `command` speaks to it as redis-cli would."""

    directory: Path
    port: int
    password: str | None = None

    @property
    def socket(self) -> Path:
        return self.directory / "redis.sock"

    @property
    def log(self) -> Path:
        return self.directory / "redis.log"

    def command(self, *words: str, data: bytes | None = None) -> str:
        """One command's answer; `data`: commands in the protocol, sent in bulk."""
        argv = ["redis-cli", "-h", LOOPBACK, "-p", str(self.port), *(("--pipe",) if data else words)]
        environment = {**os.environ, **({"REDISCLI_AUTH": self.password} if self.password else {})}
        done = subprocess.run(argv, check=True, capture_output=True, input=data, env=environment, timeout=60)
        return done.stdout.decode().strip()


@contextlib.contextmanager
def redis_server(
    directory: Path,
    options: Mapping[str, str] | None = None,
    *,
    password: str | None = None,
    port: int | None = None,
) -> Iterator[RedisServer]:
    """A server that accepts connections, which is not to say that it has loaded its data."""
    require(shutil.which("redis-server") is not None, "this needs redis-server (Debian: redis-server)")
    server = RedisServer(directory, port or free_port(), password)
    settings = {
        "bind": LOOPBACK,
        "port": str(server.port),
        "unixsocket": str(server.socket),
        "dir": str(directory),
        "save": "",
        **({"requirepass": password} if password else {}),
        **(options or {}),
    }
    argv = ["redis-server", *(word for name, value in settings.items() for word in (f"--{name}", value))]
    with running(argv, server.log) as process:
        wait_until(lambda: accepts(server.port), f"Redis in {directory} accepts connections", process)
        yield server


# nginx --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Certificate:
    """A self-made certificate, its own authority."""

    path: Path
    key: Path


def make_certificate(directory: Path, names: str = f"IP:{LOOPBACK},DNS:localhost") -> Certificate:
    """`server.crt` and `server.key` in `directory`, for `names` as openssl writes them."""
    require(shutil.which("openssl") is not None, "this needs openssl")
    certificate = Certificate(directory / "server.crt", directory / "server.key")
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    argv += ["-subj", "/CN=server", "-addext", f"subjectAltName={names}", "-days", "2"]
    argv += ["-out", str(certificate.path), "-keyout", str(certificate.key)]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    return certificate


@dataclass(frozen=True)
class NginxServer:
    directory: Path
    port: int
    scheme: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://{LOOPBACK}:{self.port}"


_NGINX_CONFIGURATION = """\
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
{user}
events {{ worker_connections 64; }}
http {{
    access_log {directory}/access.log;
    client_body_temp_path {directory}/temporary;
    proxy_temp_path {directory}/temporary;
    fastcgi_temp_path {directory}/temporary;
    uwsgi_temp_path {directory}/temporary;
    scgi_temp_path {directory}/temporary;
    server {{
        listen {address}:{port}{tls};
        {certificate}
        root {directory};
        {locations}
    }}
}}
"""


@contextlib.contextmanager
def nginx_server(
    directory: Path, locations: str = "", *, certificate: Certificate | None = None, port: int | None = None
) -> Iterator[NginxServer]:
    """A server with the given `location` blocks that serves `directory` otherwise; with a certificate, by TLS."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    require(program is not None, "this needs nginx (Debian: nginx-light)")
    server = NginxServer(directory, port or free_port(), "https" if certificate else "http")
    files = (
        f"ssl_certificate {certificate.path}; ssl_certificate_key {certificate.key};" if certificate else ""
    )
    configuration = directory / "nginx.conf"
    configuration.write_text(
        _NGINX_CONFIGURATION.format(
            directory=directory,
            user="user root;" if os.geteuid() == 0 else "",
            address=LOOPBACK,
            port=server.port,
            tls=" ssl" if certificate else "",
            certificate=files,
            locations=locations,
        )
    )
    argv = [str(program), "-c", str(configuration), "-e", str(directory / "error.log")]
    with running(argv, directory / "nginx.out") as process:
        wait_until(lambda: accepts(server.port), f"nginx in {directory} accepts connections", process)
        yield server
