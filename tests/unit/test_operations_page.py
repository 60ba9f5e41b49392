# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/operations.md names commands, options and files that exist, and its configuration is valid."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from orchestrator.config.load import load_config
from tests.support.documentation import DOCS, blocks, text_of

PAGE = "operations.md"
# In a console block behind its prompt, or in the text.
_COMMAND = re.compile(r"^# orchestrator (.+)$|`orchestrator ([^`]+)`", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def commands() -> list[str]:
    found = {first or second for first, second in _COMMAND.findall(text_of(PAGE))}
    return sorted(words for words in found if not words.isupper())


def find(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and the words behind it."""
    from orchestrator.cli.app import app

    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "get_command"):
        context = command.make_context("orchestrator", [], resilient_parsing=True)
        inner = command.get_command(context, words[0])
        assert inner is not None, words
        command, words = inner, words[1:]
    return command, words


@pytest.mark.parametrize("line", commands())
def test_every_command_of_the_page_exists_with_its_options(line: str) -> None:
    command, rest = find(shlex.split(line))
    known = {opt for p in command.params for opt in p.opts}
    assert {word for word in rest if re.fullmatch(r"--?[a-z][a-z-]*", word)} <= known


def test_every_configuration_of_the_page_is_valid(tmp_path: Path) -> None:
    found = [text for language, text in blocks(PAGE) if language == "yaml"]
    assert found
    for text in found:
        (tmp_path / "orchestrator.yaml").write_text(text)
        load_config(tmp_path / "orchestrator.yaml")


def test_every_link_of_the_page_leads_somewhere() -> None:
    gone = [link for link in _LINK.findall(text_of(PAGE)) if not (DOCS / link).exists()]
    assert gone == []
