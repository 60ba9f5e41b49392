# SPDX-License-Identifier: GPL-3.0-or-later
"""A server with real units on a systemd host: PostgreSQL, Redis, a slow Type=notify index, a Restart=always web."""

import json
import textwrap
from pathlib import Path
from typing import Any

import yaml

from tests.support.product import Outcome
from tests.support.systemd_host import SystemdHost

BASE = "/opt/appliance"
CONFIG = f"{BASE}/orchestrator.yaml"
STATE = "/var/lib/orchestrator"

# Says that it is ready only a while after it was started, by the notify protocol.
_NOTIFY = """
    #!/usr/bin/python3
    import os, socket, time
    def tell(text):
        address = os.environ["NOTIFY_SOCKET"].replace("@", "\\0", 1)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(text.encode(), address)
    tell("STATUS=loading the index")
    time.sleep(0.7)
    open("/run/index-ready", "w").close()
    tell("READY=1\\nSTATUS=serving")
    while True:
        time.sleep(60)
"""
_WEB = """
    #!/usr/bin/python3
    import http.server, subprocess
    subprocess.run(["psql", "-qAtc", "select 1"], check=True, cwd="/")
    http.server.HTTPServer(("127.0.0.1", 8080), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
_INDEX_UNIT = """
    [Service]
    Type=notify
    ExecStartPre=/bin/rm -f /run/index-ready
    ExecStart=/opt/appliance/index
    Restart=always
    RestartSec=100ms
    [Install]
    WantedBy=multi-user.target
"""
_WEB_UNIT = """
    [Unit]
    Wants=postgresql@15-main.service
    After=postgresql@15-main.service
    [Service]
    User=postgres
    WorkingDirectory=/usr/share/doc
    ExecStart=/opt/appliance/web
    Restart=always
    RestartSec=100ms
    [Install]
    WantedBy=multi-user.target
"""
# needrestart, a timer, an impatient administrator: somebody who starts it whenever it is down.
_REVIVER_UNIT = """
    [Service]
    Type=oneshot
    ExecStart=-/bin/systemctl start web.service redis-server.service index.service
"""
_REVIVER_TIMER = """
    [Timer]
    OnBootSec=1
    OnUnitInactiveSec=100ms
    AccuracySec=10ms
    Unit=reviver.service
"""
SERVICES: dict[str, Any] = {
    "postgresql": {
        "tier": "backend",
        "manager": "systemd",
        "unit": "postgresql@15-main.service",
        "ports": [5432],
        "ready": [{"postgresql": {"host": "/run/postgresql"}}],
    },
    "redis": {
        "tier": "backend",
        "manager": "systemd",
        "unit": "redis-server.service",
        "ports": [6379],
        "ready": [{"redis": "127.0.0.1:6379"}],
    },
    "index": {"tier": "backend", "manager": "systemd", "unit": "index.service"},
    "web": {
        "tier": "application",
        "manager": "systemd",
        "unit": "web.service",
        "after": ["postgresql", "redis"],
        "ports": [8080],
        "ready": [{"http": "http://127.0.0.1:8080/"}],
        "ready_timeout": "20s",
    },
}


class Appliance:
    """The server on `host`, version 1 with data, its services running, version 2 due."""

    def __init__(self, host: SystemdHost) -> None:
        self.host = host
        self.config: dict[str, Any] = {
            "product": {"name": "Appliance", "version": "2.0"},
            "state_dir": STATE,
            "scripts": [f"{BASE}/scripts"],
            "services": SERVICES,
        }
        host.write(f"{BASE}/index", _NOTIFY, 0o755)
        host.write(f"{BASE}/web", _WEB, 0o755)
        host.write("/etc/systemd/system/index.service", _INDEX_UNIT)
        host.write("/lib/systemd/system/web.service", _WEB_UNIT)
        host.write("/lib/systemd/system/reviver.service", _REVIVER_UNIT)
        host.write("/lib/systemd/system/reviver.timer", _REVIVER_TIMER)
        host.systemctl("daemon-reload")
        host.systemctl("enable", "index.service", "web.service")
        self.save()
        self.step("default/0010_always.sh", "true")
        self.step("upgrade/0100_files.sh", "echo moved >> /opt/appliance/files")
        self.step("upgrade/3100_schema.sh", self.sql("insert into facts values ('schema 2')"))
        self.step("default/6010_smoke.sh", "test -e /run/index-ready")

    def save(self) -> None:
        self.host.write(CONFIG, yaml.safe_dump(self.config))

    @staticmethod
    def sql(statement: str) -> str:
        return f'runuser -u postgres -- psql -qAt -v ON_ERROR_STOP=1 -c "{statement}"'

    def step(self, path: str, body: str, header: str = "") -> None:
        name = Path(path).name
        head = f"#!/bin/sh\n#name: {name}\n#description: Test step.\n" + (f"{header}\n" if header else "")
        self.host.write(f"{BASE}/scripts/{path}", f"{head}set -eu\n{textwrap.dedent(body)}\n", 0o755)

    def start_everything(self) -> None:
        """Bring version 1 up with its table, as the years before the upgrade have left it."""
        units = [service["unit"] for service in SERVICES.values() if service["unit"] != "web.service"]
        self.host.systemctl("start", *units)
        self.host.run(["sh", "-c", self.sql("create table facts (fact text)")])
        self.host.systemctl("start", "web.service")
        assert self.orchestrator("services", "wait").code == 0

    def orchestrator(self, *words: str) -> Outcome:
        done = self.host.orchestrator(*words, env={"ORCHESTRATOR_CONFIG": CONFIG})
        return Outcome(done.returncode, done.stdout, done.stderr)

    def facts(self) -> list[str]:
        return self.host.run(["sh", "-c", self.sql("select fact from facts")]).stdout.split("\n")[:-1]

    def files(self) -> str:
        path = self.host.path("/opt/appliance/files")
        return path.read_text() if path.exists() else ""

    def history(self) -> set[str]:
        path = self.host.path(f"{STATE}/upgrade-history")
        return {line.split("\t")[0] for line in path.read_text().splitlines()} if path.exists() else set()

    def readiness(self) -> dict[str, str]:
        rows = json.loads(self.orchestrator("services", "list", "-o", "json").out)
        return {row["service"]: row["readiness"] for row in rows}

    def states(self) -> dict[str, str]:
        return {name: self.host.show(service["unit"]) for name, service in SERVICES.items()}
