# SPDX-License-Identifier: GPL-3.0-or-later
"""What a manager must still know in a later run: small JSON files in the state directory."""

from pathlib import Path
from typing import Any

from orchestrator.errors import StateUnwritable
from orchestrator.host import files


def read_note(path: Path) -> dict[str, Any]:
    """Empty when there is none, or none that can be understood."""
    note = files.read_json(path)
    return note if isinstance(note, dict) else {}


def write_note(path: Path, note: dict[str, Any]) -> None:
    """Durably; an empty one removes the file. Raises StateUnwritable."""
    try:
        if note:
            files.replace_json(path, note)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StateUnwritable(f"cannot write {path}: {error.strerror}") from None
