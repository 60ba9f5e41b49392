# SPDX-License-Identifier: GPL-3.0-or-later
"""What a path stands for, and a directory as a medium."""

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.content.exports.iso_writer import IsoWriter
from orchestrator.content.exports.media import MediumReader
from orchestrator.content.exports.tar import TarWriter
from orchestrator.content.exports.tgz import TgzWriter
from orchestrator.content.imports.iso_reader import IsoReader
from orchestrator.content.imports.opening import open_media
from orchestrator.content.imports.tar_reader import TarReader, TgzReader
from orchestrator.content.imports.tree_reader import TreeReader
from orchestrator.errors import BadContent, Invalid
from tests.support.medium_conformance import Medium, Place

TAR = Medium("tar", TarWriter, TarReader)
TGZ = Medium("tgz", TgzWriter, TgzReader, exact=False)
ISO = Medium("iso", IsoWriter, IsoReader)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


def lay(place: Place, root: Path) -> dict[str, bytes]:
    expected = place.expected(place.chunk(place.mixture(20)))
    for name, data in expected.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return expected


def read(reader: MediumReader) -> dict[str, bytes]:
    return {
        member.path: b"".join(iter(lambda: member.read(999), b""))  # noqa: B023 it is called at once
        for member in reader.members()
    }


def shown(readers: list[MediumReader]) -> list[tuple[str, str]]:
    return [(type(reader).__name__, Path(reader.name).name) for reader in readers]


# Paths --------------------------------------------------------------------------------------------


def test_files_are_told_apart_by_their_bytes(place: Place) -> None:
    chunk = place.chunk(place.mixture())
    kinds = [(TAR, "one.tgz"), (TGZ, "two.iso"), (ISO, "three.tar")]
    names = [place.write(medium, chunk, name) for medium, name in kinds]
    assert shown(open_media(names)) == [
        ("TarReader", "one.tgz"),
        ("TgzReader", "two.iso"),
        ("IsoReader", "three.tar"),
    ]


def test_a_damaged_image_is_told_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.iso").write_bytes(bytes(32769) + b"CD001" + bytes(100_000))
    (reader,) = open_media([tmp_path])
    with pytest.raises(BadContent, match=r"a\.iso"):
        read(reader)


def test_a_directory_stands_for_the_chunks_in_it(place: Place, tmp_path: Path) -> None:
    chunk, directory = place.chunk([]), tmp_path / "export"
    directory.mkdir()
    for name in ("b-2of2.tar", "a-1of2.TAR"):
        place.write(TAR, chunk, name).rename(directory / name)
    place.write(TGZ, chunk, "c.tar.gz").rename(directory / "c.tar.gz")
    for other in ("SHA256SUMS", "manifest.json", ".half.tar", "notes.txt"):
        (directory / other).write_text("{}")
    (directory / "d.tar").mkdir()
    assert shown(open_media([directory])) == [
        ("TarReader", "a-1of2.TAR"),
        ("TarReader", "b-2of2.tar"),
        ("TgzReader", "c.tar.gz"),
    ]


def test_a_directory_may_be_a_medium(place: Place, tmp_path: Path) -> None:
    expected = lay(place, tmp_path / "medium")
    (reader,) = open_media([str(tmp_path / "medium")])
    assert isinstance(reader, TreeReader)
    assert read(reader) == expected


def test_what_is_named_twice_is_opened_once(place: Place) -> None:
    path = place.write(TAR, place.chunk([]), "one.tar")
    (place.root / "link").symlink_to(path)
    assert len(open_media([path, place.root, place.root / "link", path])) == 1


def test_nothing_there_is_told_with_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no medium is in") as caught:
        open_media([tmp_path])
    assert all(word in caught.value.hint for word in ("manifest.json", "*.tar", "*.tgz", "*.iso", "objects"))
    with pytest.raises(Invalid, match=r"missing is not there"):
        open_media([tmp_path / "missing"])
    with pytest.raises(Invalid, match="no medium is named"):
        open_media([])


def test_a_file_that_is_no_medium_says_so_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_text("hello")
    (reader,) = open_media([tmp_path])
    with pytest.raises(BadContent, match=r"a\.tar is no medium"):
        read(reader)


def test_a_pipe_with_a_name_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(Invalid, match="fifo is no file"):
        open_media([tmp_path / "fifo"])


