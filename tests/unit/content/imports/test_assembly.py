# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that come in segments: whole whatever the order, and cured by another copy of the segment that was wrong."""

import hashlib
import io
from pathlib import Path

import pytest

from orchestrator.content.imports.assembly import Assembly
from orchestrator.content.pool import Pool

DATA = bytes(range(256)) * 40
SHA256 = hashlib.sha256(DATA).hexdigest()
STEP = 4000


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    return Pool(tmp_path)


@pytest.fixture
def assembly(tmp_path: Path) -> Assembly:
    return Assembly(tmp_path / "segments")


def take(assembly: Assembly, start: int, data: bytes = DATA) -> None:
    part = io.BytesIO(data[start : start + STEP])
    length = min(STEP, len(DATA) - start)
    assert assembly.take(SHA256, start, length, part.read, lambda _: None)


def test_segments_that_came_in_any_order_are_the_object(assembly: Assembly, pool: Pool) -> None:
    for start in (8000, 0, 4000):
        assert not assembly.is_complete(SHA256, len(DATA))
        take(assembly, start)
    assert assembly.finish(SHA256, len(DATA), pool)
    assert pool.read(SHA256) == DATA
    assert list(assembly.directory.iterdir()) == []


def test_another_copy_of_the_segment_that_was_wrong_is_all_that_is_needed(
    assembly: Assembly, pool: Pool
) -> None:
    wrong = DATA[:5000] + b"?" + DATA[5001:]
    for start in (0, 4000, 8000):
        take(assembly, start, wrong)
    assert not assembly.finish(SHA256, len(DATA), pool)
    assert assembly.ranges(SHA256) == [], "any of them may be wrong: all are asked for"
    take(assembly, 8000)
    assert assembly.is_complete(SHA256, len(DATA))
    assert not assembly.finish(SHA256, len(DATA), pool)
    take(assembly, 4000)
    assert assembly.is_complete(SHA256, len(DATA))
    assert assembly.finish(SHA256, len(DATA), pool)
    assert pool.read(SHA256) == DATA
    assert list(assembly.directory.iterdir()) == []


def test_a_segment_that_is_cut_off_is_not_there(assembly: Assembly) -> None:
    assert not assembly.take(SHA256, 0, STEP, io.BytesIO(DATA[:100]).read, lambda _: None)
    assert not assembly.has(SHA256, 0, STEP)
