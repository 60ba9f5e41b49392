# SPDX-License-Identifier: GPL-3.0-or-later
"""The actions that YAML steps may name: the runner's own, and those of the content engine, which it does not know."""

import importlib
from typing import Any

from orchestrator.upgrade.actions import BUILT_IN, Action, ActionParser, Registry

# Action -> the module and the function that reads it; loaded when a step names it.
_CONTENT = {
    "mirror.clone": ("mirror_actions", "parse_clone"),
    "mirror.verify": ("mirror_actions", "parse_verify"),
    "mirror.rollback": ("mirror_actions", "parse_rollback"),
    "repository.sync": ("content_steps", "parse_sync"),
    "view.publish": ("content_steps", "parse_publish"),
    "environment.promote": ("content_steps", "parse_promote"),
    "export": ("content_steps", "parse_export"),
    "import": ("content_steps", "parse_import"),
}


def known_actions() -> Registry:
    return Registry({**BUILT_IN, **{name: _when_used(*home) for name, home in _CONTENT.items()}})


def _when_used(module: str, function: str) -> ActionParser:
    def parse(value: Any) -> Action:
        found: Action = getattr(importlib.import_module(f"orchestrator.cli.{module}"), function)(value)
        return found

    return parse
