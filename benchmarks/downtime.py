# SPDX-License-Identifier: GPL-3.0-or-later
"""Downtime that the runner adds to what it must wait for, on the stack of examples/stack.

The downtime of an upgrade is, in its journal, from the debt that precedes the first stop to the last service that
is ready. What is not the runner's doing is taken off:

* the seconds of the steps in between, as the shim measured them;
* the services' own time: after the upgrades the same stack is stopped and started without the runner, by the
  commands and signals of its configuration, in the same order and with the same side by side (web; PostgreSQL and
  search together; web again), and looked at every 5 ms with plain sockets: a stop ends when the process is
  gone, a start when the service answers as its probe demands.

What is left is what the runner costs: looking at services, waiting between looks, journaling, starting steps.
"""

import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from measuring import ROOT, Patience, environment, orchestrator, timed
from product import Product, journals
from table import Row

from orchestrator.config import model
from orchestrator.config.load import load_config
from orchestrator.host.processes import clean_environment, demotion

TO_REACH = 1.0
STACK = ROOT / "examples" / "stack"
_LOOK_EVERY = 0.005


@dataclass(frozen=True, slots=True)
class _Interval:
    """One upgrade's downtime and, of that, the steps' own time, in seconds."""

    downtime: float
    steps: float


def measure(
    product: Product, *, books: int, load_seconds: float, times: int, patience: Patience
) -> list[Row]:
    """One upgrade from version 1 to 2 with its migrations, then `times` more, whose default steps need the same stops."""
    what = "downtime, demo stack: first stop to all ready, and what the runner adds"
    if not _has_postgresql():
        return [Row(what, "not measured: there is no PostgreSQL on this machine")]
    stack = _Stack(product, ["--books", str(books), "--load-seconds", f"{load_seconds:g}"])
    try:
        stack.demo("up")
        stack.demo("switch")
        intervals = []
        for _ in range(times + 1):
            patience.wait()
            timed(orchestrator("upgrade", "-y", "--accept", "3030"), stack.env)
            intervals.append(_interval(journals(stack.directory / "orchestrator" / "state")[-1]))
        timed(orchestrator("services", "stop"), stack.env)
        own = _own_time(load_config(stack.config), times, patience)
    finally:
        stack.demo("clean")
    return [
        _row(what, intervals[:1], own, "the upgrade"),
        _row(what, intervals[1:], own, "default steps only"),
    ]


def _row(what: str, intervals: Sequence[_Interval], own: float, which: str) -> Row:
    downtime = median(interval.downtime for interval in intervals)
    steps = median(interval.steps for interval in intervals)
    added = median(interval.downtime - interval.steps for interval in intervals) - own
    return Row(
        f"{what}; {which}",
        f"{downtime:.2f} s",
        f"services {own:.2f} s, steps {steps:.2f} s",
        f"{added:.2f} s",
        f"under {TO_REACH:g} s",
        added < TO_REACH,
    )


def _has_postgresql() -> bool:
    own = subprocess.run([sys.executable, str(STACK / "postgresql.py")], capture_output=True, check=False)
    wheel = subprocess.run([sys.executable, "-c", "import pgserver"], capture_output=True, check=False)
    return own.returncode == 0 or wheel.returncode == 0


