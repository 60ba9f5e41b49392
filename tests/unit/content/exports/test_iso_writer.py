# SPDX-License-Identifier: GPL-3.0-or-later
"""ISO images: names that are legal and distinct, sizes that are known before, nothing that depends on the moment."""

import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.content.exports.iso.fields import SECTOR
from orchestrator.content.exports.iso.layout import Layout
from orchestrator.content.exports.iso.naming import (
    distinct,
    distinct_joliet,
    joliet_name,
    joliet_volume_id,
    short_name,
    volume_id,
)
from orchestrator.content.exports.iso_writer import IsoWriter
from orchestrator.content.exports.manifest import Piece
from orchestrator.content.exports.media import Chunk, SmallFile
from orchestrator.content.imports.iso_reader import IsoReader
from orchestrator.errors import Refused
from tests.support.medium_conformance import WHEN, FileOfTest, Medium, Place, StreamOfTest, contents
from tests.support.requirements import require

ISO = Medium("iso", IsoWriter, IsoReader)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


def sizes(chunk: Chunk) -> list[tuple[str, int]]:
    return [(path, len(data)) for path, data in chunk.front]


# Names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("manifest.json", ("MANIFEST", "JSON")),
        ("0001.index", ("0001", "INDEX")),
        ("SHA256SUMS", ("SHA256SUMS", "")),
        ("ab" * 32, ("AB" * 15, "")),
        ("ab" * 32 + ".4700000000", ("AB" * 10, "4700000000")),
        ("a-b c.tar.gz", ("A_B_C_TAR", "GZ")),
        (".profile", ("_", "PROFILE")),
        ("Übersicht", ("_BERSICHT", "")),
    ],
)
def test_short_names_have_d_characters_alone(name: str, short: tuple[str, str]) -> None:
    assert short_name(name, directory=False) == short


def test_a_directory_has_no_extension() -> None:
    assert short_name("stable.d", directory=True) == ("STABLE_D", "")


def test_names_that_would_be_the_same_are_numbered() -> None:
    names = [("A" * 30, ""), ("A" * 30, ""), ("A" * 29 + "1", ""), ("B", "X"), ("B", "X"), ("B", "")]
    found = distinct(names)
    assert found == [
        ("A" * 30, ""),
        ("A" * 29 + "1", ""),
        ("A" * 29 + "2", ""),
        ("B", "X"),
        ("B1", "X"),
        ("B", ""),
    ]


def test_tens_of_thousands_of_names_with_one_beginning_are_distinct_at_once() -> None:
    names = [
        short_name("same-beginning-of-all-of-them-" + str(number), directory=False)
        for number in range(30_000)
    ]
    found = distinct(names)
    assert len(set(found)) == len(names)
    assert all(len(stem) + len(extension) <= 30 for stem, extension in found)


def test_joliet_keeps_what_others_write_and_replaces_what_it_may_not_have() -> None:
    assert joliet_name("ab" * 32 + ".4700000000")[0] == "ab" * 32 + ".4700000000"
    assert joliet_name("a:b*c?.😀")[0] == "a_b_c_._"
    found = distinct_joliet([joliet_name("x" * 200 + str(number)) for number in range(20)])
    assert len(set(found)) == 20
    assert {len(name) for name, _ in found} == {103}


@pytest.mark.parametrize(
    ("label", "iso", "joliet"),
    [
        ("web-3 1of2", b"WEB_3_1OF2", "web-3 1of2"),
        ("WEB-3_1OF2", b"WEB_3_1OF2", "WEB-3_1OF2"),
        ("a-view-with-a-very-long-name-17 12of34", b"A_VIEW_WITH_A_VERY_LONG_NAME_17_", "a-view-with-a-ve"),
        ("", b"", ""),
    ],
)
def test_the_label_becomes_the_volume_id(label: str, iso: bytes, joliet: str) -> None:
    assert volume_id(label) == iso.ljust(32)
    assert joliet_volume_id(label) == joliet.ljust(16).encode("utf-16-be")


# Sizes ------------------------------------------------------------------------------------------------


def random_chunk(place: Place, chance: random.Random) -> Chunk:
    """Small files with long, odd and deep names, many in one directory, and some objects."""
    letters = "abcXYZ019.-_+~ äß日"
    front = {}
    for _ in range(chance.choice((1, 5, 60, 400))):
        depth = chance.randrange(1, 7)
        parts = [f"d{chance.randrange(4)}" for _ in range(depth)]
        length = chance.choice((1, 8, 20, 64, 105, 180, 255))
        name = "".join(chance.choice(letters) for _ in range(length)).encode()[:255].decode(errors="ignore")
        if name.strip(".") and not set(parts) & {name}:
            front["/".join([*parts, f"{name}"])] = chance.randbytes(chance.choice((0, 1, 2048, 5000)))
    front = {path: data for path, data in front.items() if not re.search(r"/d\d$", path)}
    pieces = [place.noise(chance.randrange(5000)) for _ in range(chance.choice((0, 1, 30)))]
    return Chunk("random", [SmallFile(*each) for each in front.items()], pieces, WHEN)


@pytest.mark.parametrize("seed", range(20))
def test_the_size_is_known_and_all_is_found_again_whatever_the_names_are(place: Place, seed: int) -> None:
    chunk = random_chunk(place, random.Random(seed))
    path = place.write(ISO, chunk)
    assert path.stat().st_size == IsoWriter().size(sizes(chunk), chunk.pieces)
    assert contents(ISO, path) == place.expected(chunk)


