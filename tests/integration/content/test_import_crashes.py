# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports that end too soon: killed anywhere, stopped, or on a disk that is full. The next one ends in the same state."""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.content.catalog.model import Actor
from orchestrator.content.workspace import Workspace
from orchestrator.errors import ExitCode, Interrupted, Refused, StateUnwritable
from tests.support.disks import fill, small_disk
from tests.support.importing import CASES
from tests.support.receiving import server
from tests.support.sending import Sent, contents, of

KILLS = 3


@pytest.mark.parametrize("case", CASES)
def test_an_import_that_is_killed_anywhere_is_ended_by_the_next(case: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.support.importing", str(tmp_path), case, str(KILLS)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{KILLS} of "), done.stdout


def test_a_disk_that_is_full_is_told_and_the_import_goes_on_when_there_is_room(tmp_path: Path) -> None:
    many = Sent("os/many", contents(*(f"p{number}" for number in range(400)), size=2000))
    sending = of(many, chunk=150)
    with small_disk(tmp_path / "disk", "8m") as disk, server(disk) as receiver:
        assert receiver.run(of(Sent("os/one", contents("o"))).media()).exit_code is ExitCode.DONE
        before = receiver.served()
        failed, ended = 0, False
        for left in (200, 600, 1200, 1600, 2000, 2400, 2800, 3400, 8000):
            subprocess.run(["bash", "-c", fill(disk)], check=True)
            filler = disk / "filler"
            with filler.open("r+b") as stream:
                stream.truncate(max(0, filler.stat().st_size - (left << 10)))
            hint = ""
            try:
                ended = receiver.run(sending.media()).exit_code is ExitCode.DONE
            except (StateUnwritable, Refused) as error:  # Refused: it shows beforehand
                hint = error.hint
                failed += isinstance(error, StateUnwritable)
            assert "free" in hint or not hint
            filler.unlink()
            served = receiver.served()
            if ended:
                break
            assert served == before
        assert ended
        assert failed
        assert receiver.repository("os/many") == many.contents


def test_an_import_that_is_stopped_keeps_what_has_come(tmp_path: Path) -> None:
    sending = of(Sent("os/web", contents("a", "b", "c")), chunk=2)
    with server(tmp_path) as receiver:
        asked = iter([False] * 3)
        stopped = Workspace(receiver.workspace.settings, Actor("tester"), stop=lambda: next(asked, True))
        receiver.workspace, whole = stopped, receiver.workspace
        with stopped, pytest.raises(Interrupted):
            receiver.run(sending.media())
        assert len(receiver.pooled()) == 3
        receiver.workspace = whole
        outcome = receiver.run(sending.media())
        assert outcome.exit_code is ExitCode.DONE
        assert outcome.objects == len(sending.objects) - 3
