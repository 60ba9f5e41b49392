# SPDX-License-Identifier: GPL-3.0-or-later
"""What every pair of a medium's writer and reader promises (`orchestrator.content.exports.media`). Each pair's test
class inherits `MediumConformance` and says which `Medium` it is tested with; `Place` makes chunks for it.
"""

import hashlib
import itertools
import os
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from orchestrator.content.exports.manifest import MANIFEST, Piece
from orchestrator.content.exports.media import Chunk, MediumReader, MediumWriter, SmallFile
from orchestrator.errors import BadContent, Interrupted

WHEN = 1_750_000_000
GIB = 1 << 30
# The digest of 5 GiB and three bytes of them.
FIVE_GIB_OF_ZEROS = "ffdab6621ab81e07e87854eaae26fca1450928ac32b30c736145de6080ddb27d"


@dataclass(frozen=True, slots=True)
class Medium:
    """A pair. `exact`: the writer knows the size before; else it is at most that."""

    name: str
    writer: Callable[[], MediumWriter]
    reader: Callable[[Path], MediumReader]
    exact: bool = True


@dataclass
class FileOfTest:
    """A sink with a descriptor. `most` is where the disk is full."""

    path: Path
    most: int | None = None
    written: int = 0
    _descriptor: int = field(init=False)

    def __post_init__(self) -> None:
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += len(data)
        if self.most is not None and self.written > self.most:
            raise OSError(28, "No space left on device", str(self.path))
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def close(self) -> None:
        os.close(self._descriptor)


@dataclass
class StreamOfTest:
    """A sink without a descriptor, that keeps nothing but a digest and the count."""

    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    written: int = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.digest.update(data)
        self.written += len(data)


