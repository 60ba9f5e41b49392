# SPDX-License-Identifier: GPL-3.0-or-later
"""The notify command of a source: what it is given, and that no failure of it is one of the mirror."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.content import notify as module
from orchestrator.content.events import Name
from orchestrator.content.notify import notify
from orchestrator.content.source import Source
from tests.support.stack import wait_for

DOCUMENT = {"source": "a", "status": "published", "generation": 3, "lost": [], "path": "/srv/ü"}


class Recorder:
    def __init__(self) -> None:
        self.told: list[tuple[Name, str, dict[str, Any]]] = []

    def tell(self, name: Name, source: str, **fields: Any) -> None:
        self.told.append((name, source, fields))


def tell(*argv: str) -> tuple[bool, dict[str, Any]]:
    recorder = Recorder()
    well = notify(recorder, Source("a", "deb", (), (), notify=argv), DOCUMENT)
    ((name, source, fields),) = recorder.told
    assert (name, source, fields["argv"]) == (Name.NOTIFIED, "a", list(argv))
    return well, fields


def test_a_source_without_a_command_tells_nobody() -> None:
    recorder = Recorder()
    assert notify(recorder, Source("a", "deb", (), ()), DOCUMENT)
    assert recorder.told == []


def test_the_command_finds_the_document_on_its_input(tmp_path: Path) -> None:
    well, fields = tell("/bin/sh", "-c", f"cat > {tmp_path}/given")
    assert well
    assert (fields["exit_code"], fields["text"]) == (0, "")
    assert json.loads((tmp_path / "given").read_text()) == DOCUMENT


def test_a_command_need_not_read_it() -> None:
    assert tell("/bin/true")[0]


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("echo said; echo because >&2; exit 4", 4, "because"),
        ("exit 4", 4, "exit status 4"),
        ("kill -9 $$", -9, "exit status -9"),
    ],
)
def test_its_failure_is_told_with_its_last_words(script: str, code: int, words: str) -> None:
    well, fields = tell("/bin/sh", "-c", script)
    assert not well
    assert (fields["exit_code"], fields["text"]) == (code, f"the notify command of a failed: {words}")


def test_a_command_that_is_gone_is_a_failure_too() -> None:
    well, fields = tell("/none/there")
    assert not well
    assert (fields["exit_code"], fields["text"].endswith("/none/there: command not found")) == (127, True)


def test_a_command_that_does_not_end_is_killed_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.3)
    well, fields = tell("/bin/sh", "-c", f"sleep 600 & echo $! > {tmp_path}/pid; wait")
    assert not well
    assert (fields["exit_code"], "no end within 0.3 s" in fields["text"]) == (124, True)
    status = Path(f"/proc/{int((tmp_path / 'pid').read_text())}/stat")

    def is_dead() -> bool:
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"

    wait_for(is_dead, "what it started is dead")


def test_the_command_gets_no_secrets_of_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_OURS", "hunter2")
    assert tell("/bin/sh", "-c", f"env > {tmp_path}/env")[0]
    assert "hunter2" not in (tmp_path / "env").read_text()
    assert os.environ["SECRET_OF_OURS"] == "hunter2"
