# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of every manager for tests: the small service program under it, and an end to all of it.

A `Workshop` makes them for one manager. What it made is killed and removed when the test is over.
"""

import contextlib
import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import TypeAdapter

from orchestrator.config import model
from orchestrator.host import facts
from orchestrator.host.facts import ProcessId
from orchestrator.services.controlled import ControlledService
from orchestrator.services.managers import make_manager
from orchestrator.services.service import Activity, Manager, Places
from tests.support import service_program
from tests.support.servers import free_port, wait_until

PROGRAM = (sys.executable, str(Path(service_program.__file__)))


def service_spec(**options: Any) -> model.AnyService:
    """A service as it would come from a configuration file."""
    adapter: TypeAdapter[model.AnyService] = TypeAdapter(model.ServiceSpec)
    return adapter.validate_python({"tier": "backend", **options})


@dataclass
class Service:
    """One service under test."""

    name: str
    spec: model.AnyService
    places: Places
    port: int

    @property
    def manager(self) -> Manager:
        """Another object each time, as each run of the program has its own."""
        return make_manager(self.name, self.spec, self.places)

    @property
    def controlled(self) -> ControlledService:
        return ControlledService(self.name, self.spec, self.places)

    def wait_for(self, activity: Activity) -> None:
        wait_until(lambda: self.manager.condition().activity is activity, f"{self.name} is {activity}")

    def wait_until_listening(self) -> None:
        wait_until(lambda: bool(facts.listeners([self.port])), f"{self.name} listens")

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.manager.start()
        self.wait_until_listening()
        self.wait_for(Activity.RUNNING)

    def crash(self) -> None:
        """Kill its main process without a word."""
        pid = self.manager.condition().pid
        assert pid is not None
        main = facts.identify(pid)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: main is None or not facts.is_running(main), f"{self.name} is killed")


@dataclass
class Workshop(ABC):
    """Makes services under one manager. Subclasses know how to introduce one to it."""

    directory: Path
    made: list[Service] = field(default_factory=list)
    kills_what_stays: ClassVar[bool] = True

    def make(self, *options: str, name: str = "app", **more: Any) -> Service:
        """A service whose program gets `options`; `more` goes into its configuration."""
        port = free_port()
        places = Places(self.directory / "state", self.directory / "logs")
        probes = [{"tcp": f"127.0.0.1:{port}"}]
        settings = {"ports": [port], "ready": probes, "stop_timeout": 10, "ready_timeout": 10, **more}
        service = Service(name, self.introduce(name, ["--port", str(port), *options], settings), places, port)
        self.made.append(service)
        return service

    @abstractmethod
    def introduce(self, name: str, arguments: list[str], settings: Mapping[str, Any]) -> model.AnyService:
        """Make the manager know a service; its configuration."""

    def clean_up(self) -> None:
        """Nothing that a test started may stay."""
        for service in self.made:
            kill_all(process.pid for process in service.controlled.family())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clean_up()


def kill_all(pids: Iterator[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class ProcessWorkshop(Workshop):
    def introduce(self, name: str, arguments: list[str], settings: Mapping[str, Any]) -> model.AnyService:
        return service_spec(manager="process", command=[*PROGRAM, "run", *arguments], **settings)


class CommandWorkshop(Workshop):
    kills_what_stays = False

    def introduce(self, name: str, arguments: list[str], settings: Mapping[str, Any]) -> model.AnyService:
        pid_file = str(self.directory / f"{name}.pid")
        verbs = {verb: [*PROGRAM, verb, "--pid-file", pid_file] for verb in ("start", "stop", "status")}
        verbs["start"] += arguments
        return service_spec(manager="command", pid_file=pid_file, **verbs, **settings)


class SupervisorWorkshop(Workshop):
    """A supervisord of its own, started with the first service."""

    def introduce(self, name: str, arguments: list[str], settings: Mapping[str, Any]) -> model.AnyService:
        command = " ".join([*PROGRAM, "run", *arguments])
        stop_wait = max(1, int(settings["stop_timeout"]) - 1)
        self.config.write_text(f"""
[unix_http_server]
file={self.directory}/supervisor.sock
[supervisord]
logfile={self.directory}/supervisord.log
pidfile={self.directory}/supervisord.pid
childlogdir={self.directory}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{self.directory}/supervisor.sock
[program:{name}]
command={command}
autostart=false
autorestart={settings.get("autorestart", "false")}
startsecs={settings.get("startsecs", 0)}
startretries=1
stopwaitsecs={stop_wait}
killasgroup=true
""")
        if not self.made:
            subprocess.run(["supervisord", "-c", self.config], check=True, capture_output=True)
        kept = {key: value for key, value in settings.items() if key not in ("autorestart", "startsecs")}
        return service_spec(manager="supervisor", program=name, config=str(self.config), **kept)

    @property
    def config(self) -> Path:
        return self.directory / "supervisord.conf"

    def clean_up(self) -> None:
        subprocess.run(["supervisorctl", "-c", self.config, "shutdown"], check=False, capture_output=True)
        super().clean_up()


def living(processes: set[ProcessId]) -> set[ProcessId]:
    return {process for process in processes if facts.is_running(process)}
