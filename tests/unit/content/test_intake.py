# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that stream into the pool."""

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from orchestrator.content.intake import Intake
from orchestrator.content.pool import Pool
from orchestrator.errors import BadContent
from tests.support.disks import small_disk
from tests.support.sending import sha256

LARGE = os.urandom((3 << 20) + 17)


def pooled(pool: Pool) -> set[str]:
    return {sha256 for sha256, _ in pool.stored()}


def in_bits(data: bytes, most: int) -> Callable[[int], bytes]:
    """Reads that give less than they are asked for."""
    stream = BytesIO(data)
    return lambda wanted: stream.read(min(wanted, most))


def test_small_and_large_objects_arrive_and_are_settled(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    read: list[int] = []
    objects = [b"", b"a", b"b" * 5000, LARGE, LARGE[:-1], *(bytes([n]) * n for n in range(2, 200))]
    with Intake(pool, read.append) as intake:
        for data in objects:
            assert intake.take(sha256(data), len(data), in_bits(data, 1000 if len(data) < 6000 else 1 << 19))
    assert pooled(pool) == {sha256(data) for data in objects}
    assert all(pool.object(sha256(data)).read_bytes() == data for data in objects)
    assert sum(read) == sum(map(len, objects))
    assert list(pool.incoming.iterdir()) == []


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["small", "large"])
def test_what_is_not_what_its_name_says_is_left(data: bytes, tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    name, size = sha256(data), len(data)
    with Intake(pool) as intake:
        assert not intake.take(name, size, BytesIO(b"?" + data[1:]).read)
        assert not intake.take(name, size, BytesIO(data[:-1]).read)
        assert not intake.take(name, size - 1, BytesIO(data).read)
    assert pooled(pool) == set()
    assert list(pool.incoming.iterdir()) == []


@pytest.mark.parametrize("size", [50, 3 << 20])
def test_a_medium_that_fails_in_the_middle_costs_that_object_alone(size: int, tmp_path: Path) -> None:
    pool, pieces = Pool(tmp_path), iter([b"x" * 40])

    def read(most: int) -> bytes:
        try:
            return next(pieces)
        except StopIteration:
            raise BadContent("cut off") from None

    def take_both() -> None:
        with Intake(pool) as intake:
            assert intake.take(sha256(b"before"), 6, BytesIO(b"before").read)
            intake.take(64 * "0", size, read)

    with pytest.raises(BadContent):
        take_both()
    assert pooled(pool) == {sha256(b"before")}
    assert list(pool.incoming.iterdir()) == []


def test_a_disk_that_fills_up_keeps_what_was_whole(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        pool = Pool(disk)
        objects = [os.urandom(100_000) for _ in range(40)]

        def take_all() -> None:
            with Intake(pool) as intake:
                for data in [*objects, LARGE]:
                    intake.take(sha256(data), len(data), BytesIO(data).read)

        with pytest.raises(OSError, match="No space left"):
            take_all()
        kept = {name for name in map(sha256, objects) if Pool(disk).size(name) is not None}
        assert 0 < len(kept) < 40
        assert all(pool.path(name).read_bytes() in objects for name in kept)
        assert not list(pool.incoming.glob("*.new"))
