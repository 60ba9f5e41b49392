# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of orchestrator.yaml. Field names are the keys a user writes.

Everything is frozen; durations become seconds, sizes become bytes, relative paths are made absolute
against the directory of the configuration file by `orchestrator.config.load`.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from orchestrator.config.quantities import parse_duration, parse_size

Tier = Literal["backend", "application"]


def _size(value: Any) -> Any:
    return parse_size(value) if isinstance(value, str) else value


Duration = Annotated[float, BeforeValidator(parse_duration)]
Size = Annotated[int, BeforeValidator(_size), Field(ge=0)]
Argv = Annotated[tuple[str, ...], Field(min_length=1)]
Port = Annotated[int, Field(ge=1, le=65535)]
Address = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[^:\s]+):\d{1,5}$")]


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


class Model(BaseModel):
    """Frozen, and every unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


# Probes -------------------------------------------------------------------------------------------


class Probe(Model):
    """`stable`: how many times in a row it must pass; `timeout`: seconds for one attempt."""

    stable: Annotated[int, Field(ge=1, le=1000)] = 1
    timeout: Annotated[Duration, Field(gt=0, le=3600)] = 5.0


class TcpProbe(Probe):
    kind: Literal["tcp"]
    address: Address


class UnixProbe(Probe):
    kind: Literal["unix"]
    path: Path


class HttpProbe(Probe):
    """Ready when the status is one of `status` and every key of `json` (dots descend) has one of its values."""

    kind: Literal["http"]
    url: Annotated[str, Field(pattern=r"^https?://")]
    status: tuple[int, ...] = (200,)
    json_values: Annotated[dict[str, tuple[Any, ...]], Field(alias="json")] = {}
    headers: dict[str, str] = {}
    ca: Path | None = None


class ExecProbe(Probe):
    """Ready when `command` exits 0; a status listed in `failed` ends the wait."""

    kind: Literal["exec"]
    command: Argv
    failed: tuple[int, ...] = ()


class PostgresqlProbe(Probe):
    """`host` is a name, an address, or the directory of the server's unix socket."""

    kind: Literal["postgresql"]
    host: str = "/run/postgresql"
    port: Port = 5432
    database: str = "postgres"
    user: str = "postgres"


class RedisProbe(Probe):
    kind: Literal["redis"]
    address: Address | None = "127.0.0.1:6379"
    path: Path | None = None
    password_file: Path | None = None


class SystemdProbe(Probe):
    kind: Literal["systemd"]
    unit: str


class LogProbe(Probe):
    """Ready when `pattern` was written to `path` since the service's last start by the runner."""

    kind: Literal["log"]
    path: Path
    pattern: Annotated[str, BeforeValidator(_pattern)]


AnyProbe = (
    TcpProbe | UnixProbe | HttpProbe | ExecProbe | PostgresqlProbe | RedisProbe | SystemdProbe | LogProbe
)

# The key that a bare value stands for: `tcp: "127.0.0.1:80"` is `tcp: {address: "127.0.0.1:80"}`.
PROBE_SHORTHAND = {
    "tcp": "address",
    "unix": "path",
    "http": "url",
    "exec": "command",
    "postgresql": "host",
    "redis": "address",
    "systemd": "unit",
    "log": "path",
}


def _one_kind(value: Any) -> Any:
    """`{http: {url: ...}, stable: 3}` -> `{kind: http, url: ..., stable: 3}`."""
    if not isinstance(value, dict):
        raise ValueError("a probe is a mapping like {tcp: '127.0.0.1:80'}")
    kinds = [key for key in value if key not in ("stable", "timeout")]
    if len(kinds) != 1 or kinds[0] not in PROBE_SHORTHAND:
        known = ", ".join(PROBE_SHORTHAND)
        found = ", ".join(map(str, kinds)) or "none"
        raise ValueError(f"a probe has exactly one kind of {known}; found: {found}")
    kind, options = kinds[0], value[kinds[0]]
    if not isinstance(options, dict):
        options = {} if options is None else {PROBE_SHORTHAND[kind]: options}
    if "kind" in options:
        raise ValueError("unknown key kind")
    outer = {key: value[key] for key in ("stable", "timeout") if key in value}
    normal = {"kind": kind, **outer, **options}
    if kind == "http":
        if isinstance(normal.get("status"), int):
            normal["status"] = [normal["status"]]
        if isinstance(normal.get("json"), dict):
            normal["json"] = {k: v if isinstance(v, list) else [v] for k, v in normal["json"].items()}
    if kind == "redis" and "path" in normal:
        normal.setdefault("address", None)
    return normal


