# SPDX-License-Identifier: GPL-3.0-or-later
"""What Bookshelf's programs know at their start: the site's settings, and the release they belong to."""

import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

APPLICATION = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Release:
    """Which data this version of the code was built for."""

    version: str
    schema: int
    index_format: int


def read_release() -> Release:
    """The release whose directory the running code lies in."""
    built_for: dict[str, Any] = json.loads((APPLICATION / "release.json").read_text())
    return Release(
        (APPLICATION / "VERSION").read_text().strip(), built_for["schema"], built_for["index_format"]
    )


def read_settings() -> dict[str, str]:
    """The `export KEY=value` lines of the file $BOOKSHELF_CONF names; shell scripts source the same file."""
    lines = Path(os.environ["BOOKSHELF_CONF"]).read_text().splitlines()
    words = [word for line in lines for word in shlex.split(line, comments=True)]
    return dict(word.split("=", 1) for word in words if "=" in word)
