# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one YAML step: `python -m orchestrator.cli.run_actions FILE`, started by the runner like any script."""

import os
import sys
from pathlib import Path

from orchestrator.config.load import read_yaml
from orchestrator.errors import OrchestratorError


def main(path: Path) -> int:
    from orchestrator.cli.options import read_setting
    from orchestrator.upgrade.actions import ActionContext

    setting = read_setting(Path(os.environ["ORCHESTRATOR_CONFIG"]))
    context = ActionContext(setting.config, setting.services(), dict(os.environ), _say)
    items = read_yaml(path)["actions"]
    for number, item in enumerate(items, 1):
        action = setting.registry.parse(item)
        _say(f"action {number} of {len(items)}: {action.summary}")
        action.perform(context)
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except OrchestratorError as error:
        for line in (error.message, *map(str, error.problems)):
            _say(line)
        sys.exit(1)
