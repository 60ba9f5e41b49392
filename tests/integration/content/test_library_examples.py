# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/library.md says what happens: its examples are run, in order, and print what stands below them."""

import contextlib
import io
from pathlib import Path
from typing import Any

import pytest

from tests.support.documentation import DOCS, blocks, workplace

PAGE = "library.md"


def test_the_examples_print_what_stands_below_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {}
    told = ""
    compared = 0
    with workplace(tmp_path) as work:
        monkeypatch.chdir(work.place)
        for language, text in blocks(PAGE):
            if language == "yaml":
                work.configure(text)
            elif language == "python":
                told = run(text, names)
            elif language == "text":
                assert told == text
                compared += 1
    assert compared == sum(language == "python" for language, _ in blocks(PAGE))


def run(example: str, names: dict[str, Any]) -> str:
    """What an example prints. `names` are those that examples before it defined."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, str(DOCS / PAGE), "exec"), names)
    return "".join(f"{line.rstrip()}\n" for line in printed.getvalue().splitlines())
