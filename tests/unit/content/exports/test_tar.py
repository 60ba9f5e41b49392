# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives as everybody else reads them."""

import gzip
import random
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from orchestrator.content.exports.objects import BLOCK
from orchestrator.content.exports.tar import TarWriter, header
from orchestrator.content.exports.tgz import TgzWriter
from orchestrator.content.imports.tar_reader import TarReader, TgzReader
from tests.support.medium_conformance import WHEN, Medium, Place, size_of
from tests.support.requirements import require

TAR = Medium("tar", TarWriter, TarReader)
TGZ = Medium("tgz", TgzWriter, TgzReader, exact=False)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


def unpacked(words: list[str], into: Path) -> dict[str, bytes]:
    require(shutil.which(words[0]) is not None, f"{words[0]} is not installed")
    into.mkdir()
    done = subprocess.run([*words, "-C", str(into)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return {str(path.relative_to(into)): path.read_bytes() for path in into.rglob("*") if path.is_file()}


@pytest.mark.parametrize("program", ["tar", "bsdtar"])
@pytest.mark.parametrize("medium", [TAR, TGZ], ids=["tar", "tgz"])
def test_everybodys_tar_reads_it_and_says_nothing(place: Place, program: str, medium: Medium) -> None:
    chunk = place.chunk([*place.mixture(), place.noise(3_000_000), place.text(5_000_000)])
    path = place.write(medium, chunk)
    flags = "-xzf" if medium is TGZ else "-xf"
    assert unpacked([program, flags, str(path)], place.root / "out") == place.expected(chunk)


@pytest.mark.parametrize("medium", [TAR, TGZ], ids=["tar", "tgz"])
def test_owner_mode_and_time_are_the_same_for_all(place: Place, medium: Medium) -> None:
    with tarfile.open(place.write(medium, place.chunk(place.mixture()))) as archive:
        said = {(m.mode, m.uid, m.gid, m.mtime, m.uname, m.gname, m.type) for m in archive.getmembers()}
    assert said == {(0o644, 0, 0, WHEN, "root", "root", tarfile.REGTYPE)}


@pytest.mark.parametrize("size", [0, 1, 8**11 - 1, 8**11, 9 * 2**30, 2**40 + 1])
def test_any_size_is_in_a_header(size: int) -> None:
    info = tarfile.TarInfo.frombuf(header("objects/aa/name", size, WHEN), "utf-8", "strict")
    assert (info.size, info.mtime, info.name) == (size, WHEN, "objects/aa/name")


def test_a_path_that_has_no_place_in_a_header_is_no_path_of_a_medium() -> None:
    assert header(100 * "a", 0, 0)
    with pytest.raises(ValueError, match="too long"):
        header(101 * "a", 0, 0)


def test_gzip_accepts_it_to_the_last_byte(place: Place) -> None:
    path = place.write(TGZ, place.chunk([*place.mixture(), place.text(5_000_000)]), "medium.gz")
    done = subprocess.run(["gzip", "-t", path], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_gzip_holds_the_same_archive(place: Place) -> None:
    chunk = place.chunk([*place.mixture(), place.text(5_000_000), place.package(3 << 20)])
    packed, plain = place.write(TGZ, chunk), place.write(TAR, chunk, "plain")
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()


def test_what_is_compressed_already_is_only_framed_and_text_is_not(place: Place) -> None:
    package, text = place.package(1_000_000), place.text(1_000_000)
    data = place.write(TGZ, place.chunk([package, text])).read_bytes()
    stored = place.object(package.sha256).read_bytes()
    assert stored[100_000:160_000] in data or stored[100_000:130_000] in data
    assert len(data) < package.size + text.size // 2


def test_text_before_packages_is_compressed(place: Place) -> None:
    text = b"a line of an inventory\n" * 40_000
    data = place.write(TGZ, place.chunk([place.package(1000) for _ in range(5)], inventories_a=text))
    assert data.stat().st_size < len(text) // 10


def test_even_the_worst_input_of_a_gzip_stays_within_the_size(place: Place) -> None:
    """Every object of another kind than the last, none of which can be compressed."""
    chance = random.Random(5)
    for size in (0, 1, 100, 511, 513, 3000):
        pieces = []
        for _ in range(200):
            data = chance.randbytes(size + chance.randrange(50))
            pieces += [place.add(data), place.add(b"!<arch>\n" + data)]
        chunk = place.chunk(pieces, README=chance.randbytes(BLOCK + 7))
        assert place.write(TGZ, chunk).stat().st_size <= size_of(TGZ, chunk)


@pytest.mark.parametrize("size", [BLOCK - 512, BLOCK, BLOCK + 1, 2 * BLOCK, 65535 * 3])
def test_incompressible_blocks_stay_within_the_size(place: Place, size: int) -> None:
    chunk = place.chunk([place.noise(size) for _ in range(3)])
    assert place.write(TGZ, chunk).stat().st_size <= size_of(TGZ, chunk)
