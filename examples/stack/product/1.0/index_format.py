# SPDX-License-Identifier: GPL-3.0-or-later
"""The search index of version 1: one JSON document, {"format": 1, "words": {word: [book id, ...]}}."""

import json
from pathlib import Path


def read(path: Path) -> dict[str, list[int]]:
    """The index in `path`. Raises ValueError when it has another format."""
    document = json.loads(path.read_text())
    if document.get("format") != 1:
        raise ValueError(f"{path} has index format {document.get('format')}, this version reads format 1")
    words: dict[str, list[int]] = document["words"]
    return words


def write(path: Path, words: dict[str, list[int]]) -> None:
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_text(json.dumps({"format": 1, "words": words}))
    temporary.replace(path)
