# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of the checkout: which files it has, the version of the program, when it was last changed."""

import os
import subprocess
from pathlib import Path, PurePosixPath

CHECKOUT = Path(__file__).resolve().parents[2]
_PARTS = ("orchestrator", "phases", "scripts.d", "man", "docs", "examples", "packaging")
_TOP_FILES = ("README.md", "CHANGELOG.md")
# As good as any, where nobody says when.
_SOME_DAY = 1_767_225_600


def files() -> list[PurePosixPath]:
    """Every file that may be of use, relative to the checkout."""
    found = [path for part in _PARTS for path in (CHECKOUT / part).rglob("*") if path.is_file()]
    found += [CHECKOUT / name for name in _TOP_FILES]
    return sorted(
        PurePosixPath(path.relative_to(CHECKOUT)) for path in found if "__pycache__" not in path.parts
    )


def program_version() -> str:
    text = (CHECKOUT / "orchestrator" / "__init__.py").read_text()
    return text.partition('__version__ = "')[2].partition('"')[0]


def last_change() -> int:
    """Seconds since the epoch: SOURCE_DATE_EPOCH, else the last commit, else some day."""
    if told := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(told)
    words = ["git", "-C", str(CHECKOUT), "log", "-1", "--format=%ct"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError:
        return _SOME_DAY
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip() else _SOME_DAY