@pytest.mark.parametrize(
    "size",
    [
        (1 << 32) - 2049,
        (1 << 32) - 2048,
        (1 << 32) - 2047,
        1 << 32,
        (1 << 33) - 4096,
        (1 << 33) - 4095,
        10 << 32,
    ],
)
def test_directories_have_room_for_all_extents_of_a_large_file(size: int) -> None:
    large = Piece("ab" * 32, size + 5, 5, size)
    layout = Layout([("manifest.json", 10)], [large])
    head = sum(map(len, layout.head("x", WHEN)))
    assert layout.size == head + SECTOR + -(-size // SECTOR) * SECTOR + 150 * SECTOR


@pytest.mark.parametrize("directory", ["", "d/"])
@pytest.mark.parametrize("length", [1, 2, 33, 90, 103, 104, 200, 255])
def test_directories_of_any_number_of_files_have_the_size_that_was_measured(
    directory: str, length: int
) -> None:
    """The records fill a sector, or nearly, or just not."""
    names = [f"{number:0{length}}" for number in range(min(90, 10**length))]
    for count in range(len(names)):
        layout = Layout([(directory + name, 1) for name in names[:count]], [])
        head = sum(map(len, layout.head("x", WHEN)))
        assert layout.size == head + count * SECTOR + 150 * SECTOR


def test_an_image_ends_with_what_drives_may_read_ahead_into(place: Place) -> None:
    path = place.write(ISO, place.chunk([place.noise(2048)]))
    assert path.read_bytes()[-150 * SECTOR :] == bytes(150 * SECTOR)


# What no image can have -------------------------------------------------------------------------------


def test_an_image_larger_than_32_bits_of_sectors_is_refused() -> None:
    with pytest.raises(Refused, match="larger than they can be"):
        IsoWriter().size([], [Piece("ab" * 32, 1 << 43, 0, 1 << 43)])


def test_nine_levels_of_directories_are_refused() -> None:
    IsoWriter().size([("1/2/3/4/5/6/7/file", 1)], [])
    with pytest.raises(Refused, match="levels"):
        IsoWriter().size([("1/2/3/4/5/6/7/8/file", 1)], [])


def test_more_directories_than_a_path_table_numbers_are_refused() -> None:
    with pytest.raises(Refused, match="at most 65535 directories"):
        IsoWriter().size([(f"{number >> 8}/{number}/file", 1) for number in range(66_000)], [])


def test_two_files_with_one_path_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="one name"):
        IsoWriter().size([("a/b", 1), ("a/b", 2)], [])
    with pytest.raises(ValueError, match="one name"):
        IsoWriter().size([("a/b", 1), ("a/b/c", 2)], [])


# Same input, same bytes -------------------------------------------------------------------------------

_PROGRAM = """
import hashlib, sys
from pathlib import Path
from tests.support.medium_conformance import Piece, Place, StreamOfTest
from orchestrator.content.exports.iso_writer import IsoWriter
place, sink = Place(Path(sys.argv[1])), StreamOfTest()
chunk = place.chunk(place.mixture())
IsoWriter().write(chunk, sink, place.object, lambda _: None)
print(sink.digest.hexdigest())
"""


def digest_elsewhere(directory: Path, *before: str, **environment: str) -> str:
    return subprocess.run(
        [*before, sys.executable, "-c", _PROGRAM, str(directory)],
        cwd=Path(__file__).parents[4],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_another_process_at_another_time_and_place_writes_the_same(tmp_path: Path) -> None:
    require(shutil.which("faketime") is not None, "faketime is not installed")
    first = digest_elsewhere(tmp_path / "a", TZ="America/Lima", PYTHONHASHSEED="1")
    second = digest_elsewhere(
        tmp_path / "b", "faketime", "2031-07-01 12:00:00", TZ="Asia/Tokyo", PYTHONHASHSEED="2", LC_ALL="C"
    )
    assert first == second != ""


def test_only_the_time_of_the_chunk_is_in_it(place: Place) -> None:
    chunk = place.chunk([place.noise(100)])
    images = [
        place.write(ISO, Chunk(chunk.label, chunk.front, chunk.pieces, when), str(when)).read_bytes()
        for when in (WHEN, WHEN + 1, -(10**11), 10**11)
    ]
    assert len({hashlib.sha256(image).digest() for image in images}) == 4
    assert b"2025061515064000\0" in images[0]
    assert b"1900010100000000\0" in images[2]
    assert b"2155123123595900\0" in images[3]


def test_it_can_be_written_to_a_pipe(place: Place) -> None:
    chunk, stream = place.chunk(place.mixture()), StreamOfTest()
    IsoWriter().write(chunk, stream, place.object, lambda _: None)
    assert stream.written == IsoWriter().size(sizes(chunk), chunk.pieces)
    reading, writing = os.pipe()
    with subprocess.Popen(["sha256sum"], stdin=reading, stdout=subprocess.PIPE) as summing:
        os.close(reading)
        sink = FileOfTest(Path(f"/proc/self/fd/{writing}"))
        IsoWriter().write(chunk, sink, place.object, lambda _: None)
        sink.close()
        os.close(writing)
        assert summing.stdout is not None
        assert summing.stdout.read().split()[0].decode() == stream.digest.hexdigest()
