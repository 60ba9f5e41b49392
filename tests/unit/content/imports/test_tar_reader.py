# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives that others made, and those that somebody made to do harm."""

import gzip
import io
import os
import shutil
import subprocess
import tarfile
import threading
from pathlib import Path

import pytest

from orchestrator.content.exports.media import MediumReader
from orchestrator.content.exports.tar import TarWriter, header
from orchestrator.content.exports.tgz import TgzWriter
from orchestrator.content.imports.tar_reader import PipeReader, TarReader, TgzReader
from orchestrator.errors import BadContent, Invalid
from tests.support.medium_conformance import WHEN, Medium, Place
from tests.support.requirements import require

TAR = Medium("tar", TarWriter, TarReader)
TGZ = Medium("tgz", TgzWriter, TgzReader, exact=False)
END = bytes(1024)


def read(reader: MediumReader) -> dict[str, bytes]:
    found = {}
    for member in reader.members():
        data = b""
        while more := member.read(1 << 16):
            data += more
        found[member.path] = data
    return found


def unpack(place: Place) -> tuple[Path, dict[str, bytes]]:
    """A medium as files, laid in another order than that of a medium."""
    chunk = place.chunk(place.mixture(30))
    expected = place.expected(chunk)
    tree = place.root / "tree"
    for name in sorted(expected, reverse=True):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(expected[name])
    return tree, expected


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


