# SPDX-License-Identifier: GPL-3.0-or-later
"""Which segments of an object are there: in any order, from run to run, and never more than came."""

import random
from io import BytesIO
from pathlib import Path

import pytest

from orchestrator.content.imports.assembly import Assembly, covers
from orchestrator.content.pool import Pool
from tests.support.sending import sha256

DATA = bytes(range(256)) * 5
NAME = sha256(DATA)


def take(assembly: Assembly, start: int, length: int, data: bytes = DATA) -> bool:
    stream = BytesIO(data[start : start + length])
    return assembly.take(NAME, start, length, stream.read, lambda _: None)


@pytest.mark.parametrize("seed", range(5))
def test_segments_come_in_any_order_each_time_from_another_process(seed: int, tmp_path: Path) -> None:
    starts = list(range(0, len(DATA), 100))
    random.Random(seed).shuffle(starts)
    for start in starts:
        assert not Assembly(tmp_path).is_complete(NAME, len(DATA))
        assert take(Assembly(tmp_path), start, 100 if start + 100 <= len(DATA) else len(DATA) - start)
    assembly, pool = Assembly(tmp_path), Pool(tmp_path / "root")
    assert assembly.is_complete(NAME, len(DATA))
    assert assembly.finish(NAME, len(DATA), pool)
    assert pool.object(NAME).read_bytes() == DATA
    assert assembly.ranges(NAME) == []


def test_what_is_cut_off_is_not_there(tmp_path: Path) -> None:
    assembly = Assembly(tmp_path)
    assert not assembly.take(NAME, 0, 500, BytesIO(DATA[:499]).read, lambda _: None)
    assert not assembly.has(NAME, 0, 499)
    assert take(assembly, 500, 100)
    assert assembly.has(NAME, 520, 80)
    assert not assembly.has(NAME, 520, 81)


def test_a_note_that_was_torn_says_nothing(tmp_path: Path) -> None:
    assembly = Assembly(tmp_path)
    take(assembly, 0, 100)
    with (tmp_path / f"{NAME}.ranges").open("a") as stream:
        stream.write("100 11")  # of 100 1180
    assert not assembly.is_complete(NAME, len(DATA))
    take(assembly, 100, len(DATA) - 100)
    assert assembly.is_complete(NAME, len(DATA))


def test_ranges_cover_when_there_is_no_hole() -> None:
    assert covers([(50, 50), (0, 60)], 0, 100)
    assert covers([], 0, 0)
    assert not covers([(0, 50), (51, 49)], 0, 100)
    assert covers([(0, 50), (51, 49)], 60, 40)
