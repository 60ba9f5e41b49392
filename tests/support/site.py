# SPDX-License-Identifier: GPL-3.0-or-later
"""A mirrors.yaml of any sources, the mirrors made of it, served to real clients.

site = Site(tmp_path / "site", [deb_source("up", upstream_url, ["stable main"], key())])
site.clone()
with site.served() as url:
    apt = AptClient(tmp_path / "client", site.client_config("up", url))
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from orchestrator import content
from orchestrator.content.outcome import Outcome
from orchestrator.errors import ExitCode
from tests.support.openpgp import Key
from tests.support.static_server import static_server

# Quick to give up, and quick to try again.
_QUICK = {
    "destination": "content",
    "retries": 3,
    "retry_delay": "10ms",
    "stall_timeout": "2s",
    "connect_timeout": "2s",
    "connections": 4,
    "threads": 2,
}


def deb_source(name: str, url: str, repositories: Sequence[str], key: Key | None, **more: Any) -> Any:
    return _source("deb", name, url, repositories, key) | {"architectures": ["amd64"]} | more


def rpm_source(name: str, url: str, repositories: Sequence[str], key: Key | None, **more: Any) -> Any:
    return _source("rpm", name, url, repositories, key) | more


def _source(kind: str, name: str, url: str, repositories: Sequence[str], key: Key | None) -> dict[str, Any]:
    trust: dict[str, Any] = {"keys": [str(key.public_file)]} if key else {"unsigned": True}
    return {"name": name, "type": kind, "baseurl": url, "repositories": list(repositories)} | trust


@dataclass
class Site:
    """`sources` and `common` as they stand in mirrors.yaml, which is written anew for every run. `environment`
    is added to that of commands."""

    place: Path
    sources: Sequence[dict[str, Any]]
    common: dict[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.place / "mirrors.yaml"

    @property
    def root(self) -> Path:
        return self.place / "content"

    def published(self, name: str) -> Path:
        return self.root / "published" / name

    def configure(self) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        document = {"common": _QUICK | self.common, "sources": list(self.sources)}
        self.config.write_text(yaml.safe_dump(document))

    def clone(self, *names: str, code: int = 0, **wish: Any) -> list[Outcome]:
        """One run, through the library; all together must end with `code`."""
        self.configure()
        mirrors = content.load_mirrors(self.config)
        with content.Engine(mirrors) as engine:
            outcomes = content.clone(engine, mirrors.sources, names, content.Wish(**wish))
        assert content.exit_code_of(outcomes) is ExitCode(code), [each.to_json() for each in outcomes]
        return outcomes

    def command(self, *words: str) -> list[str]:
        """The command line; `--config` behind the subcommand."""
        return [
            sys.executable,
            "-m",
            "orchestrator",
            "mirror",
            words[0],
            "--config",
            str(self.config),
            *words[1:],
        ]

    def environ(self, **more: str) -> dict[str, str]:
        return {**os.environ, "NO_COLOR": "1", "COLUMNS": "80", **self.environment, **more}

    def run(self, *words: str, inside: Sequence[str] = ()) -> "subprocess.CompletedProcess[str]":
        """A run of the command line, whatever becomes of it; `inside` what it is put behind (ip netns exec ...)."""
        self.configure()
        return subprocess.run(
            [*inside, *self.command(*words)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd=Path.cwd(),
            env=self.environ(),
        )

    def must(self, *words: str, code: int = 0) -> str:
        """What a command writes to its standard output; it must end with `code`, and without a traceback."""
        done = self.run(*words)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout

    def json(self, *words: str, code: int = 0) -> Any:
        """The only document that a command writes."""
        return json.loads(self.must(*words, "--output", "json", code=code))

    def events(self, *words: str, code: int = 0) -> list[dict[str, Any]]:
        """The documents that a command writes, one a line."""
        return [
            json.loads(line) for line in self.must(*words, "--output", "json", code=code).splitlines() if line
        ]

    def client_config(self, name: str, url: str) -> str:
        """What an administrator is told to give to clients of a mirror that is served below `url`."""
        return self.must("client-config", name, "--url", f"{url.rstrip('/')}/{name}")

    @contextlib.contextmanager
    def served(self) -> Iterator[str]:
        """All mirrors on loopback; the address they are below."""
        with static_server(self.root / "published") as server:
            yield server.url
