# SPDX-License-Identifier: GPL-3.0-or-later
"""ISO images of anybody's: those of other programs are read like ours, and no bytes make a reader crash, hang or lead
out of the image."""

import hashlib
import os
import random
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.content.exports.iso.fields import SECTOR, both32
from orchestrator.content.exports.iso.layout import Layout
from orchestrator.content.exports.iso_writer import IsoWriter
from orchestrator.content.exports.manifest import Piece
from orchestrator.content.exports.media import Chunk, SmallFile
from orchestrator.content.imports.iso_reader import IsoReader
from orchestrator.content.imports.iso_structures import RockRidge, plain_name, records, rock_ridge
from orchestrator.errors import BadContent
from tests.support.medium_conformance import WHEN, Medium, Place, contents, outcome
from tests.support.requirements import require

ISO = Medium("iso", IsoWriter, IsoReader)
_FIXED = 67  # RR, PX and TF in front of NM
_PX = 5


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


class Image:
    """An image whose bytes can be changed where a file or directory of the primary hierarchy is described."""

    def __init__(self, place: Place, chunk: Chunk) -> None:
        self.path = place.write(ISO, chunk)
        self.data = bytearray(self.path.read_bytes())

    def record(self, name: str) -> int:
        """Where the record of a file or directory called `name` begins."""
        field = self.data.index(b"NM" + bytes((5 + len(name), 1, 0)) + name.encode())
        for start in range(field - _FIXED - 34, field - 255, -1):
            own = self.data[start + 32]
            if start + 33 + own + (own + 1) % 2 + _FIXED == field and self.data[start] >= field - start:
                return start
        raise AssertionError(name)

    def fields(self, name: str) -> int:
        start = self.record(name)
        own = self.data[start + 32]
        return start + 33 + own + (own + 1) % 2

    def put(self, at: int, data: bytes) -> "Image":
        self.data[at : at + len(data)] = data
        return self

    def start(self, name: str) -> int:
        return int(struct.unpack_from("<I", self.data, self.record(name) + 2)[0])

    def set_area(self, name: str, start: int | None = None, size: int | None = None) -> "Image":
        at = self.record(name)
        if start is not None:
            self.put(at + 2, both32(start))
        return self if size is None else self.put(at + 10, both32(size))

    def rename(self, name: str, other: str) -> "Image":
        assert len(name) == len(other)
        return self.put(self.data.index(name.encode(), self.fields(name)), other.encode())

    def read(self) -> dict[str, bytes]:
        self.path.write_bytes(self.data)
        return contents(ISO, self.path)

    def refused(self, *, match: str) -> None:
        """With the name of the image, and what is wrong."""
        with pytest.raises(BadContent, match=match) as caught:
            self.read()
        assert str(self.path) in str(caught.value)


@pytest.fixture
def chunk(place: Place) -> Chunk:
    return place.chunk([place.noise(size) for size in (10, 3000, 0, 5000, 2048, 1)])


@pytest.fixture
def image(place: Place, chunk: Chunk) -> Image:
    return Image(place, chunk)


# Images of other programs -----------------------------------------------------------------------------

XORRISO = ("xorriso", "-as", "mkisofs", "-quiet")
GENISOIMAGE = ("genisoimage", "-quiet")


def laid_out(place: Place, chunk: Chunk) -> Path:
    """The files of a chunk in a directory."""
    root = place.root / "tree"
    for path, data in place.expected(chunk).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root


def made_by(place: Place, words: tuple[str, ...], *paths: Path) -> Path:
    require(shutil.which(words[0]) is not None, f"{words[0]} is not installed")
    image = place.root / "other.iso"
    subprocess.run([*words, "-o", str(image), *map(str, paths)], check=True, capture_output=True)
    return image


