# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's own packages, built once for all tests and workers of a user, and again when the checkout changes.

    deb, rpm = built_packages().deb, built_packages().rpm
    host.run(["dpkg", "-i", host.given(deb)])

They hold what the checkout holds now, for the distribution's interpreter, lightly compressed. A directory below /tmp
keeps the last builds and the vendored dependencies, which most changes leave as they are.
"""

import fcntl
import functools
import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.requirements import require

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path("/usr/bin/python3")
_PLACE = Path(tempfile.gettempdir()) / f"orchestrator-packages-{os.geteuid()}"
_STALE = 3600.0  # seconds since a build was last used
_VENDORED = ("constraints.txt", "packaging/builder/vendor.py", "packaging/builder/layout.py")
_ALSO = ("pyproject.toml", "constraints.txt", "LICENSE")


@dataclass(frozen=True, slots=True)
class Built:
    """Both packages of one build, and the version they have as packages."""

    deb: Path
    rpm: Path
    version: str


def part(name: str) -> Any:
    """A module of packaging/: `part("builder.layout")`."""
    place = str(ROOT / "packaging")
    if place not in sys.path:
        sys.path.append(place)
    return importlib.import_module(name)


@functools.cache
def built_packages(version: str | None = None) -> Built:
    """Build them, or find them built. `version`: the same content as another, mostly a later, version."""
    for program in ("dpkg-deb", "rpmbuild"):
        require(shutil.which(program) is not None, f"{program} is not installed")
    asked = "import sys; sys.exit(sys.version_info < (3, 11))"
    modern = PYTHON.exists() and not subprocess.run([PYTHON, "-c", asked], check=False).returncode
    require(modern, f"{PYTHON} is not 3.11 or newer")
    _make_place()
    home = _PLACE / _digest(_inputs(), version or "")
    with _lock():
        if not home.is_dir():
            _remove_stale()
            _build(home, version)
        os.utime(home)
    (deb,), (rpm,) = home.glob("*.deb"), home.glob("*.rpm")
    return Built(deb, rpm, deb.name.split("_")[1])


def _make_place() -> None:
    _PLACE.mkdir(mode=0o700, exist_ok=True)
    assert _PLACE.stat().st_uid == os.geteuid(), f"{_PLACE} is somebody else's"


@contextmanager
def _lock() -> Iterator[None]:
    with (_PLACE / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(home: Path, version: str | None) -> None:
    declared = part("builder.vendor").requirements(ROOT)
    dependencies = _PLACE / f"dependencies-{_digest([ROOT / name for name in _VENDORED], str(declared))}"
    with tempfile.TemporaryDirectory(prefix="build-", dir=_PLACE) as scratch:
        words = [
            sys.executable,
            str(ROOT / "packaging" / "build.py"),
            "--interpreter",
            str(PYTHON),
            "--level",
            "1",
        ]
        words += ["--out", f"{scratch}/out", "--dependencies", str(dependencies)]
        words += ["--package-version", version] if version else []
        # A fixed time: a commit that changes nothing of this would make other packages.
        environment = {
            **os.environ,
            "TMPDIR": str(_PLACE),
            "PYTHONPATH": "",
            "SOURCE_DATE_EPOCH": "1767225600",
        }
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        os.rename(f"{scratch}/out", home)
    os.utime(dependencies)


def _inputs() -> list[Path]:
    return [*(ROOT / file for file in part("builder.checkout").files()), *(ROOT / name for name in _ALSO)]


def _digest(files: list[Path], more: str) -> str:
    total = hashlib.sha256(f"{more} {sys.version} {PYTHON.resolve()}".encode())
    for path in files:
        total.update(f"\0{path}\0{path.stat().st_mode}\0".encode() + path.read_bytes())
    return total.hexdigest()[:24]


def _remove_stale() -> None:
    for path in _PLACE.iterdir():
        if path.is_dir() and path.stat().st_mtime < time.time() - _STALE:
            shutil.rmtree(path, ignore_errors=True)