@pytest.mark.parametrize("medium", [TAR, TGZ], ids=["tar", "tgz"])
def test_the_standard_input_is_read(place: Place, medium: Medium, monkeypatch: pytest.MonkeyPatch) -> None:
    chunk = place.chunk(place.mixture())
    path = place.write(medium, chunk)
    with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as cat:
        assert cat.stdout is not None
        with standard_input(cat.stdout.fileno()):
            (reader,) = open_media(["-"])
            assert reader.name == "standard input"
            assert read(reader) == place.expected(chunk)
    assert cat.returncode == 0


def test_a_terminal_is_no_medium() -> None:
    master, slave = pty.openpty()
    try:
        with standard_input(slave), pytest.raises(Invalid, match="terminal"):
            open_media(["-"])
    finally:
        os.close(master)
        os.close(slave)


def test_an_image_cannot_come_from_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(bytes(32769) + b"CD001" + bytes(3000))
    descriptor = os.open(tmp_path / "image", os.O_RDONLY)
    try:
        with standard_input(descriptor), pytest.raises(Invalid, match="ISO"):
            open_media(["-"])
    finally:
        os.close(descriptor)


class standard_input:  # noqa: N801 it is used as a verb
    """Another file as the standard input."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> None:
        self._kept = os.dup(0)
        os.dup2(self._descriptor, 0)

    def __exit__(self, *_: object) -> None:
        os.dup2(self._kept, 0)
        os.close(self._kept)


# Directories --------------------------------------------------------------------------------------


@pytest.fixture
def tree(place: Place, tmp_path: Path) -> Path:
    lay(place, tmp_path / "medium")
    return tmp_path / "medium"


def test_small_files_come_first_and_others_not_at_all(tree: Path) -> None:
    (tree / "lost+found").mkdir()
    (tree / "System Volume Information").write_text("x")
    (tree / "content/web/dists").mkdir(parents=True)
    (tree / "content/web/dists/Release").write_text("Origin: x\n")
    paths = [member.path for member in TreeReader(tree).members()]
    assert paths[:4] == ["manifest.json", "manifest.sig", "README.txt", "SHA256SUMS"]
    assert paths[-1] == "content/web/dists/Release"
    assert {path.partition("/")[0] for path in paths[4:]} == {"inventories", "chunks", "objects", "content"}


def test_only_what_is_wanted_is_opened(tree: Path) -> None:
    bad = next(path for path in sorted(tree.rglob("*")) if path.is_file() and "objects" in str(path))
    bad.chmod(0)
    reader = TreeReader(tree)
    assert [member.read(1) for member in reader.members(lambda path: path == "manifest.json")] == [b"{"]


@pytest.mark.parametrize(
    "where", ["manifest.json", "objects", "objects/aa", "objects/aa/link", "inventories/x", "content/a/b"]
)
@pytest.mark.parametrize("to", ["/etc/passwd", "manifest.sig", "nowhere", "/etc"])
def test_links_are_never_followed(tree: Path, where: str, to: str) -> None:
    place = tree / where
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(to)
    with pytest.raises(BadContent, match=str(place)):
        read(TreeReader(tree))


def test_directories_may_be_deep(tree: Path) -> None:
    top = deep = f"{tree}/content"
    os.mkdir(top)
    for _ in range(1500):
        deep += "/a"
        os.mkdir(deep)
    Path(deep, "file").write_bytes(b"deep")
    try:
        found = [member.path for member in TreeReader(tree).members(lambda name: name.startswith("content/"))]
        assert found == [deep.removeprefix(f"{tree}/") + "/file"]
    finally:
        subprocess.run(["rm", "-r", top], check=True)  # what clears up behind the tests does not go so deep


def test_what_is_no_file_is_refused(tree: Path) -> None:
    os.mkfifo(tree / "objects/pipe")
    with pytest.raises(BadContent, match="objects/pipe"):
        read(TreeReader(tree))


def test_a_name_that_no_medium_has_is_refused(tree: Path) -> None:
    (tree / "objects/\x1b[31m").write_text("x")
    with pytest.raises(BadContent, match="no name") as caught:
        read(TreeReader(tree))
    assert "\x1b" not in caught.value.message


def test_a_file_that_becomes_shorter_while_it_is_read_is_told(tree: Path) -> None:
    (tree / "README.txt").write_bytes(bytes(100_000))
    for member in TreeReader(tree).members(lambda path: path == "README.txt"):
        member.read(10)
        os.truncate(tree / "README.txt", 10)
        with pytest.raises(BadContent, match=r"README\.txt is cut off"):
            member.read(10)


def test_nothing_stays_open(tree: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    members = TreeReader(tree).members()
    next(members).read(1)
    members.close()  # type: ignore[attr-defined]
    read(TreeReader(tree))
    assert len(os.listdir("/proc/self/fd")) == before
