# SPDX-License-Identifier: GPL-3.0-or-later
"""A small product to upgrade: configuration, scripts and state in one directory, and the real command line."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """How a command ended, with what it printed."""

    code: int
    out: str
    err: str

    def expect(self, code: int) -> "Outcome":
        assert self.code == code, (
            f"exit {self.code}, expected {code}\n--- out\n{self.out}\n--- err\n{self.err}"
        )
        return self

    def events(self) -> list[dict[str, Any]]:
        """What `--output json` printed, line by line."""
        return [json.loads(line) for line in self.out.splitlines()]

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Product:
    """`directory` holds orchestrator.yaml, scripts/, state/ and log/. Steps write to `trace` what they did."""

    directory: Path
    config: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config = {
            "product": {"name": "Toy", "version": "2.0"},
            "state_dir": "state",
            "log_dir": "log",
            "scripts": ["scripts"],
            "phases": [str(ROOT / "phases")],
            **self.config,
        }
        for kind in ("check", "default", "upgrade"):
            (self.directory / "scripts" / kind).mkdir(parents=True, exist_ok=True)
        self.save()

    @property
    def file(self) -> Path:
        return self.directory / "orchestrator.yaml"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def trace(self) -> Path:
        return self.directory / "trace"

    def save(self) -> None:
        self.file.write_text(yaml.safe_dump(self.config))

    def step(self, path: str, body: str = "", header: str = "", shell: str = "/bin/sh") -> Path:
        """A step at `path` (`upgrade/0120_x.sh`) that leaves its number in the trace and then runs `body`."""
        file = self.directory / "scripts" / path
        number = file.name[:4]
        lines = [f"#!{shell}", f"#name: Step {number}", f"#description: Test step {number}."]
        lines += [header] if header else []
        lines += [f"echo {number} >>{self.trace}", body]
        # A new file by rename, as package managers do: a step that runs is not changed under its feet.
        new = file.with_name(f".{file.name}.new")
        new.write_text("\n".join(lines) + "\n")
        new.chmod(0o755)
        new.replace(file)
        return file

    def ran(self) -> list[str]:
        """The numbers of the steps that were started, in order."""
        return self.trace.read_text().split() if self.trace.exists() else []

    def history(self) -> dict[str, str]:
        """Names in the history file, each with its status."""
        path = self.state / "upgrade-history"
        if not path.exists():
            return {}
        rows = [
            line.split("\t") for line in path.read_text().splitlines() if line and not line.startswith("#")
        ]
        return {row[0]: row[3].removeprefix("status=") if len(row) > 3 else "" for row in rows}

    def journal(self, run: int = -1) -> list[dict[str, Any]]:
        runs = sorted((self.state / "runs").iterdir())
        lines = (runs[run] / "journal.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "orchestrator", *words]

    def environment(self, **extra: str) -> dict[str, str]:
        return {**os.environ, "ORCHESTRATOR_CONFIG": str(self.file), "PYTHONPATH": str(ROOT), **extra}

    def run(
        self,
        *words: str,
        wrapper: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
        **options: Any,
    ) -> Outcome:
        """Run a command to its end, no terminal, no input."""
        options.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run(
            [*wrapper, *self.argv(*words)],
            env=self.environment(**(env or {})),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            **options,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str, wrapper: Sequence[str] = (), **options: Any) -> subprocess.Popen[str]:
        """Start a command in a session of its own, output captured."""
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(
            [*wrapper, *self.argv(*words)],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
            **options,
        )


def process_service(tier: str, port: int, **more: Any) -> dict[str, Any]:
    """A service of the `process` manager: a web server on `port` that is ready when it answers."""
    return {
        "tier": tier,
        "manager": "process",
        "command": [
            sys.executable,
            "-S",
            "-m",
            "http.server",
            str(port),
            "--bind",
            "127.0.0.1",
            "-d",
            "/usr",
        ],
        "ports": [port],
        "ready": [{"tcp": f"127.0.0.1:{port}"}],
        **more,
    }
