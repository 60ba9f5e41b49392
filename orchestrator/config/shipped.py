# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the shipped data lies: `<prefix>/share/orchestrator` when installed, the checkout otherwise."""

import sysconfig
from pathlib import Path

ADMINISTRATOR = Path("/etc/orchestrator")
CONFIG_FILE = ADMINISTRATOR / "orchestrator.yaml"
MIRRORS_FILE = ADMINISTRATOR / "mirrors.yaml"


def share_directory() -> Path:
    """The directory that holds `phases/` and `scripts.d/`."""
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "phases").is_dir() and (checkout / "pyproject.toml").is_file():
        return checkout
    return Path(sysconfig.get_path("data")) / "share" / "orchestrator"
