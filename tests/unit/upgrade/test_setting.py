# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in messages can be copied as they are."""

import shlex
from pathlib import Path

import pytest

from orchestrator.config.load import load_config
from orchestrator.upgrade.actions import Registry
from orchestrator.upgrade.setting import Setting


@pytest.mark.parametrize("name", ["plain.yaml", "with space.yaml", "it's.yaml", "$HOME;x.yaml"])
def test_a_command_names_the_configuration_so_that_a_shell_understands_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("")
    command = Setting(load_config(path), path, Registry()).command("upgrade")
    assert shlex.split(command) == ["orchestrator", "upgrade", "--config", str(path)]


def test_the_usual_configuration_is_not_named(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    usual = Setting(
        load_config(tmp_path / "empty.yaml"), Path("/etc/orchestrator/orchestrator.yaml"), Registry()
    )
    assert usual.command("runs list") == "orchestrator runs list"
