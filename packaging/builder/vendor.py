# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python dependencies that travel in the packages: wheels, without what only a developer or pip needs.

pip runs under the interpreter that the packages are for, so that it picks the wheels for its ABI; it need not have
a pip of its own. What pip notes of where and how it installed is removed: the tree is the same wherever it is made.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from builder.layout import LIBRARY

_UNNEEDED = re.compile(
    r"""
    bin/ |                                                              # console scripts of dependencies
    [^/]+\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json|entry_points\.txt|sboms/) |
    .*/(tests?|testing)/ |
    .*\.(pyi|pyx|pxd|pyc|h|c)$ |
    zstandard/_cffi\.                                                   # for PyPy
    """,
    re.VERBOSE,
)


class BuildError(Exception):
    """The packages cannot be made; the text says why."""


def is_needed(path: PurePosixPath) -> bool:
    """Whether an installed orchestrator uses this file of the dependencies. `path`: relative to their directory."""
    return not _UNNEEDED.match(str(path))


def requirements(checkout: Path) -> list[str]:
    declared: list[str] = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["dependencies"]
    return declared


def vendor(checkout: Path, interpreter: Path, target: Path) -> None:
    """Install the dependencies into `target`, which must not exist, prune and byte-compile them. Raises BuildError."""
    run(
        [
            *(sys.executable, "-m", "pip", "--python", str(interpreter)),
            *(
                "--disable-pip-version-check",
                "--no-input",
                "install",
                "--quiet",
                "--root-user-action",
                "ignore",
            ),
            *("--no-compile", "--only-binary", ":all:", "--target", str(target)),
            *("--constraint", str(checkout / "constraints.txt"), *requirements(checkout)),
        ]
    )
    for path in _files(target):
        if not is_needed(PurePosixPath(path.relative_to(target))):
            path.unlink()
    for directory, _, _ in os.walk(target, topdown=False):
        if not os.listdir(directory):
            os.rmdir(directory)
    compile_below(interpreter, target)


def compile_below(interpreter: Path, directory: Path) -> None:
    """Byte-compile a part of the library that nobody edits: the same bytes every time, and no look at the source."""
    place = f"/{LIBRARY}" if directory.name != "orchestrator" else f"/{LIBRARY}/orchestrator"
    run(
        [
            *(
                str(interpreter),
                "-I",
                "-m",
                "compileall",
                "-q",
                "-j",
                "2",
                "--invalidation-mode",
                "unchecked-hash",
            ),
            *("-s", str(directory), "-p", place, str(directory)),
        ]
    )


def oldest_glibc(directory: Path) -> str:
    """The oldest GNU C library that all extension modules below `directory` run with, like 2.28."""
    needed = {(2, 17)}
    for path in _files(directory):
        if ".so" in path.suffixes:
            found = re.findall(rb"GLIBC_(\d+)\.(\d+)", path.read_bytes())
            needed |= {(int(major), int(minor)) for major, minor in found}
    major, minor = max(needed)
    return f"{major}.{minor}"


def licences(directory: Path) -> list[str]:
    """A line for each dependency: name, version, licence as its own metadata gives it."""
    lines = []
    for path in sorted(directory.glob("*.dist-info/METADATA")):
        head = path.read_text(errors="replace").partition("\n\n")[0]
        fields = dict(re.findall(r"^([A-Za-z-]+): (.+)$", head, re.MULTILINE))
        classified = re.findall(r"^Classifier: License :: (?:OSI Approved :: )?(.+)$", head, re.MULTILINE)
        licence = fields.get("License-Expression") or fields.get("License") or ", ".join(classified)
        lines.append(f"{fields['Name']} {fields['Version']}: {licence or 'see its files'}")
    return lines


def run(argv: list[str], environment: dict[str, str] | None = None) -> str:
    """The output of a program that must succeed. Raises BuildError with what it said."""
    if not shutil.which(argv[0]):
        raise BuildError(f"{argv[0]} is not installed")
    done = subprocess.run(
        argv,
        env=os.environ | (environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _files(directory: Path) -> Iterator[Path]:
    return (path for path in directory.rglob("*") if not path.is_dir())