@pytest.mark.parametrize(
    "words",
    [
        (*XORRISO, "-R"),
        (*XORRISO, "-R", "-J", "-iso-level", "3"),
        (*XORRISO, "-R", "-no-pad", "-partition_offset", "16"),
        (*XORRISO, "-J", "-joliet-long", "-l", "--norock"),
        (*GENISOIMAGE, "-R"),
        (*GENISOIMAGE, "-r", "-J", "-l"),
        (*GENISOIMAGE, "-J"),
        (*GENISOIMAGE, "-U", "-R", "-iso-level", "4"),
        (*GENISOIMAGE, "-R", "-no-pad"),
    ],
    ids=" ".join,
)
def test_the_same_files_on_an_image_of_another_program_are_the_same(
    place: Place, chunk: Chunk, words: tuple[str, ...]
) -> None:
    image = made_by(place, words, laid_out(place, chunk))
    found = contents(ISO, image)
    assert found == place.expected(chunk)
    objects = [path.startswith("objects/") for path in found]
    assert objects == sorted(objects)


def test_an_image_with_short_names_alone_is_refused_as_such(place: Place, chunk: Chunk) -> None:
    image = made_by(place, GENISOIMAGE, laid_out(place, chunk))
    with pytest.raises(BadContent, match="neither Rock Ridge nor Joliet"):
        contents(ISO, image)


def test_directories_that_genisoimage_moved_away_are_found_where_they_belong(place: Place) -> None:
    files = {"a/b/c/d/e/f/g/h/i/j/deep": b"deep", "a/b/c/d/e/f/g/h/beside": b"", "manifest.json": b"{}"}
    chunk = place.chunk([], **{path.replace("/", "_"): data for path, data in files.items()})
    image = made_by(place, (*GENISOIMAGE, "-R"), laid_out(place, chunk))
    assert contents(ISO, image) == files


@pytest.mark.parametrize("words", [(*XORRISO, "-R"), (*GENISOIMAGE, "-R")], ids=" ".join)
@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_links_and_devices_are_refused(place: Place, chunk: Chunk, words: tuple[str, ...], kind: str) -> None:
    root = laid_out(place, chunk)
    if kind == "link":
        (root / "inventories" / "link").symlink_to("/etc/passwd")
    else:
        os.mkfifo(root / "inventories" / "fifo")
    with pytest.raises(BadContent, match="neither a file nor a directory") as caught:
        contents(ISO, made_by(place, words, root))
    assert "other.iso" in str(caught.value)


def test_a_file_of_two_sessions_is_that_of_the_last(place: Place, chunk: Chunk, tmp_path: Path) -> None:
    """xorriso adds to an image in place: the new directories are behind the old ones."""
    require(shutil.which("xorriso") is not None, "xorriso is not installed")
    image = place.write(ISO, chunk)
    (tmp_path / "new").write_bytes(b"added")
    subprocess.run(
        ["xorriso", "-dev", str(image), "-map", str(tmp_path / "new"), "/added", "-commit"],
        check=True,
        capture_output=True,
    )
    assert contents(ISO, image) == {**place.expected(chunk), "added": b"added"}


# Hostile images ---------------------------------------------------------------------------------------


def test_without_rock_ridge_there_is_joliet(image: Image, place: Place, chunk: Chunk) -> None:
    image.put(image.data.index(b"SP\x07\x01"), b"XX")
    assert image.read() == place.expected(chunk)


def test_a_directory_that_is_its_own_parent_is_refused(image: Image) -> None:
    image.set_area("inventories", image.start("objects"), SECTOR).refused(match="also somewhere else")


def test_a_root_within_itself_is_refused(image: Image) -> None:
    root = struct.unpack_from("<I", image.data, 16 * SECTOR + 158)[0]
    image.set_area("inventories", root, SECTOR).refused(match="also somewhere else")


@pytest.mark.parametrize("start", [10**6, 0xFFFFFFFF])
@pytest.mark.parametrize("name", ["manifest.json", "chunks", "objects"])
def test_what_is_outside_of_the_image_is_refused(image: Image, name: str, start: int) -> None:
    image.set_area(name, start).refused(match="not within the image")


@pytest.mark.parametrize("name", ["manifest.json", "chunks", "objects"])
def test_what_is_larger_than_the_image_is_refused(image: Image, name: str) -> None:
    image.set_area(name, size=0xFFFFF800).refused(match="not within the image")


