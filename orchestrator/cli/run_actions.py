# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one YAML step: `python -m orchestrator.cli.run_actions FILE`, started by the runner like any script."""

import os
import sys
from pathlib import Path

from orchestrator.config.load import read_yaml
from orchestrator.errors import Busy, ExitCode, Interrupted, OrchestratorError


def main(path: Path) -> int:
    from orchestrator.cli.options import read_setting
    from orchestrator.upgrade.actions import ActionContext
    from orchestrator.upgrade.reports import Telling

    setting = read_setting(Path(os.environ["ORCHESTRATOR_CONFIG"]))
    environment = dict(os.environ)
    services = setting.services()
    items = read_yaml(path)["actions"]
    for number, item in enumerate(items, 1):
        action = setting.registry.parse(item)
        _say(f"action {number} of {len(items)}: {action.summary}")
        with Telling(environment, next(iter(item))) as telling:
            action.perform(ActionContext(setting.config, services, environment, _say, telling))
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _status(error: OrchestratorError) -> int:
    """What an error means to the runner. No other becomes the exit status as it is: 77 has a meaning of its own."""
    return int(error.exit_code) if isinstance(error, Busy | Interrupted) else int(ExitCode.STEP_FAILED)


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except OrchestratorError as error:
        for line in (error.message, *map(str, error.problems)):
            _say(line)
        if error.hint:
            _say(f"-> {error.hint}")
        sys.exit(_status(error))
