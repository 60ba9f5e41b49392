# SPDX-License-Identifier: GPL-3.0-or-later
"""`state_dir/status.json`: where a run is now, for `orchestrator status` from any shell.

Replaced atomically, never the truth: that is the journal. It is there only while a run is.
"""

import contextlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orchestrator.host import clock, files
from orchestrator.upgrade.reporter import Progress

FILE_NAME = "status.json"


def write_status(state_dir: Path, progress: Progress) -> None:
    content = {**asdict(progress), "pid": os.getpid(), "time": clock.timestamp()}
    with contextlib.suppress(OSError):  # a full disk must not end the run for the sake of a display
        files.replace_file(state_dir / FILE_NAME, json.dumps(content).encode() + b"\n", durable=False)


def read_status(state_dir: Path) -> dict[str, Any] | None:
    content = files.read_json(state_dir / FILE_NAME)
    return content if isinstance(content, dict) else None


def remove_status(state_dir: Path) -> None:
    with contextlib.suppress(OSError):
        (state_dir / FILE_NAME).unlink()