class SparseFile:
    """A sink that leaves holes for zeros."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("wb", buffering=0)
        self._zeros = bytes(16 << 20)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if len(data) > 4096 and bytes(data) == bytes(len(data)):
            self._stream.seek(len(data), os.SEEK_CUR)
        else:
            assert self._stream.write(data) == len(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.truncate()
        self._stream.close()


class Place:
    """Objects and chunks below a directory."""

    def __init__(self, root: Path) -> None:
        self.root, self._random = root, random.Random(7)
        (root / "pool").mkdir(parents=True)

    def object(self, sha256: str) -> Path:
        return self.root / "pool" / sha256

    def add(self, data: bytes) -> Piece:
        sha256 = hashlib.sha256(data).hexdigest()
        self.object(sha256).write_bytes(data)
        return Piece(sha256, len(data), 0, len(data))

    def noise(self, size: int) -> Piece:
        """An object that cannot be compressed."""
        return self.add(self._random.randbytes(size))

    def text(self, size: int) -> Piece:
        """One that can."""
        lines = b"".join(
            b"Package: number-%d\n" % self._random.randrange(1000) for _ in range(size // 15 + 1)
        )
        return self.add(lines[:size])

    def package(self, size: int) -> Piece:
        """One that begins like a package, and cannot be compressed."""
        return self.add((b"!<arch>\ndebian-binary   " + self._random.randbytes(size))[:size])

    def mixture(self, count: int = 40) -> list[Piece]:
        sizes = [0, 1, 511, 512, 513, 2047, 2048, 2049, 65535, 65536, 70_001]
        kinds = [self.noise, self.text, self.package]
        chosen = [*sizes, *(self._random.randrange(30_000) for _ in range(count - len(sizes)))]
        return [kinds[index % 3](size) for index, size in enumerate(chosen)]

    def chunk(self, pieces: list[Piece], **front: bytes) -> Chunk:
        """`front` has names with `_` for `/`; without any it has what a medium mostly has."""
        files = [SmallFile(name.replace("_", "/"), data) for name, data in front.items()]
        usual = [
            SmallFile(MANIFEST, b'{"format_name": "test"}\n'),
            SmallFile("manifest.sig", b"signature\n"),
            SmallFile("README.txt", b"How to read it.\n" * 50),
            SmallFile("inventories/" + 64 * "a", b"# inventory 1\n" * 100),
            SmallFile("chunks/0001.index", b"# chunk 1 of 1\n"),
            SmallFile("SHA256SUMS", b""),
        ]
        return Chunk("test 1of1", files or usual, pieces, WHEN)

    def write(self, medium: Medium, chunk: Chunk, name: str = "medium") -> Path:
        path = self.root / name
        sink = FileOfTest(path)
        try:
            medium.writer().write(chunk, sink, self.object, lambda _: None)
        finally:
            sink.close()
        return path

    def expected(self, chunk: Chunk) -> dict[str, bytes]:
        found = dict(chunk.front)
        for piece in chunk.pieces:
            data = self.object(piece.sha256).read_bytes()
            found[piece.place] = data[piece.start : piece.start + piece.length]
        return found


def size_of(medium: Medium, chunk: Chunk) -> int:
    return medium.writer().size([(path, len(data)) for path, data in chunk.front], chunk.pieces)


def contents(
    medium: Medium, path: Path, wanted: Callable[[str], bool] = lambda _: True, most: int = 10_000
) -> dict[str, bytes]:
    """What a reader says is on a medium, in its order."""
    reader = medium.reader(path)
    try:
        return {
            member.path: b"".join(iter(lambda read=member.read: read(most), b""))  # type: ignore[misc]
            for member in reader.members(wanted)
        }
    finally:
        reader.close()


def outcome(medium: Medium, path: Path) -> dict[str, bytes] | None:
    """The same; None when the reader refuses the medium. Fails when it takes long, or gives more than it says."""
    result: list[dict[str, bytes] | None] = []
    failures: list[BaseException] = []

    def read() -> None:
        try:
            result.append(contents(medium, path))
        except (BadContent, OSError):
            result.append(None)
        except BaseException as error:  # noqa: BLE001 it is raised below, in the thread of the test
            failures.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive(), "the reader hangs"
    for failure in failures:
        raise failure
    return result[0]


class HugeObjects:
    """For pairs that pass over what is large in no time."""

    medium: Medium

    @pytest.mark.slow
    def test_a_sparse_object_of_five_gib(self, tmp_path: Path) -> None:
        """Behind it another, that is found only when the size was read right."""
        place = Place(tmp_path / "place")
        large = Piece(FIVE_GIB_OF_ZEROS, 5 * GIB + 3, 0, 5 * GIB + 3)
        with place.object(large.sha256).open("wb") as stream:
            stream.truncate(large.size)
        chunk, path = place.chunk([large, place.noise(100)]), place.root / "medium"
        with SparseFile(path) as sink:
            self.medium.writer().write(chunk, sink, place.object, lambda _: None)
        assert path.stat().st_size <= size_of(self.medium, chunk)
        reader = self.medium.reader(path)
        try:
            found = {member.path: member for member in reader.members(lambda name: "objects" in name)}
        finally:
            reader.close()
        assert {name: member.size for name, member in found.items()} == {
            piece.place: piece.length for piece in chunk.pieces
        }


class MediumConformance:
    medium: Medium

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return Place(tmp_path / "place")

    def check(self, place: Place, chunk: Chunk) -> Path:
        """That a reader finds what was written, and nothing else; and that the size was known."""
        path = place.write(self.medium, chunk)
        size = size_of(self.medium, chunk)
        assert path.stat().st_size == size if self.medium.exact else path.stat().st_size <= size
        assert contents(self.medium, path) == place.expected(chunk)
        return path

    # What is written can be read ------------------------------------------------------------------

    def test_a_chunk_without_objects(self, place: Place) -> None:
        self.check(place, place.chunk([]))

    def test_a_chunk_with_nothing_but_one_small_file(self, place: Place) -> None:
        self.check(place, Chunk("x", [SmallFile(MANIFEST, b"{}")], [], WHEN))

    @pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 2047, 2048, 2049, 65535, 65536, 1 << 20])
    def test_a_single_object_of_any_size(self, place: Place, size: int) -> None:
        self.check(place, place.chunk([place.noise(size)]))

    def test_objects_of_all_kinds_and_sizes(self, place: Place) -> None:
        self.check(place, place.chunk(place.mixture()))

    def test_small_files_of_some_megabytes(self, place: Place) -> None:
        large = random.Random(3).randbytes(5_000_001)
        self.check(place, place.chunk(place.mixture(12), inventories_large=large, README=b"hello"))

    def test_thousands_of_small_objects(self, place: Place) -> None:
        self.check(place, place.chunk([place.add(b"%d" % number) for number in range(3000)]))

    def test_large_objects_among_small_ones(self, place: Place) -> None:
        sizes = [10, 9_000_000, 100, 4 << 20, (4 << 20) + 1, 5, 2 << 20, 1 << 20, (1 << 20) - 512]
        pieces = [place.noise(size) if size % 2 else place.text(size) for size in sizes]
        self.check(place, place.chunk(pieces))

    def test_an_object_cut_into_segments(self, place: Place) -> None:
        whole = place.noise(5_000_000)
        bounds = [0, 100, 3_000_000, 3_000_001, 5_000_000]
        segments = [
            Piece(whole.sha256, whole.size, start, end - start) for start, end in itertools.pairwise(bounds)
        ]
        chunk = place.chunk([place.text(10), *segments, place.package(30)])
        path = self.check(place, chunk)
        found = contents(self.medium, path)
        joined = b"".join(found[segment.place] for segment in segments)
        assert hashlib.sha256(joined).hexdigest() == whole.sha256

    # Same input, same bytes -----------------------------------------------------------------------

    def test_the_same_input_gives_the_same_bytes(self, place: Place) -> None:
        chunk = place.chunk([*place.mixture(), place.text(7_000_000)])
        first, second = (place.write(self.medium, chunk, name).read_bytes() for name in ("first", "second"))
        assert first == second

    def test_a_sink_without_a_descriptor_gets_the_same_bytes(self, place: Place) -> None:
        chunk = place.chunk(place.mixture())
        stream = StreamOfTest()
        self.medium.writer().write(chunk, stream, place.object, lambda _: None)
        data = place.write(self.medium, chunk).read_bytes()
        assert (stream.digest.digest(), stream.written) == (hashlib.sha256(data).digest(), len(data))

    def test_it_tells_of_all_bytes_of_objects_and_of_no_others(self, place: Place) -> None:
        pieces, told = [*place.mixture(), place.noise(9_000_000)], list[int]()
        self.medium.writer().write(place.chunk(pieces), StreamOfTest(), place.object, told.append)
        assert sum(told) == sum(piece.length for piece in pieces)
        assert len(told) > 1

    # What cannot be written -----------------------------------------------------------------------

    def write_bad(self, place: Place, pieces: list[Piece], bad: Piece) -> None:
        with pytest.raises(BadContent, match=bad.sha256):
            place.write(self.medium, place.chunk(pieces))

    @pytest.mark.parametrize("size", [1, 2048, 100_000, 9_000_000])
    def test_an_object_with_other_bytes_than_its_name_says_is_named(self, place: Place, size: int) -> None:
        pieces = [place.noise(1000), place.noise(size), place.noise(1000)]
        wrong = bytearray(place.object(pieces[1].sha256).read_bytes())
        wrong[-1] ^= 1
        place.object(pieces[1].sha256).write_bytes(wrong)
        self.write_bad(place, pieces, pieces[1])

    @pytest.mark.parametrize("size", [1, 2048, 100_000, 9_000_000])
    @pytest.mark.parametrize("change", [-1, 1])
    def test_an_object_that_is_too_short_or_too_long_is_named(
        self, place: Place, size: int, change: int
    ) -> None:
        pieces = [place.noise(1000), place.noise(size), place.noise(1000)]
        os.truncate(place.object(pieces[1].sha256), size + change)
        self.write_bad(place, pieces, pieces[1])

    def test_an_object_that_is_not_there_is_named(self, place: Place) -> None:
        pieces = place.mixture()
        place.object(pieces[20].sha256).unlink()
        self.write_bad(place, pieces, pieces[20])

    def test_a_segment_of_an_object_that_was_cut_off_is_named(self, place: Place) -> None:
        whole = place.noise(100_000)
        os.truncate(place.object(whole.sha256), 70_000)
        segment = Piece(whole.sha256, whole.size, 60_000, 40_000)
        self.write_bad(place, [segment], segment)

    def test_a_full_disk_is_told_as_it_is(self, place: Place) -> None:
        sink = FileOfTest(place.root / "medium", most=3_000_000)
        chunk = place.chunk([place.noise(500_000) for _ in range(20)])
        try:
            with pytest.raises(OSError, match="No space left"):
                self.medium.writer().write(chunk, sink, place.object, lambda _: None)
        finally:
            sink.close()

    def test_whoever_is_told_can_end_the_work(self, place: Place) -> None:
        def stop(_: int) -> None:
            raise Interrupted("stopped")

        before, sink = threading.active_count(), StreamOfTest()
        pieces = [place.noise(1_000_000) for _ in range(20)]
        with pytest.raises(Interrupted):
            self.medium.writer().write(place.chunk(pieces), sink, place.object, stop)
        assert threading.active_count() == before
        assert sink.written < sum(piece.length for piece in pieces)

    # What a reader does ---------------------------------------------------------------------------

    @pytest.fixture
    def chunk(self, place: Place) -> Chunk:
        return place.chunk(place.mixture())

    @pytest.fixture
    def path(self, place: Place, chunk: Chunk) -> Path:
        return place.write(self.medium, chunk)

    @pytest.fixture
    def reader(self, path: Path) -> Iterator[MediumReader]:
        reader = self.medium.reader(path)
        yield reader
        reader.close()

    def test_small_files_come_before_objects(self, reader: MediumReader, chunk: Chunk) -> None:
        found = [member.path.startswith("objects/") for member in reader.members()]
        assert found == sorted(found)
        assert len(found) == len(chunk.front) + len(chunk.pieces)

    def test_members_can_be_asked_for_again(self, reader: MediumReader) -> None:
        first, second = ([member[:2] for member in reader.members()] for _ in range(2))
        assert first == second

    def test_only_what_is_wanted_comes(self, reader: MediumReader, chunk: Chunk, place: Place) -> None:
        asked = list[str]()
        some = {chunk.pieces[3].place, chunk.pieces[30].place, "SHA256SUMS"}

        def wanted(path: str) -> bool:
            asked.append(path)
            return path in some

        found = {member.path: member.read(1 << 20) for member in reader.members(wanted)}
        assert found == {path: data for path, data in place.expected(chunk).items() if path in some}
        assert set(asked) == set(place.expected(chunk))

    def test_members_need_not_be_read(self, reader: MediumReader, chunk: Chunk, place: Place) -> None:
        found = {member.path: member.read(7) for member in reader.members()}
        assert found == {path: data[:7] for path, data in place.expected(chunk).items()}

    def test_a_reader_says_sizes_and_never_reads_more(self, reader: MediumReader, place: Place) -> None:
        for member in reader.members():
            data = member.read(1 << 30)
            while more := member.read(1 << 30):
                data += more
            assert len(data) == member.size
            assert member.read(1) == b""

    def test_a_reader_may_be_left_in_the_middle(self, reader: MediumReader, path: Path) -> None:
        for member in reader.members():
            if member.path.startswith("objects/") and member.size > 10:
                member.read(1)
                break
        assert len(list(reader.members())) > 1

    def test_its_name_is_its_path(self, reader: MediumReader, path: Path) -> None:
        assert reader.name == str(path)

    def test_a_medium_is_not_changed(self, path: Path) -> None:
        path.chmod(0o444)
        before = path.read_bytes()
        contents(self.medium, path)
        assert path.read_bytes() == before

    # Media that are damaged -----------------------------------------------------------------------

    @pytest.mark.parametrize("part", [0.02, 0.3, 0.5, 0.8])
    def test_a_medium_that_was_cut_off_is_refused_by_its_name(self, path: Path, part: float) -> None:
        os.truncate(path, int(path.stat().st_size * part))
        with pytest.raises(BadContent, match=str(path)):
            contents(self.medium, path)

    @pytest.mark.parametrize(
        "data", [b"", b"\0", bytes(100_000), b"hello\n" * 10_000], ids=["empty", "byte", "zeros", "text"]
    )
    def test_what_is_no_such_medium_is_refused_by_its_name(self, tmp_path: Path, data: bytes) -> None:
        other = tmp_path / "other"
        other.write_bytes(data)
        with pytest.raises(BadContent, match=str(other)):
            contents(self.medium, other)

    def test_a_flipped_bit_never_hangs_or_crashes_a_reader(self, place: Place, path: Path) -> None:
        """It may give wrong bytes: digests are checked by who reads."""
        data = path.read_bytes()
        damaged = place.root / "damaged"
        chance = random.Random(11)
        # Mostly where the structure is: at the beginning, and around the heads of objects.
        offsets = [*range(0, 4000, 101), *(chance.randrange(len(data)) for _ in range(80))]
        for offset in offsets:
            wrong = bytearray(data)
            wrong[offset % len(data)] ^= 1 << chance.randrange(8)
            damaged.write_bytes(wrong)
            outcome(self.medium, damaged)

    def test_a_block_of_garbage_never_hangs_or_crashes_a_reader(self, place: Place, path: Path) -> None:
        data = path.read_bytes()
        damaged = place.root / "damaged"
        chance = random.Random(13)
        for _ in range(60):
            wrong = bytearray(data)
            begin, length = chance.randrange(len(data)), chance.choice((4, 64, 512, 2048, 10_000))
            wrong[begin : begin + length] = chance.choice((chance.randbytes(length), b"\xff" * length))
            damaged.write_bytes(wrong[: len(data)])
            outcome(self.medium, damaged)
