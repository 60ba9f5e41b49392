# SPDX-License-Identifier: GPL-3.0-or-later
"""`state_dir/request.json`: somebody has asked for an upgrade that has not run yet.

A package's script leaves it where it may not run the upgrade itself (an image is built, no systemd runs, the
policy is to wait). It makes an upgrade pending though only steps that run at every upgrade are due. The run that
answers it takes it away at its end, unless it was asked for again meanwhile.
"""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import StateUnwritable
from orchestrator.host import clock, files

FILE_NAME = "request.json"


@dataclass(frozen=True, slots=True)
class Request:
    """Who asked (`deb bookshelf`, `rpm`), when, and why it was not done at once. `id` tells two requests apart;
    `at_boot`: the next boot is to run it."""

    by: str
    reason: str
    at_boot: bool = False
    time: str = ""
    id: str = ""


def read_request(state_dir: Path) -> Request | None:
    content = files.read_json(state_dir / FILE_NAME)
    if not isinstance(content, dict):
        return None
    return Request(
        str(content.get("by", "")),
        str(content.get("reason", "")),
        bool(content.get("at_boot")),
        str(content.get("time", "")),
        str(content.get("id", "")),
    )


def record_request(state_dir: Path, request: Request) -> Request:
    """The request as it stands on the disk from now on; an earlier one is replaced. Raises StateUnwritable."""
    made = Request(request.by, request.reason, request.at_boot, clock.timestamp(), os.urandom(8).hex())
    content: dict[str, Any] = {"format": 1, **asdict(made)}
    try:
        files.replace_json(state_dir / FILE_NAME, content)
    except OSError as error:
        raise StateUnwritable(
            f"{state_dir / FILE_NAME} cannot be written: {error.strerror}",
            hint="an upgrade is due; run: orchestrator upgrade",
        ) from None
    return made


def settle_request(state_dir: Path, answered: Request | None) -> None:
    """Take away the request that a run has answered; one that was made since stays. Raises StateUnwritable."""
    if answered is None or read_request(state_dir) != answered:
        return
    try:
        (state_dir / FILE_NAME).unlink()
        files.fsync_directory(state_dir)
    except OSError as error:
        raise StateUnwritable(f"{state_dir / FILE_NAME} cannot be removed: {error.strerror}") from None
