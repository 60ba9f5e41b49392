# SPDX-License-Identifier: GPL-3.0-or-later
"""`state_dir/status.json`: where a run is now, for `orchestrator status` and `attach` from any shell.

Replaced atomically, never the truth: that is the journal. It is there only while a run is, and a killed runner leaves
it behind: it counts only for the process that it names.
"""

import contextlib
import json
import os
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from orchestrator.host import clock, files
from orchestrator.upgrade.reporter import Progress

FILE_NAME = "status.json"


def write_status(state_dir: Path, progress: Progress) -> None:
    content = {
        **asdict(progress),
        "pid": os.getpid(),
        "time": clock.timestamp(),
        "mono": round(clock.monotonic(), 3),
    }
    with contextlib.suppress(OSError):  # a full disk must not end the run for the sake of a display
        files.replace_file(state_dir / FILE_NAME, json.dumps(content).encode() + b"\n", durable=False)


def read_status(state_dir: Path) -> dict[str, Any] | None:
    content = files.read_json(state_dir / FILE_NAME)
    return content if isinstance(content, dict) else None


def progress_of(content: dict[str, Any] | None, pid: int, now: float) -> Progress | None:
    """What the process `pid` has left there, as it is `now` (the monotonic clock, in seconds); None when it is of
    another process, or damaged."""
    if content is None or content.get("pid") != pid:
        return None
    try:
        told = Progress(**{field.name: content[field.name] for field in fields(Progress)})
        age = max(0.0, now - content["mono"])
        return replace(told, elapsed=told.elapsed + age, quiet=told.quiet + age)
    except (KeyError, TypeError):
        return None


def remove_status(state_dir: Path) -> None:
    with contextlib.suppress(OSError):
        (state_dir / FILE_NAME).unlink()