def test_numbers_in_two_orders_that_differ_are_refused(image: Image) -> None:
    image.put(image.record("manifest.json") + 10, b"\0\0\0\x01").refused(match="contradicts itself")


@pytest.mark.parametrize(
    "other",
    [
        "../manifest.x",
        "/etc/passwd!!",
        "manifest/json",
        "manifest\x00json",
        "manifest\njson",
        "mani\\est.json",
    ],
)
def test_names_that_lead_elsewhere_are_refused(image: Image, other: str) -> None:
    image.rename("manifest.json", other).refused(match="is no name of a file|not a relative path")


@pytest.mark.parametrize("other", [".", ".."])
def test_dots_are_no_names(place: Place, other: str) -> None:
    name = "x" * len(other)
    image = Image(place, place.chunk([], **{name: b"1"}))
    image.rename(name, other).refused(match=r"leads out|no name")


@pytest.mark.parametrize("flag", [2, 4])
def test_a_name_that_is_that_of_the_directory_itself_is_refused(image: Image, flag: int) -> None:
    image.put(image.fields("manifest.json") + _FIXED + 4, bytes([flag])).refused(match="a name of Rock Ridge")


@pytest.mark.parametrize("mode", [0o120777, 0o060600, 0o020600, 0o010600, 0o140700, 0o070000])
def test_special_files_are_refused_by_their_mode(image: Image, mode: int) -> None:
    at = image.fields("README.txt") + _PX + 4
    image.put(at, both32(mode)).refused(match=r"README\.txt is neither")


def test_two_files_with_one_name_are_refused(image: Image) -> None:
    image.rename("manifest.sig", "manifest.bak")
    image.rename("manifest.json", "manifest.bak\0")
    image.put(image.data.index(b"NM\x12\x01\x00manifest.bak") + 2, b"\x11").refused(match="there twice")


def test_a_file_whose_extents_never_end_is_refused(image: Image) -> None:
    at = image.record("SHA256SUMS")
    image.put(at + 25, b"\x80").refused(match="has no end")


def test_extents_that_are_no_whole_sectors_are_refused(image: Image) -> None:
    at = image.record("README.txt")
    image.put(at + 25, b"\x80").refused(match="in pieces that cannot be")


def test_interleaved_and_compressed_files_are_refused(place: Place, chunk: Chunk) -> None:
    image = Image(place, chunk)
    image.put(image.record("README.txt") + 26, b"\1").refused(match="interleaved")
    image = Image(place, chunk)
    image.put(image.fields("README.txt"), b"ZF").refused(match="compressed")


def test_continuations_in_a_circle_are_refused(place: Place) -> None:
    """The name of 255 bytes is in a continuation area: that leads to itself, instead."""
    image = Image(place, place.chunk([], **{"n" * 255: b"1"}))
    entry = image.data.index(b"CE\x1c\x01", image.data.index(b"RRIP_1991A") - 2000)
    entry = image.data.index(b"CE\x1c\x01", entry + 1)
    area, offset = (struct.unpack_from("<I", image.data, entry + at)[0] for at in (4, 12))
    where = area * SECTOR + offset
    circle = b"CE\x1c\x01" + both32(area) + both32(offset) + both32(28)
    image.put(where, circle).put(entry, circle).refused(match="without end")


@pytest.mark.parametrize("offset", [2000, 0xFFFFFFFF])
def test_continuations_beyond_a_sector_are_refused(place: Place, offset: int) -> None:
    image = Image(place, place.chunk([], **{"n" * 255: b"1"}))
    entry = image.data.index(b"CE\x1c\x01", image.data.index(b"CE\x1c\x01") + 1)
    image.put(entry + 12, both32(offset)).refused(match="not within a sector")


@pytest.mark.parametrize("size", [512, 1024, 4096, 0])
def test_other_sizes_of_blocks_are_refused(image: Image, size: int) -> None:
    image.put(16 * SECTOR + 128, struct.pack("<H", size)).refused(match="blocks")