@dataclass(frozen=True, slots=True)
class _Stack:
    product: Product
    options: Sequence[str]

    @property
    def directory(self) -> Path:
        return self.product.directory

    @property
    def config(self) -> Path:
        return self.directory / "etc" / "orchestrator.yaml"

    @property
    def env(self) -> dict[str, str]:
        return environment(self.product.home, ORCHESTRATOR_CONFIG=str(self.config))

    def demo(self, command: str) -> None:
        """One command of the demo. Raises RuntimeError with what it said."""
        argv = [sys.executable, str(STACK / "demo.py"), command, "--directory", str(self.directory)]
        done = subprocess.run(
            [*argv, *self.options],
            env=environment(self.product.home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"demo.py {command} failed:\n{done.stdout}")


def _interval(journal: Path) -> _Interval:
    events: list[dict[str, Any]] = [json.loads(line) for line in journal.read_text().splitlines()]
    first = next(event["mono"] for event in events if event["event"] == "debt" and event["kind"] == "stopped")
    last = max(event["mono"] for event in events if event["event"] == "service-ready")
    steps = sum(
        event["seconds"]
        for event in events
        if event["event"] == "step-ended" and first <= event["mono"] <= last
    )
    return _Interval(last - first, steps)


# Without the runner -------------------------------------------------------------------------------


def _own_time(config: model.Config, times: int, patience: Patience) -> float:
    """Seconds that the services need by themselves to stop and to start again, in the order of an upgrade."""
    services = {name: _Service(name, spec) for name, spec in config.services.items()}
    stages = _stages(config)
    rounds: list[float] = []
    for _ in range(max(times, 1)):
        patience.wait()
        up = [_side_by_side([services[name].start for name in stage]) for stage in stages]
        down = [_side_by_side([services[name].stop for name in stage]) for stage in reversed(stages)]
        rounds.append(sum(up) + sum(down))
    return median(rounds)


def _stages(config: model.Config) -> list[list[str]]:
    """Backends, then applications: enough for this stack, where nothing else comes after anything."""
    tiers = ("backend", "application")
    return [[name for name, spec in config.services.items() if spec.tier == tier] for tier in tiers]


def _side_by_side(acts: Sequence[Callable[[], None]]) -> float:
    began = time.monotonic()
    with ThreadPoolExecutor(len(acts)) as pool:
        for done in [pool.submit(act) for act in acts]:
            done.result()
    return time.monotonic() - began


class _Service:
    """Stops and starts one service by what its configuration says, and nothing more."""

    def __init__(self, name: str, spec: model.AnyService) -> None:
        self.name = name
        self._spec = spec
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        spec = self._spec
        if isinstance(spec, model.CommandService):
            subprocess.run(spec.start, env=clean_environment(spec.env), check=True, **_silent())
        elif isinstance(spec, model.ProcessService):
            self._process = subprocess.Popen(
                spec.command,
                env=clean_environment(spec.env),
                cwd=spec.cwd,
                start_new_session=True,
                **_silent(),
                **demotion(spec.user, spec.group),
            )
        while not all(_answers(probe) for probe in spec.ready):
            time.sleep(_LOOK_EVERY)

    def stop(self) -> None:
        spec = self._spec
        if isinstance(spec, model.CommandService):
            subprocess.run(spec.stop, env=clean_environment(spec.env), check=True, **_silent())
        elif isinstance(spec, model.ProcessService) and self._process is not None:
            os.killpg(self._process.pid, signal.Signals[f"SIG{spec.stop_signal}"])
            self._process.wait()


def _silent() -> dict[str, Any]:
    return dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)


def _answers(probe: model.AnyProbe) -> bool:
    """One look with a plain socket: what the probes of this stack ask for."""
    try:
        if isinstance(probe, model.PostgresqlProbe):
            return _postgresql_answers(probe)
        if isinstance(probe, model.HttpProbe):
            return _http_answers(probe)
    except OSError:
        return False
    raise TypeError(f"the benchmark knows no {probe.kind} probe")


def _postgresql_answers(probe: model.PostgresqlProbe) -> bool:
    """Whether the server takes a start-up packet of protocol 3.0; `E` is its refusal."""
    words = b"".join(word.encode() + b"\0" for word in ("user", probe.user, "database", probe.database, ""))
    packet = struct.pack("!ii", len(words) + 8, 3 << 16) + words
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(probe.timeout)
        connection.connect(f"{probe.host}/.s.PGSQL.{probe.port}")
        connection.sendall(packet)
        return connection.recv(1) == b"R"


def _http_answers(probe: model.HttpProbe) -> bool:
    url = urlsplit(probe.url)
    with socket.create_connection((url.hostname, url.port or 80), probe.timeout) as connection:
        request = f"GET {url.path or '/'} HTTP/1.0\r\nHost: {url.netloc}\r\n\r\n"
        connection.sendall(request.encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    status = re.match(rb"HTTP/1\.[01] (\d+)", answer)
    if status is None or int(status[1]) not in probe.status:
        return False
    wanted = probe.json_values
    body = json.loads(answer.partition(b"\r\n\r\n")[2]) if wanted else {}
    return all(body.get(key) in values for key, values in wanted.items())
