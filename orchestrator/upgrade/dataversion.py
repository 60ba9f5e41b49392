# SPDX-License-Identifier: GPL-3.0-or-later
"""Which version of the product last upgraded the data: a file of its own, and the lines of the history."""

from pathlib import Path

from orchestrator.errors import StateUnwritable
from orchestrator.host import clock, files
from orchestrator.upgrade.history import History, read_history
from orchestrator.upgrade.versions import newest

FILE_NAME = "data-version"


def data_version(state_dir: Path, history: History | None = None) -> str | None:
    """None: nothing has upgraded it, or nobody knew the version. Raises Invalid or NotPermitted."""
    content = files.read_json(state_dir / FILE_NAME)
    noted = [str(content["version"])] if isinstance(content, dict) and content.get("version") else []
    known = history if history is not None else read_history(state_dir)
    return newest([*known.versions(), *noted])


def note_version(state_dir: Path, version: str, run: str | None = None) -> None:
    """The data is of this version from now on, by that run. Raises StateUnwritable."""
    path = state_dir / FILE_NAME
    try:
        files.replace_json(path, {"version": version, "run": run, "time": clock.timestamp()})
    except OSError as error:
        raise StateUnwritable(f"{path} cannot be written: {error.strerror}") from None
