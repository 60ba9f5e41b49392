# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the shipped data lies: in the checkout, or in `share/orchestrator` beside what holds the package.

A distribution's package, /usr/local, an environment and ~/.local are all found alike: the nearest directory above this
file that has a `share/orchestrator`.
"""

from pathlib import Path

ADMINISTRATOR = Path("/etc/orchestrator")
CONFIG_FILE = ADMINISTRATOR / "orchestrator.yaml"
MIRRORS_FILE = ADMINISTRATOR / "mirrors.yaml"


def share_directory(module: Path = Path(__file__)) -> Path:
    """The directory that holds `phases/` and `scripts.d/`, for a package whose `config/shipped.py` is `module`."""
    above = module.resolve().parents[2:]
    if (above[0] / "phases").is_dir() and (above[0] / "pyproject.toml").is_file():
        return above[0]
    places = (directory / "share" / "orchestrator" for directory in above)
    return next((place for place in places if place.is_dir()), Path("/usr/share/orchestrator"))
