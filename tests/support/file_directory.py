# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories of files with a PULP_MANIFEST, written as Pulp's own tool writes it; and what a client fetches."""

import hashlib
import itertools
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.requirements import require

_CHANGES = itertools.count()


@dataclass
class FileDirectory:
    root: Path

    def write(self, files: Mapping[str, bytes]) -> None:
        """With just these files, by their paths."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        for path, data in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_bytes(data)
        self.list(files)

    def list(self, files: Mapping[str, bytes]) -> None:
        lines = [f"{path},{hashlib.sha256(data).hexdigest()},{len(data)}\n" for path, data in files.items()]
        path = self.root / "PULP_MANIFEST"
        path.write_text("".join(lines))
        # Servers tell the time of a change in whole seconds.
        os.utime(path, (0, 1_700_000_000 + next(_CHANGES)))


def run(place: Path, script: str) -> "subprocess.CompletedProcess[str]":
    """What comes of a client's script, in its directory."""
    for tool in ("curl", "sha256sum"):
        require(shutil.which(tool) is not None, tool)
    place.mkdir(parents=True, exist_ok=True)
    (place / "fetch.sh").write_text(script)
    return subprocess.run(["sh", "fetch.sh"], cwd=place, capture_output=True, text=True, check=False)


def fetch(place: Path, script: str) -> dict[str, bytes]:
    """The files that the script brings, by path."""
    done = run(place, script)
    assert done.returncode == 0, done.stdout + done.stderr
    return {
        str(path.relative_to(place)): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file() and path.name not in ("PULP_MANIFEST", "fetch.sh")
    }