@pytest.mark.parametrize(
    "words",
    [
        ["tar", "--format=gnu"],
        ["tar", "--format=posix"],
        ["tar", "--format=ustar"],
        ["tar", "--format=v7"],
        ["bsdtar", "--format=pax"],
        ["bsdtar", "--format=gnutar"],
        ["bsdtar"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("packed", [False, True], ids=["tar", "tgz"])
def test_archives_of_others_are_read_in_the_order_of_media(
    place: Place, words: list[str], packed: bool
) -> None:
    require(shutil.which(words[0]) is not None, f"{words[0]} is not installed")
    tree, expected = unpack(place)
    archive = place.root / "archive"
    others = sorted({*os.listdir(tree)} - {"objects"}, reverse=True)
    flag = "-czf" if packed else "-cf"
    subprocess.run([*words, flag, archive, "-C", tree, "./objects", *others], check=True)
    reader = TgzReader(archive) if packed else TarReader(archive)
    assert read(reader) == expected
    order = [member.path.startswith("objects/") for member in reader.members()]
    assert order == sorted(order)


@pytest.mark.parametrize(
    "words", [["tar", "--format=gnu"], ["tar", "--format=posix"], ["bsdtar"]], ids=" ".join
)
def test_long_names_of_all_kinds_are_read(place: Place, words: list[str]) -> None:
    require(shutil.which(words[0]) is not None, f"{words[0]} is not installed")
    name = "content/" + "/".join(["a-directory-with-a-name"] * 12) + "/päckage.deb"
    (place.root / "tree" / name).parent.mkdir(parents=True)
    (place.root / "tree" / name).write_bytes(b"hello")
    archive = place.root / "archive"
    subprocess.run([*words, "-cf", str(archive), "-C", str(place.root / "tree"), "."], check=True)
    assert read(TarReader(archive)) == {name: b"hello"}


@pytest.mark.parametrize("packed", [False, True], ids=["tar", "tgz"])
def test_a_pipe_is_read_once(place: Place, packed: bool) -> None:
    chunk = place.chunk(place.mixture())
    data = place.write(TGZ if packed else TAR, chunk).read_bytes()
    with piped(data) as descriptor:
        reader = PipeReader(descriptor, os.read(descriptor, 300), gzip=packed)
        assert read(reader) == place.expected(chunk)
        with pytest.raises(Invalid, match="once"):
            next(iter(reader.members()))


def test_an_archive_in_another_order_is_not_read_from_a_pipe(place: Place) -> None:
    data = header("objects/aa/x", 0, WHEN) + header("manifest.json", 0, WHEN) + END
    with piped(data) as descriptor, pytest.raises(BadContent, match=r"manifest\.json comes after objects"):
        read(PipeReader(descriptor, b"", gzip=False))


def test_a_pipe_that_ends_early_is_told(place: Place) -> None:
    data = place.write(TAR, place.chunk(place.mixture())).read_bytes()
    with (
        piped(data[: len(data) // 2]) as descriptor,
        pytest.raises(BadContent, match=r"standard input .*cut off"),
    ):
        read(PipeReader(descriptor, b"", gzip=False))


class piped:  # noqa: N801 it is used as a verb
    """A pipe into which a thread writes."""

    def __init__(self, data: bytes) -> None:
        self._ends, self._data = os.pipe(), data

    def __enter__(self) -> int:
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()
        return self._ends[0]

    def _write(self) -> None:
        try:
            with os.fdopen(self._ends[1], "wb") as stream:
                stream.write(self._data)
        except BrokenPipeError:
            pass

    def __exit__(self, *_: object) -> None:
        os.close(self._ends[0])
        self._thread.join()


# Hostile archives ---------------------------------------------------------------------------------


def made(path: Path, *infos: tarfile.TarInfo, format_: int = tarfile.GNU_FORMAT) -> TarReader:
    with tarfile.open(path, "w", format=format_) as archive:
        for info in infos:
            archive.addfile(info, io.BytesIO(bytes(info.size)) if info.isreg() else None)
    return TarReader(path)


def info(name: str, kind: bytes = tarfile.REGTYPE, **values: object) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type = kind
    for key, value in values.items():
        setattr(found, key, value)
    return found


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/evil",
        "objects/../../evil",
        "objects/aa/..",
        "a\\b",
        "a\nb",
        "\x1b[31m",
        "..",
        "objects/aa/\x7f",
    ],
)
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE])
@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_paths_that_lead_elsewhere_are_refused(tmp_path: Path, name: str, kind: bytes, format_: int) -> None:
    reader = made(tmp_path / "a.tar", info("manifest.json"), info(name, kind), format_=format_)
    with pytest.raises(BadContent) as caught:
        read(reader)
    assert str(tmp_path / "a.tar") in caught.value.message
    assert "\x1b" not in caught.value.message


@pytest.mark.parametrize(
    "name", ["objects/aa/" + 80 * "b" + "/../../../../evil", "x/" * 200 + "../" * 201 + "evil"]
)
@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_so_are_long_ones(tmp_path: Path, name: str, format_: int) -> None:
    with pytest.raises(BadContent, match="leads out"):
        read(made(tmp_path / "a.tar", info(name), format_=format_))


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a pipe"),
        (b"Z", "unknown kind"),
    ],
)
def test_what_is_no_file_is_refused_though_nobody_wants_it(tmp_path: Path, kind: bytes, what: str) -> None:
    reader = made(
        tmp_path / "a.tar", info("manifest.json"), info("objects/aa/x", kind, linkname="/etc/passwd")
    )
    with pytest.raises(BadContent, match=f"objects/aa/x is .*{what}"):
        list(reader.members(lambda path: path == "manifest.json"))


def test_a_file_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    reader = made(tmp_path / "a.tar", info("manifest.json"), info("objects/aa/x"), info("./objects//aa/x"))
    with pytest.raises(BadContent, match="objects/aa/x twice"):
        read(reader)


def raw(path: Path, *blocks: bytes, packed: bool = False) -> MediumReader:
    data = b"".join(blocks)
    path.write_bytes(gzip.compress(data, 1) if packed else data)
    return TgzReader(path) if packed else TarReader(path)


@pytest.mark.parametrize("size", [513, 1 << 40, (1 << 62) - 1, 1 << 62, 1 << 80])
@pytest.mark.parametrize("packed", [False, True], ids=["tar", "tgz"])
def test_sizes_that_are_not_there_take_no_room(tmp_path: Path, size: int, packed: bool) -> None:
    reader = raw(
        tmp_path / "a",
        header("manifest.json", 0, WHEN),
        header("objects/aa/x", size, WHEN),
        bytes(512),
        packed=packed,
    )
    with pytest.raises(BadContent, match=str(tmp_path)):
        read(reader)
    with pytest.raises(BadContent, match=str(tmp_path)):
        list(reader.members())


