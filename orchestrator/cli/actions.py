# SPDX-License-Identifier: GPL-3.0-or-later
"""The actions that YAML steps may name: the runner's own, and those of the content engine, which it does not know."""

from typing import Any

from orchestrator.upgrade.actions import BUILT_IN, Action, Registry


def known_actions() -> Registry:
    return Registry(
        {**BUILT_IN, "mirror.clone": _clone, "mirror.verify": _verify, "mirror.rollback": _rollback}
    )


def _clone(value: Any) -> Action:
    from orchestrator.cli.mirror_actions import parse_clone

    return parse_clone(value)


def _verify(value: Any) -> Action:
    from orchestrator.cli.mirror_actions import parse_verify

    return parse_verify(value)


def _rollback(value: Any) -> Action:
    from orchestrator.cli.mirror_actions import parse_rollback

    return parse_rollback(value)
