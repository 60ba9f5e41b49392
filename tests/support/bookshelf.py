# SPDX-License-Identifier: GPL-3.0-or-later
"""The stack of examples/stack in a directory of its own: started, upgraded and asked from tests."""

import importlib.util
import json
import os
import pwd
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

CHECKOUT = Path(__file__).resolve().parents[2]
DEMO = CHECKOUT / "examples" / "stack" / "demo.py"
# Short, so that tests are quick; long enough that a port that is open is seen before it is ready.
LOAD_SECONDS = "0.5"


def has_postgresql() -> bool:
    installed = any(Path("/usr/lib/postgresql").glob("*/bin/postgres")) or shutil.which("postgres")
    return bool(installed) or importlib.util.find_spec("pgserver") is not None


@dataclass(frozen=True)
class Bookshelf:
    """`demotion`: what subprocess needs to run its commands as another user."""

    directory: Path
    demotion: Mapping[str, Any] = field(default_factory=dict)

    def demo(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        options = ["--directory", str(self.directory), "--books", "2000", "--load-seconds", LOAD_SECONDS]
        return self.run(sys.executable, str(DEMO), *arguments, *options)

    def orchestrator(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "orchestrator", *arguments)

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        config = str(self.directory / "etc" / "orchestrator.yaml")
        return subprocess.run(
            argv,
            env=os.environ | {"ORCHESTRATOR_CONFIG": config, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=CHECKOUT,
            text=True,
            timeout=200,
            check=False,
            **self.demotion,
        )

    def settings(self) -> dict[str, str]:
        words = shlex.split((self.directory / "etc" / "bookshelf.conf").read_text())
        return dict(word.split("=", 1) for word in words if "=" in word)

    def sql(self, statement: str) -> str:
        """The answer of the database, without heading."""
        settings = self.settings()
        done = subprocess.run(
            [f"{settings['PG_BIN']}/psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement],
            env=settings,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """The status and the document that a reader gets. Raises URLError when nobody listens."""
        try:
            with urlopen(self.settings()["BOOKSHELF_URL"] + path, timeout=10) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)

    def history(self) -> list[str]:
        """The names in the history, in order."""
        path = self.directory / "orchestrator" / "state" / "upgrade-history"
        return [line.split("\t")[0] for line in path.read_text().splitlines() if line and line[0] != "#"]


@contextmanager
def temporary_bookshelf(user: str | None = None) -> Iterator[Bookshelf]:
    """A place for a stack that any user can reach, and nothing of it afterwards."""
    above = Path(tempfile.mkdtemp(prefix="bookshelf-", dir="/var/tmp"))
    above.chmod(0o755)
    demotion = {}
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(above, entry.pw_uid, entry.pw_gid)
        demotion = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    stack = Bookshelf(above / "demo", demotion)
    try:
        yield stack
    finally:
        stack.demo("clean")
        shutil.rmtree(above)