def test_a_negative_size_is_none(tmp_path: Path) -> None:
    block = bytearray(header("manifest.json", 0, WHEN))
    block[124:136] = b"\xff" * 12
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * 32)
    with pytest.raises(BadContent, match="number"):
        read(raw(tmp_path / "a", bytes(block), END))


def pax(records: bytes, kind: bytes = b"x") -> bytes:
    block = bytearray(header("PaxHeader", len(records), WHEN))
    block[156:157] = kind
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * 32)
    return bytes(block) + records + bytes(-len(records) % 512)


def record(text: bytes) -> bytes:
    return next(b"%d %s\n" % (n, text) for n in range(1000) if len(b"%d %s\n" % (n, text)) == n)


@pytest.mark.parametrize(
    ("records", "kind"),
    [
        (b"no record", b"x"),
        (b"7 path=", b"x"),
        (b"1 \n", b"x"),
        (b"0 path=a\n", b"x"),
        (b"99999999999999999999 path=a\n", b"x"),
        (record(b"size=-1"), b"x"),
        (record(b"size=1e9"), b"x"),
        (record(b"size=99999999999999999999999"), b"x"),
        (record(b"path=../evil"), b"x"),
        (record(b"path=\xff\xfe"), b"x"),
        (record(b"path="), b"x"),
        (record(b"GNU.sparse.major=1"), b"x"),
        (record(b"size=5"), b"g"),
        (record(b"path=a"), b"g"),
        (b"../evil\0", b"L"),
        (b"\0", b"L"),
    ],
)
def test_extended_headers_that_are_none_are_refused(tmp_path: Path, records: bytes, kind: bytes) -> None:
    with pytest.raises(BadContent, match=str(tmp_path)):
        read(raw(tmp_path / "a", pax(records, kind), header("manifest.json", 0, WHEN), END))


def test_an_extended_header_is_for_one_file(tmp_path: Path) -> None:
    data = [
        pax(record(b"comment=hello"), b"g"),
        pax(record(b"path=README.txt") + record(b"size=3") + record(b"mtime=1.5")),
        header("short", 0, WHEN),
        b"abc" + bytes(509),
        header("manifest.json", 0, WHEN),
        END,
    ]
    assert read(raw(tmp_path / "a", *data)) == {"README.txt": b"abc", "manifest.json": b""}


def test_an_extended_header_of_a_gigabyte_takes_no_room(tmp_path: Path) -> None:
    block = bytearray(header("PaxHeader", 1 << 30, WHEN))
    block[156:157] = b"x"
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * 32)
    with pytest.raises(BadContent, match=r"name of a file has|cut off"):
        read(raw(tmp_path / "a", bytes(block), END))


def test_a_bomb_is_unpacked_only_as_far_as_somebody_reads(tmp_path: Path) -> None:
    """What it says to hold is what it gives, piece by piece; what stands behind the end is not unpacked."""
    size = 64 << 20
    reader = raw(
        tmp_path / "a",
        header("manifest.json", 2, WHEN),
        b"{}".ljust(512, b"\0"),
        END,
        bytes(size),
        packed=True,
    )
    assert read(reader) == {"manifest.json": b"{}"}
    reader = raw(tmp_path / "a", header("manifest.json", size, WHEN), bytes(size), END, packed=True)
    (member,) = (each for each in reader.members())
    total = 0
    for member in reader.members():
        while data := member.read(1 << 30):
            assert len(data) <= 1 << 20
            total += len(data)
    assert total == size


@pytest.mark.parametrize("kept", [511, 512, 1023, 1024])
def test_an_archive_without_its_end_is_cut_off(tmp_path: Path, kept: int) -> None:
    data = header("manifest.json", 0, WHEN) + header("README.txt", 0, WHEN)
    with pytest.raises(BadContent, match=f"{tmp_path}.*cut off"):
        read(raw(tmp_path / "a", data[:kept]))


def test_a_read_of_a_member_that_is_past_gives_nothing(place: Place) -> None:
    reader = TarReader(place.write(TAR, place.chunk(place.mixture())))
    members = reader.members()
    first = next(members)
    next(members)
    assert first.read(100) == b""
