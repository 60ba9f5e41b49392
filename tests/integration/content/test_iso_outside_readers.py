# SPDX-License-Identifier: GPL-3.0-or-later
"""ISO images are what other programs think they are: libarchive, libisofs (xorriso), cdrkit (isoinfo), fuseiso and
pycdlib find every name, byte, size and time."""

import datetime as dt
import io
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.content.exports.iso.fields import SECTOR
from orchestrator.content.exports.iso.layout import Layout
from orchestrator.content.exports.iso_writer import IsoWriter
from orchestrator.content.exports.manifest import Piece
from orchestrator.content.exports.media import Chunk, SmallFile
from orchestrator.content.imports.iso_reader import IsoReader
from tests.support.medium_conformance import WHEN, Medium, Place
from tests.support.requirements import require

ISO = Medium("iso", IsoWriter, IsoReader)
LONG = "inventories/" + "long-name-" * 25 + ".txt"  # more than fits into a record
Files = dict[str, bytes]


def run(*words: str | Path, **more: str) -> str:
    require(shutil.which(str(words[0])) is not None, f"{words[0]} is not installed")
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8", **more},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Files]:
    """An image with all kinds of names and sizes, and what is in it."""
    place = Place(tmp_path_factory.mktemp("iso") / "place")
    whole = place.noise(100_000)
    segments = [
        Piece(whole.sha256, whole.size, 0, 60_000),
        Piece(whole.sha256, whole.size, 60_000, 40_000),
    ]
    chunk = place.chunk([*place.mixture(600), *segments])
    front = [*chunk.front, SmallFile(LONG, b"long\n"), SmallFile("inventories/long-name-2.txt", b"")]
    chunk = Chunk("web-3 1of2", front, chunk.pieces, WHEN)
    return place.write(ISO, chunk), place.expected(chunk)


@pytest.fixture
def image(written: tuple[Path, Files]) -> Path:
    return written[0]


@pytest.fixture
def files(written: tuple[Path, Files]) -> Files:
    return written[1]


def found_below(root: Path) -> Files:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def check_times(root: Path) -> None:
    assert {int(path.stat().st_mtime) for path in root.rglob("*")} == {WHEN}


# libarchive -------------------------------------------------------------------------------------------


def test_bsdtar_unpacks_every_byte_with_its_time(image: Path, files: Files, tmp_path: Path) -> None:
    run("bsdtar", "-xpf", image, "-C", tmp_path)
    assert found_below(tmp_path) == files
    check_times(tmp_path)


def test_bsdtar_finds_the_same_through_joliet(image: Path, files: Files, tmp_path: Path) -> None:
    run("bsdtar", "--options", "iso9660:!rockridge", "-xf", image, "-C", tmp_path)
    expected = {cut(path): data for path, data in files.items()}
    assert found_below(tmp_path) == expected


def cut(path: str) -> str:
    """As Joliet has it."""
    directory, slash, name = path.rpartition("/")
    return directory + slash + name[:103]


def test_bsdtar_finds_as_many_short_names(image: Path, files: Files) -> None:
    listed = run("bsdtar", "--options", "iso9660:!rockridge,!joliet", "-tf", image).split()
    names = [
        name for name in listed if name not in (".", "OBJECTS") and not re.fullmatch(r"OBJECTS/\w\w", name)
    ]
    names = [name for name in names if name not in ("CHUNKS", "INVENTORIES")]
    assert len(set(names)) == len(names) == len(files)
    assert all(re.fullmatch(r"([A-Z]+/)*([0-9A-F]{2}/)?[0-9A-Z_]*(\.[0-9A-Z_]*)?", name) for name in names)


# xorriso ----------------------------------------------------------------------------------------------


