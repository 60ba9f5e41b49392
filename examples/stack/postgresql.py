# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the demo's PostgreSQL comes from: the machine, the `pgserver` wheel, or a download of that wheel.

Run as a program it prints the directory of the machine's own binaries, or exits with 1: `make demo`
asks so whether it must install the wheel.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from failure import Failed

PROGRAMS = ("postgres", "initdb", "pg_ctl", "psql", "pg_dump", "pg_restore")
# The last CPython for which the wheel exists: its programs do not care which interpreter fetched them.
WHEEL, WHEEL_PYTHON = "pgserver==0.1.4", "3.12"
# PostgreSQL refuses to run as root.
UNPRIVILEGED = "nobody"


def service_user() -> str | None:
    """Who the services run as; None: whoever runs the demo."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def as_service_user() -> dict[str, Any]:
    """What subprocess needs to start a program as the services' user."""
    if (user := service_user()) is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def runs(program: Path, *arguments: str) -> bool:
    """Whether the services' user can run `program`."""
    try:
        done = subprocess.run(
            [program, *arguments], capture_output=True, cwd="/", check=False, **as_service_user()
        )
    except OSError:
        return False
    return done.returncode == 0


def system_binaries() -> Path | None:
    """The directory of the machine's own PostgreSQL, the newest first."""
    on_path = shutil.which("postgres")
    found = [Path(on_path).resolve().parent] if on_path else []
    installed = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    found += sorted(installed, key=_version, reverse=True)
    return next((directory for directory in found if _complete(directory)), None)


def _version(directory: Path) -> int:
    digits = "".join(filter(str.isdigit, directory.parent.name))
    return int(digits) if digits else 0


def _complete(directory: Path) -> bool:
    return all(os.access(directory / program, os.X_OK) for program in PROGRAMS)


def find_binaries(keep: Path) -> Path:
    """The directory of the PostgreSQL to use; `keep` is where a copy or a download goes. Raises Failed."""
    candidates = (system_binaries, lambda: _complete_copy(keep), _wheel_binaries)
    for candidate in candidates:
        directory = candidate()
        if directory is None:
            continue
        if runs(directory / "postgres", "--version"):
            return directory
        if directory.parent.name == "pginstall" and not directory.is_relative_to(keep):
            return _copy(directory, keep)
    return _download(keep)


def _complete_copy(keep: Path) -> Path | None:
    directory = keep / "pgserver" / "pginstall" / "bin"
    return directory if _complete(directory) else None


def _wheel_binaries() -> Path | None:
    with contextlib.suppress(ImportError):
        if (spec := importlib.util.find_spec("pgserver")) and spec.origin:
            directory = Path(spec.origin).parent / "pginstall" / "bin"
            return directory if _complete(directory) else None
    return None


def _copy(binaries: Path, keep: Path) -> Path:
    """Copy the wheel's programs to where the services' user can reach them (not below a closed home)."""
    package = binaries.parents[1]
    shutil.copytree(package / "pginstall", keep / "pgserver" / "pginstall", symlinks=True, dirs_exist_ok=True)
    libraries = package.with_name("pgserver.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, keep / "pgserver.libs", dirs_exist_ok=True)
    return _require(keep / "pgserver" / "pginstall" / "bin")


def _download(keep: Path) -> Path:
    """Fetch the wheel for another interpreter and unpack its programs."""
    print(f"  this machine has no PostgreSQL: fetching the wheel {WHEEL}", flush=True)
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    argv += ["--only-binary=:all:", "--python-version", WHEEL_PYTHON, "--dest", str(keep), WHEEL]
    keep.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    wheels = list(keep.glob("pgserver-*.whl"))
    if done.returncode != 0 or not wheels:
        reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise Failed(
            f"there is no PostgreSQL on this machine, and the wheel {WHEEL} cannot be had ({reason}).\n"
            "Install the distribution's PostgreSQL server package, then run the demo again."
        )
    with zipfile.ZipFile(wheels[0]) as archive:
        _unpack(archive, keep)
    wheels[0].unlink()
    return _require(keep / "pgserver" / "pginstall" / "bin")


def _unpack(archive: zipfile.ZipFile, target: Path) -> None:
    """Extract the programs with the permissions that the archive records; zipfile alone drops them."""
    for member in archive.infolist():
        if member.filename.startswith(("pgserver/pginstall/", "pgserver.libs/")):
            path = Path(archive.extract(member, target))
            if mode := member.external_attr >> 16 & 0o777:
                path.chmod(mode)


def _require(directory: Path) -> Path:
    if not runs(directory / "postgres", "--version"):
        raise Failed(f"{directory}/postgres cannot be run by {service_user() or 'this user'}")
    return directory


if __name__ == "__main__":
    binaries = system_binaries()
    if binaries is None:
        sys.exit(1)
    print(binaries)
