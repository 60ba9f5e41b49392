# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers of a `real_media.Chain`, worked by the command line."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.export_site import copy_tree
from tests.support.product import ROOT
from tests.support.real_media import Chain
from tests.support.warm import WarmProgram

CHUNK_SIZES = {"dir": [], "tar": ["120000"], "tgz": ["120000"], "iso": ["480000"]}


@dataclass(frozen=True)
class Host:
    """`place` is for one test."""

    chain: Chain
    program: WarmProgram
    place: Path

    def run(self, server: Path, *words: str | Path, **more: str) -> tuple[int, str]:
        """A command on the server in this directory, in a process of its own."""
        return self.program.run([str(word) for word in words], self.environment(server) | more, server)

    def environment(self, server: Path) -> dict[str, str]:
        config = server / "orchestrator.yaml"
        root = server if (server / "pool").exists() else server / "content"
        config.write_text(
            f"content: {{root: {root}, exports: {server}/exports, organization: acme,"
            f" trusted_keys: {server}/trusted}}\n"
        )
        return {"ORCHESTRATOR_CONFIG": str(config), "PATH": os.environ["PATH"], "NO_COLOR": "1"}

    def start(
        self, server: Path, *words: str | Path, wrapper: Sequence[str] = (), program: Sequence[str] = ()
    ) -> tuple[int, str]:
        """The same in a process that is started anew."""
        environment = self.environment(server) | {"PYTHONPATH": str(ROOT)}
        argv = [*wrapper, *(program or [sys.executable, "-m", "orchestrator"]), *map(str, words)]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def sender(self, place: Path) -> Path:
        copy_tree(self.chain.place / "sender", place)
        shutil.rmtree(place / "exports")
        return place

    def receiver(self, place: Path) -> Path:
        copy_tree(self.chain.place / "receiver", place)
        return place

    def media(self, format_: str) -> list[Path]:
        return self.chain.media(format_)


def words_of(format_: str) -> list[str]:
    size = CHUNK_SIZES[format_]
    return ["export", "complete", "library", "--format", format_, *(["--chunk-size", *size] if size else [])]
