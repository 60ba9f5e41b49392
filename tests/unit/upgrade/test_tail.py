# SPDX-License-Identifier: GPL-3.0-or-later
"""Following a log that grows, floods, shrinks or is not there."""

from pathlib import Path

import pytest

from orchestrator.upgrade.tail import MOST_AT_ONCE, PIECE, LogTail


class Followed:
    def __init__(self, directory: Path, *, everything: bool) -> None:
        self.path = directory / "log"
        self.tail = LogTail(self.path, everything=everything)
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        with self.path.open("ab") as stream:
            stream.write(data)

    def pump(self, *, to_end: bool = False) -> bool:
        return self.tail.pump(self.pieces.append, to_end=to_end)

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces)


@pytest.mark.parametrize("everything", [True, False])
def test_what_was_added_is_handed_on_once(tmp_path: Path, everything: bool) -> None:
    log = Followed(tmp_path, everything=everything)
    assert not log.pump(), "there is no file yet"
    log.write(b"one")
    assert log.pump()
    assert not log.pump()
    log.write(b"two")
    assert log.pump(to_end=True)
    assert log.pieces == [b"one", b"two"]


def test_a_flood_is_handed_on_in_pieces_without_holding_up_the_runner(tmp_path: Path) -> None:
    log = Followed(tmp_path, everything=True)
    log.write(bytes(range(256)) * (3 * MOST_AT_ONCE // 256))
    assert log.pump()
    assert len(log.data) == MOST_AT_ONCE
    assert max(map(len, log.pieces)) == PIECE
    assert log.pump(to_end=True)
    assert log.data == log.path.read_bytes()


def test_of_a_flood_only_the_end_is_wanted_by_who_shows_only_the_end(tmp_path: Path) -> None:
    log = Followed(tmp_path, everything=False)
    log.write(b"x" * (100 * PIECE) + b"end")
    assert log.pump()
    assert len(log.data) == PIECE
    assert log.data.endswith(b"end")
    assert not log.pump(to_end=True)


def test_a_log_that_its_step_made_shorter_is_no_matter(tmp_path: Path) -> None:
    log = Followed(tmp_path, everything=True)
    log.write(b"0123456789")
    log.pump()
    log.path.write_bytes(b"short")
    assert not log.pump(to_end=True)
