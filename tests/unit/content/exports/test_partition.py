# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects on media: every byte once, no medium too full, whatever the sizes and the format."""

import random
from collections.abc import Sequence

import pytest

from orchestrator.content.exports.formats import writer_of
from orchestrator.content.exports.manifest import ExportFormat, Piece
from orchestrator.content.exports.partition import SECTOR, Measure, partition
from orchestrator.errors import Refused

FRONT = [("manifest.json", 3000), ("README.txt", 2500), ("inventories/" + "0" * 64, 40_000)]


def objects(generator: random.Random, count: int, largest: int) -> list[Piece]:
    sizes = [int(largest ** generator.random()) - 1 for _ in range(count)]
    return [Piece(f"{generator.getrandbits(256):064x}", size, 0, size) for size in sizes]


def measure_of(format_: ExportFormat) -> Measure:
    writer = writer_of(format_)

    def measure(pieces: Sequence[Piece]) -> int:
        sums = 142 * sum(piece.is_whole for piece in pieces)
        return writer.size([*FRONT, ("SHA256SUMS", sums)], pieces)

    return measure


def check(given: Sequence[Piece], media: Sequence[Sequence[Piece]], capacity: int, measure: Measure) -> None:
    """Every byte of each object is there exactly once, and no medium is too full."""
    assert all(measure(pieces) <= capacity for pieces in media)
    found: dict[str, list[Piece]] = {}
    for pieces in media:
        for piece in pieces:
            found.setdefault(piece.sha256, []).append(piece)
    assert found.keys() == {each.sha256 for each in given}
    for each in given:
        parts = sorted(found[each.sha256], key=lambda piece: piece.start)
        end = 0
        for piece in parts:
            assert (piece.start, piece.size) == (end, each.size)
            assert piece.start % SECTOR == 0
            assert piece.length > 0 or each.size == 0
            end += piece.length
        assert end == each.size


@pytest.mark.parametrize("format_", ["tar", "tgz", "iso"])
@pytest.mark.parametrize("seed", range(6))
def test_every_byte_goes_once_and_no_medium_is_too_full(format_: ExportFormat, seed: int) -> None:
    generator = random.Random(seed)
    measure = measure_of(format_)
    empty = measure([])
    capacity = empty + generator.choice([30_000, 200_000, 3_000_000])
    given = objects(
        generator, generator.choice([1, 7, 60, 300]), generator.choice([50, 30_000, 5 * capacity])
    )
    media = partition(given, capacity, measure, strict=False, named=str)
    check(given, media, capacity, measure)
    assert media == partition(given, capacity, measure, strict=False, named=str)


def test_media_are_filled() -> None:
    generator = random.Random(1)
    given = objects(generator, 2000, 100_000)
    formats: tuple[ExportFormat, ...] = ("tar", "iso")
    for format_ in formats:
        measure = measure_of(format_)
        media = partition(given, 1_500_000, measure, strict=True, named=str)
        check(given, media, 1_500_000, measure)
        assert all(measure(pieces) > 1_450_000 for pieces in media[:-1])


def test_the_order_is_kept_on_a_medium_and_what_fits_no_more_goes_before_the_rest_on_the_next() -> None:
    sizes = [400_000, 400_000, 400_000, 100_000, 400_000]
    given = [Piece(f"{number:064x}", size, 0, size) for number, size in enumerate(sizes)]
    media = partition(given, 1_000_000, measure_of("tar"), strict=True, named=str)
    assert [[given.index(piece) for piece in pieces] for pieces in media] == [[0, 1, 3], [2, 4]]


def test_a_large_object_is_cut_into_full_media_and_a_rest_that_shares_one() -> None:
    measure = measure_of("tar")
    given = [Piece("a" * 64, 2_000_000, 0, 2_000_000), Piece("b" * 64, 1000, 0, 1000)]
    media = partition(given, 1_000_000, measure, strict=False, named=str)
    check(given, media, 1_000_000, measure)
    assert len(media) == 3
    assert {piece.sha256 for piece in media[2]} == {"a" * 64, "b" * 64} or media[0][-1].sha256 == "b" * 64


def test_strict_media_refuse_a_large_object_by_its_name() -> None:
    given = [Piece("b" * 64, 10, 0, 10), Piece("a" * 64, 2_000_000, 0, 2_000_000)]
    names = {"a" * 64: "pool/large.deb of web/base"}
    with pytest.raises(Refused, match=r"pool/large\.deb of web/base has 2000000 bytes"):
        partition(given, 1_000_000, measure_of("tar"), strict=True, named=names.__getitem__)


def test_the_largest_object_that_has_room_is_not_cut() -> None:
    measure = measure_of("iso")
    capacity = measure([Piece("a" * 64, 500_000, 0, 500_000)])
    given = [Piece("a" * 64, 500_000, 0, 500_000)]
    assert partition(given, capacity, measure, strict=True, named=str) == [given]
    with pytest.raises(Refused):
        partition(given, capacity - 1, measure, strict=True, named=str)


def test_media_without_room_for_the_small_files_are_refused() -> None:
    for given in ([], [Piece("a" * 64, 100_000, 0, 100_000)]):
        with pytest.raises(Refused, match="too small"):
            partition(given, 30_000, measure_of("tar"), strict=False, named=str)


def test_nothing_to_send_is_one_empty_medium() -> None:
    assert partition([], 1_000_000, measure_of("tar"), strict=True, named=str) == [[]]
