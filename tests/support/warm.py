# SPDX-License-Identifier: GPL-3.0-or-later
"""The program, loaded once: each command runs in a fork of a process that has imported everything it may need.

    with warm_program() as program:
        code, said = program.run(["repository", "list"], environment, cwd)

A guide has some fifty commands; to start Python for each would take most of their time.
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

_REPOSITORY = Path(__file__).resolve().parents[2]
_LOADED = (
    "alembic.command",
    "orchestrator.cli.export_wording",
    "orchestrator.cli.import_wording",
    "orchestrator.cli.mirror_views",
    "orchestrator.config.load",
    "orchestrator.content.adopting",
    "orchestrator.content.catalog.database",
    "orchestrator.content.catalog.upgrading",
    "orchestrator.content.declaration.applying",
    "orchestrator.content.exports.iso_writer",
    "orchestrator.content.exports.running",
    "orchestrator.content.formats.deb.driver",
    "orchestrator.content.formats.file.driver",
    "orchestrator.content.formats.rpm.driver",
    "orchestrator.content.imports.running",
    "orchestrator.content.signatures",
    "orchestrator.content.syncing",
    "orchestrator.content.transfer.engine",
    "rich.console",
    "rich.table",
)


@dataclass(frozen=True)
class WarmProgram:
    process: "subprocess.Popen[str]"
    place: Path

    def run(
        self, words: Sequence[str], environment: Mapping[str, str], cwd: Path, stdout: Path | None = None
    ) -> tuple[int, str]:
        """Exit status, and what it writes; without its standard output, where that goes to a file."""
        output = self.place / "output"
        asked = {
            "words": list(words),
            "environment": dict(environment),
            "cwd": str(cwd),
            "output": str(output),
            "stdout": str(stdout or ""),
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline()), output.read_text()


@contextlib.contextmanager
def warm_program() -> Iterator[WarmProgram]:
    command = [sys.executable, "-m", "tests.support.warm"]
    with (
        TemporaryDirectory() as place,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_REPOSITORY
        ) as process,
    ):
        yield WarmProgram(process, Path(place))
        assert process.stdin is not None
        process.stdin.close()


def _serve() -> None:
    from orchestrator.cli.app import COMMANDS

    for name in (*(f"orchestrator.cli.{module}" for module in COMMANDS.values()), *_LOADED):
        importlib.import_module(name)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(asked)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _become(asked: Mapping[str, object]) -> None:
    """Be the program with these words; does not return."""
    from orchestrator.cli.app import main

    os.chdir(str(asked["cwd"]))
    os.environ.clear()
    os.environ.update(asked["environment"])  # type: ignore[call-overload]
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(str(asked["output"]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    to = asked["stdout"]
    stdout = os.open(str(to), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644) if to else output
    for place, descriptor in enumerate((nothing, stdout, output)):
        os.dup2(descriptor, place)
    sys.argv = ["orchestrator", *asked["words"]]  # type: ignore[misc]
    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
