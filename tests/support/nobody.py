# SPDX-License-Identifier: GPL-3.0-or-later
"""Being somebody who may not read everything, for a moment."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.requirements import require

_NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """This process without root's power over files."""
    require(os.geteuid() == 0, "only root can become somebody else")
    os.setegid(_NOBODY)
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@contextmanager
def public_directory() -> Iterator[Path]:
    """A directory that everybody may enter; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="orchestrator-test-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


def without_power() -> list[str]:
    """A command line to put before another, so that the modes of files count for it even when this is root."""
    if os.geteuid() != 0:
        return []
    require(
        shutil.which("setpriv") is not None, "root without its power over files needs setpriv (util-linux)"
    )
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
