# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else's repositories: those of the project that makes Bookshelf's reader, one for Debian and one for Rocky.

Made by `orchestrator mirror create`, signed, and served on loopback, as a project would serve them on the web.
"""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import packages
from failure import Failed
from packages import Package

NEEDED = "bookshelf-reader"
OFFERED = (
    Package(NEEDED, "1.4", "Read books on a reading terminal", {"libshelf": ""}),
    Package(NEEDED, "2.0", "Read books on a reading terminal", {"libshelf": "2.1", "reader-fonts": ""}),
    Package("libshelf", "2.3", "Talk to Bookshelf", {}),
    Package("reader-fonts", "1.0", "Letters for tired eyes", {}),
    Package("reader-games", "3.0", "For long winter evenings", {"libshelf": ""}),
    Package("reader-doc", "2.0", "The manual", {}),
)
# What the project releases while we upgrade.
RELEASED = Package("libshelf", "2.4", "Talk to Bookshelf", {})
PATIENCE = 10.0


def create(directory: Path, orchestrator: Sequence[str], config: Path) -> None:
    """The two repositories below the new `directory`, signed with a new key; its public half is project.key.asc.

    `orchestrator` is how to run it, `config` any mirrors.yaml. Raises Failed.
    """
    directory.mkdir()
    make_key(directory / "project.key", "The Reader Project <reader@example.org>")
    release(directory, OFFERED, orchestrator, config)


def release(directory: Path, offered: Sequence[Package], orchestrator: Sequence[str], config: Path) -> None:
    """Add packages to both repositories. Raises Failed."""
    for kind, build in (("deb", packages.deb), ("rpm", packages.rpm)):
        place = directory / "built" / kind
        place.mkdir(parents=True, exist_ok=True)
        for package in offered:
            name, data = build(package)
            (place / name).write_bytes(data)
        options = ["--sign-with", str(directory / "project.key")]
        options += ["--config", str(config), "--destination", str(directory)]
        done = subprocess.run(
            [*orchestrator, "mirror", "create", f"reader-{kind}", str(place), *options],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Failed(f"`orchestrator mirror create reader-{kind}`: {done.stderr or done.stdout}")


def make_key(path: Path, owner: str) -> None:
    """A new OpenPGP key: the secret half in `path`, the public one in `path`.asc."""
    import pysequoia

    key = pysequoia.Tsk.generate(owner)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as stream:
        stream.write(bytes(key))
    path.with_name(f"{path.name}.asc").write_text(str(key.extract_certificate()))


def serve(directory: Path, port: int, demotion: Mapping[str, Any], python: str) -> None:
    """Serve what is published below `directory`, until somebody ends the process. Raises Failed."""
    served = str(directory / "published")
    argv = [python, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", served]
    with (directory / "http.log").open("ab") as log:
        server = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **demotion
        )
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            urlopen(f"http://127.0.0.1:{port}/", timeout=1).close()
        except (URLError, OSError):
            if server.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"the server of the reader's packages does not start: see {log.name}") from None
            time.sleep(0.02)
        else:
            return