def test_xorriso_unpacks_every_byte_with_its_time_and_has_no_complaint(
    image: Path, files: Files, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    told = run("xorriso", "-abort_on", "WARNING", "-osirrox", "on", "-indev", image, "-extract", "/", target)
    assert not re.search(r"WARNING|SORRY|FAILURE|MISHAP", told)
    assert found_below(target) == files
    check_times(target)


def test_xorriso_finds_nothing_wrong_with_the_medium(image: Path) -> None:
    told = run("xorriso", "-abort_on", "WARNING", "-indev", image, "-check_media", "--", "-toc", "-pvd_info")
    blocks = image.stat().st_size // SECTOR
    assert re.search(rf"Media region :\s+0 ,\s+{blocks} , \+ good", told)
    assert re.search(r"Volume [Ii]d\s*: '?WEB_3_1OF2", told)
    assert re.search(r"App Id\s*: ORCHESTRATOR", told)
    assert "Creation Time: 2025061515064000" in told


# cdrkit -----------------------------------------------------------------------------------------------


def test_isoinfo_reads_the_descriptors(image: Path) -> None:
    told = run("isoinfo", "-d", "-i", image)
    for line in (
        "Volume id: WEB_3_1OF2",
        "Data preparer id: ORCHESTRATOR",
        "Application id: ORCHESTRATOR",
        "Logical block size is: 2048",
        f"Volume size is: {image.stat().st_size // SECTOR}",
        "Joliet with UCS level 3 found",
        "Rock Ridge signatures version 1 found",
    ):
        assert line in told.splitlines()


@pytest.mark.parametrize("option", ["-R", "-J"])
def test_isoinfo_lists_every_file(image: Path, files: Files, option: str) -> None:
    listed = run("isoinfo", option, "-f", "-i", image).splitlines()
    names = {path for path in files if path != LONG} | {cut(LONG) if option == "-J" else LONG}
    directories = {str(parent) for path in files for parent in Path(path).parents} - {"."}
    assert sorted(listed) == sorted("/" + name for name in names | directories)


def test_isoinfo_reads_files_of_all_three_hierarchies(image: Path, files: Files) -> None:
    for option, name in (("-R", "/README.txt"), ("-J", "/README.txt"), ("-s", "/README.TXT;1")):
        assert run("isoinfo", option, "-x", name, "-i", image).encode() == files["README.txt"]


def test_isoinfo_follows_the_path_tables(image: Path, files: Files) -> None:
    told = run("isoinfo", "-p", "-i", image)
    directories = {str(parent) for path in files for parent in Path(path).parents}
    lines = re.findall(r"^ *(\d+): +(\d+) +([0-9a-f]+) *(\S*)$", told, re.MULTILINE)
    assert len(lines) == len(directories)
    parents = [int(parent) for _, parent, _, _ in lines]
    assert parents == sorted(parents)


# fuseiso ----------------------------------------------------------------------------------------------


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    require(os.access("/dev/fuse", os.W_OK), "there is no /dev/fuse to use")
    at.mkdir()
    run("fuseiso", image, at)
    try:
        yield at
    finally:
        run("fusermount", "-u", at)


def test_a_mounted_image_is_the_tree_that_it_should_be(image: Path, files: Files, tmp_path: Path) -> None:
    with mounted(image, tmp_path / "mounted") as root:
        assert found_below(root) == files
        check_times(root)
        listed = (root / "chunks").stat()
        assert (listed.st_uid, oct(listed.st_mode)) == (0, "0o40755")


# pycdlib ----------------------------------------------------------------------------------------------


def test_pycdlib_reads_both_hierarchies(image: Path, files: Files) -> None:
    import pycdlib

    iso = pycdlib.PyCdlib()
    iso.open(str(image))
    try:
        for kind in ("rr_path", "joliet_path"):
            found = {}
            for above, _, names in iso.walk(**{kind: "/"}):
                for name in names:
                    path = f"{above.rstrip('/')}/{name}"
                    data = io.BytesIO()
                    iso.get_file_from_iso_fp(data, **{kind: path})
                    found[path[1:]] = data.getvalue()
            if kind == "joliet_path":
                assert found == {cut(path): data for path, data in files.items()}
            else:
                assert found == files
        made = iso.pvd.volume_creation_date
        moment = dt.datetime.fromtimestamp(WHEN, dt.UTC)
        assert (
            made.year,
            made.month,
            made.dayofmonth,
            made.hour,
            made.minute,
            made.second,
        ) == moment.timetuple()[:6]
        assert iso.pvd.space_size * SECTOR == image.stat().st_size
    finally:
        iso.close()


# Large files ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A sparse image with a file of 5 GiB and 7 bytes: bytes at its beginning, where its extents meet, and at its end,
    are not zero. The extents are one behind the other, so that its bytes are where they would be in one."""
    size = (5 << 30) + 7
    piece = Piece("ab" * 32, size + 1, 1, size)
    layout = Layout([("manifest.json", 2)], [piece])
    path = tmp_path_factory.mktemp("large") / "large.iso"
    with path.open("wb") as stream:
        stream.writelines(layout.head("large", WHEN))
        begin = stream.tell() + SECTOR
        stream.truncate(layout.size)
        for offset, data in ((0, b"head"), ((1 << 32) - SECTOR - 2, b"meet"), (size - 4, b"tail")):
            stream.seek(begin + offset)
            stream.write(data)
    return path, piece.place


def test_outside_readers_know_the_size_of_a_file_of_more_than_4_gib(large: tuple[Path, str]) -> None:
    path, name = large
    assert re.search(rf"\s{(5 << 30) + 7}\s.*{name}", run("bsdtar", "-tvf", path))
    assert re.search(
        rf"\s{(5 << 30) + 7}\s.*{name}", run("xorriso", "-indev", path, "-find", "/objects", "-exec", "lsdl")
    )


def test_an_outside_reader_finds_all_extents_of_a_file_of_more_than_4_gib(large: tuple[Path, str]) -> None:
    """To extract its end would take it half a minute: it says where the extents are."""
    path, name = large
    told = run("xorriso", "-indev", path, "-find", f"/{name}", "-exec", "report_lba")
    extents = re.findall(r"File data lba: +(\d+) , +(\d+) , +(\d+) , +(\d+) , ", told)
    (_, first, blocks, size), (_, second, more, _) = ([int(word) for word in words] for words in extents)
    boundary = (1 << 32) - SECTOR
    assert (size, blocks * SECTOR, more) == ((5 << 30) + 7, boundary, -(-(size - boundary) // SECTOR))
    with path.open("rb") as stream:
        found = [os.pread(stream.fileno(), 4, first * SECTOR)]
        found.append(
            os.pread(stream.fileno(), 2, first * SECTOR + boundary - 2)
            + os.pread(stream.fileno(), 2, second * SECTOR)
        )
        found.append(os.pread(stream.fileno(), 4, second * SECTOR + size - boundary - 4))
    assert found == [b"head", b"meet", b"tail"]


def test_our_reader_finds_the_same_parts(large: tuple[Path, str]) -> None:
    """Reads from the beginning: only as far as the first."""
    path, name = large
    with IsoReader(path) as reader:
        (member,) = reader.members(lambda each: each == name)
        assert (member.size, member.read(4)) == ((5 << 30) + 7, b"head")


# Room and time ----------------------------------------------------------------------------------------

_PROGRAM = """
import os, resource, sys
from pathlib import Path
from orchestrator.content.exports.iso_writer import IsoWriter
from orchestrator.content.exports.manifest import Piece
from orchestrator.content.exports.media import Chunk, SmallFile
from orchestrator.content.imports.iso_reader import IsoReader
from tests.support.medium_conformance import FileOfTest

def room():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])

root, count = Path(sys.argv[1]), 60_000
(root / "object").write_bytes(b"0123456789")
pieces = [Piece(os.urandom(32).hex(), 10, 2, 5) for _ in range(count)]
chunk = Chunk("many", [SmallFile("manifest.json", b"{}")], pieces, 0)
before = room()
sink = FileOfTest(root / "many.iso")
IsoWriter().write(chunk, sink, lambda _: root / "object", lambda _: None)
sink.close()
writing = room()
with IsoReader(root / "many.iso") as reader:
    found = sum(member.read(100) == b"23456" for member in reader.members())
print(writing - before, room() - writing, found)
"""


def test_sixty_thousand_files_take_little_room(tmp_path: Path) -> None:
    begun = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    writing, reading, found = map(int, told.split())
    assert found == 60_000
    assert writing < 60 << 10
    assert reading < 40 << 10
    assert time.monotonic() - begun < 120