ProbeSpec = Annotated[
    Annotated[AnyProbe, Field(discriminator="kind")],
    BeforeValidator(_one_kind),
]

# Services -----------------------------------------------------------------------------------------


class Service(Model):
    """What all managers share. `after` names services that must be ready before this one starts."""

    tier: Tier
    after: tuple[str, ...] = ()
    ready: tuple[ProbeSpec, ...] = ()
    ready_timeout: Duration = 120.0
    stop_timeout: Duration = 90.0
    ports: tuple[Port, ...] = ()
    log: Path | None = None


class SystemdService(Service):
    manager: Literal["systemd"]
    unit: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9:_.@\\-]+\.(service|socket|target|timer|path|scope|slice)$")
    ]


class SupervisorService(Service):
    manager: Literal["supervisor"]
    program: str
    config: Path | None = None
    autostart: bool = True


class ProcessService(Service):
    """The runner starts `command` itself, in a session of its own, output to `log`."""

    manager: Literal["process"]
    command: Argv
    user: str | None = None
    group: str | None = None
    cwd: Path = Path("/")
    env: dict[str, str] = {}
    stop_signal: Literal["TERM", "INT", "QUIT", "HUP", "USR1", "USR2"] = "TERM"
    autostart: bool = True


class CommandService(Service):
    """`status` answers by the LSB: 0 running, 3 stopped, 1 or 2 dead with remains, else unknown."""

    manager: Literal["command"]
    start: Argv
    stop: Argv
    status: Argv
    pid_file: Path | None = None
    env: dict[str, str] = {}
    autostart: bool = True


class ExternalService(Service):
    """Runs elsewhere: probed, never stopped or started."""

    manager: Literal["external"]
    ready: Annotated[tuple[ProbeSpec, ...], Field(min_length=1)]


AnyService = SystemdService | SupervisorService | ProcessService | CommandService | ExternalService
ServiceSpec = Annotated[AnyService, Field(discriminator="manager")]

# The rest -----------------------------------------------------------------------------------------


class Product(Model):
    """`version` or the first line of `version_command`'s output is what an upgrade goes to."""

    name: str = "this server"
    deployment: str | None = None
    version: str | None = None
    version_command: Argv | None = None


class Maintenance(Model):
    """Commands run before the first stop and after everything is ready again."""

    enter: Argv
    leave: Argv
    timeout: Duration = 300.0


class Backup(Model):
    """A command whose success is a condition of the first stop."""

    command: Argv
    timeout: Duration | None = None


class Notification(Model):
    """A command that is run at these moments of an upgrade, with a JSON document on its input."""

    at: Annotated[tuple[Literal["pending", "start", "failure", "end"], ...], Field(min_length=1)] = (
        "start",
        "failure",
        "end",
    )
    command: Argv
    timeout: Annotated[Duration, Field(gt=0, le=3600)] = 60.0


class Exports(Model):
    """How many exports stay. 0 is no limit; sizes in bytes."""

    keep: Annotated[int, Field(ge=0)] = 0
    max_age: Duration = 0.0
    max_size: Size = 0
    quota: Size = 0
    unfinished: Annotated[Duration, Field(gt=0)] = 7 * 86400.0


class Content(Model):
    """The content server: `organization export import ...`. `mirrors` is the mirrors.yaml whose `common` part
    (connections, retries, proxies) holds for syncs too."""

    root: Path = Path("/var/lib/orchestrator/content")
    exports: Path = Path("/var/lib/orchestrator/exports")
    database: str = ""
    organization: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$")] = "default"
    mirrors: Path | None = None
    signing_key: Path | None = None
    trusted_keys: Path | None = None
    export_rules: Exports = Field(default_factory=Exports)


class Config(Model):
    product: Product = Field(default_factory=Product)
    state_dir: Path = Path("/var/lib/orchestrator")
    log_dir: Path = Path("/var/log/orchestrator")
    scripts: Annotated[tuple[Path, ...], Field(min_length=1)]
    phases: Annotated[tuple[Path, ...], Field(min_length=1)]
    services: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]*$")], ServiceSpec] = {}
    maintenance: Maintenance | None = None
    backup: Backup | None = None
    environment: dict[str, str] = {}
    # What a package's script does with an upgrade that has become due: run it in the transaction, leave it to the
    # next boot (or a request), or only tell.
    hook: Literal["run", "schedule", "notify"] = "run"
    # Whether the boot after a death (power cut, kill) continues the run by itself.
    resume_at_boot: bool = False
    notify: tuple[Notification, ...] = ()
    content: Content = Field(default_factory=Content)
