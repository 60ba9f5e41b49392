# SPDX-License-Identifier: GPL-3.0-or-later
import hashlib
import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestrator.content.exports.sinks import FileSink, StdoutSink
from orchestrator.content.exports.tar import TarWriter
from orchestrator.content.imports.tar_reader import TarReader
from orchestrator.errors import BadContent, Busy, Interrupted, UsageError
from tests.support.medium_conformance import Medium, Place, contents

DATA = os.urandom(3_000_000)


def names(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


@pytest.mark.parametrize("digest", [True, False])
def test_a_file_gets_its_name_when_all_of_it_is_there(tmp_path: Path, digest: bool) -> None:
    with FileSink(tmp_path / "a.tar", digest=digest) as sink:
        for begin in range(0, len(DATA), 100_000):
            sink.write(memoryview(DATA)[begin : begin + 100_000])
        assert not sink.path.exists()
    assert (tmp_path / "a.tar").read_bytes() == DATA
    assert (sink.size, sink.sha256) == (len(DATA), hashlib.sha256(DATA).hexdigest() if digest else "")
    assert names(tmp_path) == ["a.tar"]


def test_nothing_is_left_of_a_file_whose_writing_fails(tmp_path: Path) -> None:
    def fail(_: int) -> None:
        raise Interrupted("stopped")

    place = Place(tmp_path / "place")
    (tmp_path / "a.tar").write_text("of before")
    chunk = place.chunk([place.noise(100_000)])
    with pytest.raises(Interrupted), FileSink(tmp_path / "a.tar") as sink:
        TarWriter().write(chunk, sink, place.object, fail)
    assert names(tmp_path) == ["a.tar", "place"]
    assert (tmp_path / "a.tar").read_text() == "of before"
    assert threading.active_count() == 1


def test_no_two_runs_write_the_same_file(tmp_path: Path) -> None:
    with FileSink(tmp_path / "a.tar") as sink:
        sink.write(b"first")
        with pytest.raises(Busy, match=r"another run is writing a\.tar"):
            FileSink(tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == b"first"


def test_what_a_dead_run_left_is_replaced(tmp_path: Path) -> None:
    program = (
        "import os, sys, pathlib; from orchestrator.content.exports.sinks import FileSink\n"
        "FileSink(pathlib.Path(sys.argv[1])).write(bytes(1000)); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.tar")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert names(tmp_path) == [".a.tar.part"]
    with FileSink(tmp_path / "a.tar") as sink:
        sink.write(b"new")
    assert names(tmp_path) == ["a.tar"]
    assert (tmp_path / "a.tar").read_bytes() == b"new"


@pytest.mark.parametrize("to", ["victim", "nowhere"])
def test_a_link_of_somebody_else_is_not_written_through(tmp_path: Path, to: str) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / ".a.tar.part").symlink_to(tmp_path / to)
    with FileSink(tmp_path / "a.tar") as sink:
        sink.write(b"new")
    os.link(tmp_path / "victim", tmp_path / ".a.tar.part")
    with FileSink(tmp_path / "a.tar") as sink:
        sink.write(b"newer")
    assert (tmp_path / "victim").read_text() == "precious"
    assert (tmp_path / "a.tar").read_bytes() == b"newer"


def test_a_full_disk_is_told_with_the_file(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "a.tar")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, sink._descriptor)
    os.close(full)
    with pytest.raises(OSError, match="No space left") as caught, sink:
        sink.write(DATA)
    assert caught.value.filename == str(tmp_path / "a.tar")
    assert names(tmp_path) == []


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        FileSink(tmp_path / "nowhere" / "a.tar")


def test_a_bad_object_leaves_no_file_that_looks_whole(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    piece = place.noise(100_000)
    place.object(piece.sha256).write_bytes(bytes(100_000))
    with pytest.raises(BadContent, match=piece.sha256), FileSink(tmp_path / "a.tar") as sink:
        TarWriter().write(place.chunk([place.noise(5_000_000), piece]), sink, place.object, lambda _: None)
    assert names(tmp_path) == ["place"]


# Standard output ----------------------------------------------------------------------------------


def test_a_terminal_gets_no_medium() -> None:
    master, slave = pty.openpty()
    with pytest.raises(UsageError, match="terminal"):
        StdoutSink(slave)
    os.close(master)
    os.close(slave)


def test_a_pipe_gets_it(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    chunk = place.chunk(place.mixture())
    with (
        (tmp_path / "medium").open("wb") as file,
        subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file) as cat,
    ):
        assert cat.stdin is not None
        with StdoutSink(cat.stdin.fileno()) as sink:
            TarWriter().write(chunk, sink, place.object, lambda _: None)
        assert sink.size == TarWriter().size([(f.path, len(f.data)) for f in chunk.front], chunk.pieces)
    medium = Medium("tar", TarWriter, TarReader)
    assert contents(medium, tmp_path / "medium") == place.expected(chunk)


def test_a_reader_that_goes_away_is_told() -> None:
    read, write = os.pipe()
    sink = StdoutSink(write)
    sink.write(b"hello")
    os.close(read)
    with pytest.raises(Interrupted, match="gone after 5 bytes"):
        sink.write(DATA)
    os.close(write)