def test_directories_that_are_more_than_they_can_be_are_refused_at_once(tmp_path: Path, image: Image) -> None:
    """One of nearly 4 GiB in an image of 5, sparse; and the sum of many."""
    image.set_area("objects", size=0xFFFFF000).path.write_bytes(image.data)
    os.truncate(image.path, 5 << 30)
    with pytest.raises(BadContent, match="more, or larger, than they can be"):
        contents(ISO, image.path)


def test_far_too_many_files_in_a_directory_are_refused(
    place: Place, chunk: Chunk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place.write(ISO, place.chunk([], **{f"{number}": b"" for number in range(101)}))
    monkeypatch.setattr("orchestrator.content.imports.iso_reader._MOST_IN_DIRECTORY", 100)
    with pytest.raises(BadContent, match="far too many"):
        contents(ISO, path)


def test_far_too_many_directories_are_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    path = place.write(ISO, place.chunk([], **{f"{number}_x": b"" for number in range(101)}))
    monkeypatch.setattr("orchestrator.content.imports.iso_reader._MOST_DIRECTORIES", 100)
    with pytest.raises(BadContent, match="more, or larger, than they can be"):
        contents(ISO, path)


def test_directories_nested_without_end_are_refused(place: Place) -> None:
    """Each but the last of seven has a name of 255 bytes."""
    path = "/".join(chr(97 + depth) * 255 for depth in range(6)) + "/file"
    image = place.write(ISO, Chunk("x", [SmallFile(path, b"")], [], WHEN))
    with pytest.raises(BadContent, match="no name of a file"):
        contents(ISO, image)


def test_extents_are_one_file(place: Place) -> None:
    first, second = random.Random(5).randbytes(2 * SECTOR), b"the end"
    image = Image(place, place.chunk([], part1=first, part2=second))
    image.put(image.record("part1") + 25, b"\x80")
    at = image.record("part2")
    image.put(at + 33, b"PART1").rename("part2", "part1")
    assert image.read() == {"part1": first + second}
    with IsoReader(image.path) as reader:
        (member,) = reader.members()
        assert member.size == len(first) + len(second)
        assert b"".join(iter(lambda: member.read(1000), b"")) == first + second


def test_a_file_of_a_whole_dvd_is_found(place: Place) -> None:
    """Sparse: 4.7 GB in two extents."""
    size = 4_700_000_000
    layout = Layout([("manifest.json", 2)], [Piece("ab" * 32, size + 1, 1, size)])
    path = place.root / "dvd.iso"
    with path.open("wb") as stream:
        stream.writelines(layout.head("dvd", WHEN))
        stream.truncate(layout.size)
    with IsoReader(path) as reader:
        found = {member.path: member.size for member in reader.members()}
    assert found == {"manifest.json": 2, f"objects/ab/{'ab' * 32}.1": size}


# Truncated, and other things --------------------------------------------------------------------------


def test_every_truncation_is_refused(image: Image) -> None:
    chance = random.Random(3)
    for size in [
        0,
        1,
        16 * SECTOR,
        17 * SECTOR,
        len(image.data) - 1,
        *chance.sample(range(len(image.data)), 60),
    ]:
        image.path.write_bytes(image.data[:size])
        with pytest.raises(BadContent, match=str(image.path)):
            contents(ISO, image.path)


def test_what_is_behind_an_image_does_not_matter(image: Image, place: Place, chunk: Chunk) -> None:
    image.data += b"x" * 100_000
    assert image.read() == place.expected(chunk)


def test_a_pipe_is_no_image(tmp_path: Path, image: Image) -> None:
    with subprocess.Popen(["cat", str(image.path)], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        with pytest.raises(BadContent, match="pipe"):
            IsoReader(Path(f"/proc/self/fd/{running.stdout.fileno()}"))
        running.stdout.read()


def test_what_is_not_there_is_the_systems_word(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        IsoReader(tmp_path / "none.iso")


def test_a_reader_that_is_closed_reads_nothing(image: Image) -> None:
    reader = IsoReader(image.path)
    member = next(iter(reader.members()))
    reader.close()
    reader.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        member.read(1)


# Any bytes --------------------------------------------------------------------------------------------


def _flip(data: bytearray, at: int, chance: random.Random) -> None:
    data[at] ^= 1 << chance.randrange(8)


def _garbage(data: bytearray, at: int, chance: random.Random) -> None:
    some = chance.randbytes(chance.choice((1, 2, 4, 8, 30)))
    data[at : at + len(some)] = some


def _copy(data: bytearray, at: int, chance: random.Random) -> None:
    """A record at the place of another."""
    other = chance.randrange(16 * SECTOR, len(data) - 200)
    data[at : at + 100] = data[other : other + 100]


@pytest.mark.parametrize("change", [_flip, _garbage, _copy])
def test_damage_anywhere_in_descriptors_and_directories_is_refused_or_harmless(
    place: Place, chunk: Chunk, change: Callable[[bytearray, int, random.Random], None]
) -> None:
    image, chance = Image(place, chunk), random.Random(17)
    whole = bytes(image.data)
    end = image.start("manifest.json") * SECTOR
    used = [at for at in range(16 * SECTOR, end) if whole[at]]
    outcomes = {True: 0, False: 0}
    for number in range(400):
        image.data[:] = whole
        for _ in range(1 + number % 3):
            change(image.data, chance.choice(used), chance)
        del image.data[len(whole) :]
        image.path.write_bytes(image.data)
        found = outcome(ISO, image.path)
        outcomes[found is not None] += 1
        if found is not None:
            assert all(not path.startswith("/") and ".." not in path.split("/") for path in found)
            assert sum(map(len, found.values())) < 100 * len(whole)
    assert all(outcomes.values()), outcomes


def test_random_fields_of_rock_ridge_are_refused_or_harmless() -> None:
    chance = random.Random(23)
    parts = [b"NM", b"PX", b"CE", b"CL", b"RE", b"SL", b"PN", b"ZF", b"ST", b"TF", b"XX", b"\0\0"]
    for _ in range(3000):
        fields = b"".join(
            chance.choice(parts)
            + bytes((chance.choice((0, 3, 4, 5, 8, 12, 28, 36, 255)), 1))
            + chance.randbytes(8)
            for _ in range(chance.randrange(6))
        )
        try:
            found = rock_ridge(fields, lambda *_, again=fields: again)
        except ValueError:
            continue
        assert isinstance(found, RockRidge)


def test_random_sectors_are_refused_or_harmless() -> None:
    chance = random.Random(29)
    for _ in range(2000):
        try:
            found = list(records(chance.randbytes(chance.choice((0, 1, 33, 34, 200, 2048)))))
        except ValueError:
            continue
        assert len(found) <= SECTOR // 34


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        (b"README.TXT;1", "README.TXT"),
        (b"SHA256SUMS.;1", "SHA256SUMS"),
        (b"OBJECTS", "OBJECTS"),
        (b"A;B", "A;B"),
    ],
)
def test_names_lose_their_version(identifier: bytes, name: str) -> None:
    assert plain_name(identifier, is_joliet=False) == name
    joliet = identifier.decode().encode("utf-16-be")
    assert plain_name(joliet, is_joliet=True) == name


# Room and order ---------------------------------------------------------------------------------------


def test_objects_come_as_they_lie_on_the_medium(place: Place) -> None:
    pieces = [place.noise(size) for size in range(1, 60)]
    path = place.write(ISO, place.chunk(pieces))
    found = [path for path in contents(ISO, path) if path.startswith("objects/")]
    assert found == [piece.place for piece in pieces]


def test_many_files_are_read_in_several_goes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.content.imports.iso_reader._AT_ONCE", 7)
    chunk = place.chunk(place.mixture())
    assert contents(ISO, place.write(ISO, chunk)) == place.expected(chunk)


def test_an_empty_file_at_the_end_of_an_image_is_read(place: Place) -> None:
    chunk = Chunk("x", [SmallFile("a", b"1"), SmallFile("empty", b"")], [], WHEN)
    path = place.write(ISO, chunk)
    data = path.read_bytes()
    assert contents(ISO, path) == {"a": b"1", "empty": b""}
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(data).digest()
